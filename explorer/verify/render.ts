import type { Genesis } from '../../genesis/genesis.ts';
import { toHex } from '../../ledger/bytes.ts';
import { quorum } from '../../ledger/validators.ts';
import type { Step } from '../../light/report.ts';
import type { Description, Group, Row } from './describe.ts';
import { element } from './dom.ts';
import type { Read } from './files.ts';
import { counted, moment, visible } from './words.ts';

const MARKS = { passed: '✓', failed: '✗', 'not-reached': '·' } as const;
const TONE_MARKS = { good: '✓', caution: '!', bad: '✗', waiting: '…' } as const;

/** What stands at the top of a result. */
export interface Headline {
  readonly tone: Description['tone'] | 'waiting';
  readonly verdict: string;
  /** What is proven, in one sentence; empty or none if nothing is. */
  readonly summary?: string;
}

/** One proof's place in the list: its head stays, so that the focus on it does too; its content is replaced. */
export class Result {
  readonly node: HTMLDetailsElement;
  readonly #mark = element('span', 'mark');
  readonly #verdict = element('h2', 'verdict');
  readonly #summary = element('span', 'sentence');
  readonly #body = element('div', 'body');

  constructor(name: string) {
    this.#mark.setAttribute('aria-hidden', 'true');
    const head = element('span', 'head', this.#verdict, this.#summary, element('span', 'file', visible(name)));
    this.node = element('details', 'result', element('summary', '', this.#mark, head), this.#body);
    this.node.open = true;
  }

  show({ tone, verdict, summary = '' }: Headline, ...body: readonly Node[]): void {
    this.node.dataset.tone = tone;
    this.#mark.textContent = TONE_MARKS[tone];
    this.#verdict.textContent = verdict;
    this.#summary.textContent = summary;
    this.#body.replaceChildren(...body);
  }

  /** Scrolls to the verdict where it can not be seen. */
  reveal(): void {
    const { top } = this.node.getBoundingClientRect();
    if (top < 0 || top > window.innerHeight * 0.75) this.node.scrollIntoView({ block: 'start' });
  }
}

/** Everything below the verdict. */
export function descriptionNodes({ steps, groups, proven, notProven }: Description): Node[] {
  const nodes: Node[] = [element('h3', '', 'Checks'), stepList(steps)];
  if (groups.length > 0) nodes.push(element('h3', '', 'Facts'), ...groups.map(groupNode));
  if (proven !== '') {
    nodes.push(element('h3', '', 'What this proves'), element('p', 'proven', proven));
    nodes.push(element('p', 'proven', 'It does not prove:'));
    nodes.push(element('ul', 'not-proven', ...notProven.map((text) => element('li', '', text))));
  }
  return nodes;
}

/** Long bytes inside a sentence, in the type of bytes. */
function withCode(text: string): (Node | string)[] {
  return text
    .split(/(0x[0-9a-f]{16,})/)
    .map((part, index) => (index % 2 === 1 ? element('code', 'inline', part) : part));
}

function stepList(steps: readonly Step[]): HTMLElement {
  const items = steps.map(({ name, status, detail }) => {
    const mark = element('span', 'mark', MARKS[status]);
    mark.setAttribute('aria-hidden', 'true');
    const item = element(
      'li',
      status,
      mark,
      element('span', 'step', name),
      element('span', 'unseen', status === 'not-reached' ? ': ' : ` ${status}: `),
      element('span', 'detail', ...withCode(detail || 'not reached')),
    );
    item.dataset.step = name;
    item.dataset.status = status;
    return item;
  });
  const list = element('ol', 'steps', ...items);
  // Without its numbers a list is none for some readers unless it says so.
  list.setAttribute('role', 'list');
  return list;
}

function groupNode({ title, rows }: Group): HTMLElement {
  return element('section', 'group', element('h4', '', title), rowList(rows));
}

function rowList(rows: readonly Row[]): HTMLElement {
  return element(
    'dl',
    '',
    ...rows.map(({ name, value, form, note }) =>
      element(
        'div',
        'row',
        element('dt', '', name),
        element('dd', '', element('span', form, value), ...(note === undefined ? [] : [element('span', 'note', note)])),
      ),
    ),
  );
}

/** What a chosen genesis file says, or why it is none. */
export function genesisNodes(name: string, read: Read<Genesis>): Node[] {
  if (!read.ok) return [element('p', 'problem', `${visible(name)}: ${visible(read.problem)}`)];
  const { chain, id, validators, time, warnings } = read.value;
  const n = validators.length;
  const rows: Row[] = [
    { name: 'File', value: visible(name), form: 'words' },
    { name: 'Chain', value: visible(chain), form: 'words' },
    { name: 'Begins', value: moment(time).utc, form: 'words' },
    { name: 'Validators', value: `${n}, of which ${quorum(n)} make a certificate`, form: 'words' },
    { name: 'Id', value: toHex(id), form: 'code', note: 'Compare it with the id that you know from elsewhere.' },
  ];
  return [
    element('p', 'chosen', 'Chosen'),
    rowList(rows),
    ...warnings.map((warning) => element('p', 'caution', `Note: ${visible(warning)}`)),
  ];
}

/** A result for whoever hears the page. */
export function announcement(name: string, { verdict, summary = '' }: Headline): string {
  return `${visible(name)}: ${verdict}. ${summary}`.trim();
}

/** What a drop of too many or no files says; empty if it was right. */
export function dropProblem(taken: number, came: number): string {
  if (came === 0) return 'There was no file in that; drop files from the disk.';
  return came > taken ? `${counted(came, 'file')} came, and the first ${taken} are checked.` : '';
}
