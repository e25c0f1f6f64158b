import { element } from '../verify/dom.ts';

/** Text whose parts in backticks are code; paragraphs stand apart by an empty line. */
export function prose(text: string): HTMLElement {
  const paragraphs = text.split('\n\n').map((paragraph) => {
    const parts = paragraph.split('`').map((part, i) => (i % 2 === 1 ? element('code', '', part) : part));
    return element('p', '', ...parts);
  });
  return element('div', 'prose', ...paragraphs);
}
