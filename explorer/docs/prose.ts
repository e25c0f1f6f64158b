import { element } from '../verify/dom.ts';

/** Text whose parts in backticks are code; paragraphs stand apart by an empty line. */
export function prose(text: string): HTMLElement {
  const paragraphs = text.split('\n\n').map((paragraph) => {
    return element('p', '', ...inline(paragraph));
  });
  return element('div', 'prose', ...paragraphs);
}

/** The same without paragraphs. */
export function inline(text: string): (Node | string)[] {
  return text.split('`').map((part, i) => (i % 2 === 1 ? element('code', '', part) : part));
}
