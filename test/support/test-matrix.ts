/**
 * Which test shows which attack: rows of docs/test-matrix.md on one side, titles found in the sources on the other. The
 * column of tests is made from the titles, so it can't be out of date without a test that says so.
 */

export interface TitledFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** A test as its title stands in the source, `${...}` and all. */
export interface NamedTest {
  readonly path: string;
  readonly title: string;
}

export interface MatrixRow {
  /** `L01`, or `trap: ` and its words. */
  readonly key: string;
  readonly attack: string;
  readonly tests: string;
  /** Why there is no test, or what to know about it. */
  readonly note: string;
}

const LITERAL = String.raw`('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\x60(?:[^\x60\\]|\\.)*\x60)`;
/** Titles: of it, test and describe, under `title`, and in tables of cases, where they begin a line. */
const TITLES = [
  new RegExp(String.raw`\b(?:it|test|describe)\(\s*${LITERAL}`, 'g'),
  new RegExp(String.raw`\btitle:\s*${LITERAL}`, 'g'),
  new RegExp(String.raw`^\s*\[?(?=['"\x60][A-Z]\d\d\b)${LITERAL}\s*[:,\]]`, 'gm'),
];
/** `rule N11` is a rule of docs/protocol.md, N11 alone an attack. */
const ID = /(?<!\brule )\b[LRCKNDTXVHGOQ]\d\d\b/g;
const TRAP = /\btrap: (.*)$/s;

export function titlesOf({ path, text }: TitledFile): readonly NamedTest[] {
  const titles = new Set<string>();
  for (const pattern of TITLES) {
    for (const [, literal] of text.matchAll(pattern)) titles.add(literal!.slice(1, -1).replace(/\\(.)/g, '$1'));
  }
  return [...titles].map((title) => ({ path, title }));
}

/** Keys of rows that a title names; of a trap all words, which may go on after those of its row. */
export function keysIn(title: string): readonly string[] {
  const trap = TRAP.exec(title)?.[1];
  const ids: string[] = title.match(ID) ?? [];
  return trap === undefined ? ids : [...ids, `trap: ${trap}`];
}

/** The rows of all tables of the page. */
export function rowsOf(page: string): readonly MatrixRow[] {
  return page
    .split('\n')
    .map(rowOf)
    .filter((row) => row !== undefined);
}

function rowOf(line: string): MatrixRow | undefined {
  if (!/^\| (?:[A-Z]\d\d|trap: [^|]+) \|/.test(line)) return undefined;
  const [key = '', attack = '', tests = '', note = ''] = line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
  return { key, attack, tests, note };
}

/** The page with its column of tests made anew; a note that says `not yet` goes when there is a test. */
export function withTests(page: string, tests: readonly NamedTest[]): string {
  const lines = page.split('\n').map((line) => {
    const row = rowOf(line);
    if (row === undefined) return line;
    const named = tests.filter(({ title }) => keysIn(title).some((key) => isAbout(key, row.key)));
    const cell = named.map(({ path, title }) => `\`${path}\`: ${escaped(title)}`).join('<br>');
    const note = named.length > 0 && row.note.includes('not yet') ? '' : row.note;
    return `| ${row.key} | ${row.attack} | ${cell} | ${note} |`;
  });
  return lines.join('\n');
}

/** A trap's title may say more than its row. */
export function isAbout(named: string, key: string): boolean {
  return key.startsWith('trap: ') ? named.startsWith(key) : named === key;
}

function escaped(title: string): string {
  return title.replace(/[\\|_*<>[\]]/g, (char) => `\\${char}`);
}
