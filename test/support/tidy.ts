import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What our own rules say about one file; pure, so that tests can plant what must be found. */
export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Rule {
  /** Folders of the project that may be imported from, itself included. */
  readonly folders: readonly string[];
  /** npm packages, by their beginning. */
  readonly packages: readonly string[];
  readonly node: boolean;
  readonly pure: boolean;
}

/** The import table of docs/architecture.md. The longest folder that a path begins with decides. */
export const IMPORT_TABLE: Readonly<Record<string, Rule>> = {
  'ledger/': { folders: ['ledger/'], packages: ['@noble/'], node: false, pure: true },
  'genesis/': { folders: ['genesis/', 'ledger/'], packages: [], node: false, pure: true },
  'node/pbft/': { folders: ['node/pbft/', 'ledger/'], packages: [], node: false, pure: true },
  'light/': { folders: ['light/', 'ledger/', 'genesis/'], packages: [], node: false, pure: false },
  'light/keystore/': { folders: ['light/', 'ledger/'], packages: [], node: true, pure: false },
  'explorer/': { folders: ['explorer/', 'light/', 'ledger/', 'genesis/'], packages: [], node: false, pure: false },
  'p2p/': {
    folders: ['p2p/', 'ledger/'],
    packages: ['libp2p', '@libp2p/', '@chainsafe/libp2p-noise', '@multiformats/'],
    node: true,
    pure: false,
  },
  'api/': {
    folders: ['api/', 'ledger/', 'genesis/', 'light/'],
    packages: ['koa', '@koa/', 'zod'],
    node: true,
    pure: false,
  },
  'node/': {
    folders: ['node/', 'api/', 'p2p/', 'light/', 'genesis/', 'ledger/'],
    packages: [
      'classic-level',
      'sodium-native',
      '@chainsafe/hashtree',
      'commander',
      'smol-toml',
      'zod',
      'pino',
      'prom-client',
    ],
    node: true,
    pure: false,
  },
};

/** Clocks, randomness, I/O and waiting: a pure folder gets them as arguments or not at all. */
const IMPURE =
  /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|Buffer|crypto|console|globalThis|Promise|async|await|fetch|Intl|WeakRef|FinalizationRegistry|eval|require)\b|\bMath\.random\b|\.toLocale|\.localeCompare/;

const LEFTOVERS = /\b(TODO|FIXME|XXX|HACK)\b|not implemented|\bfor now\b|@ts-ignore|@ts-nocheck/;
const FOCUS = /\b(it|test|describe)\.(only|skip|todo)\b/;
const PLACES = /\/(?:work|tmp)\/(?:main|shared|q)\b|registry\.npmjs\.org|deb\.debian\.org/;
const LINES_MAX = 500;
/** Tables of data, not code. */
const TABLES = ['ledger/edge-vectors.ts'];

/** Everything wrong with one TypeScript file; an empty list for a tidy one. */
export function untidy(file: SourceFile): string[] {
  const problems: string[] = [];
  const isTest = file.path.startsWith('test/');
  const lines = file.text.split('\n').length;
  if (!isTest && !TABLES.includes(file.path) && lines > LINES_MAX)
    problems.push(`${lines} lines, at most ${LINES_MAX}`);
  const own = file.path === 'test/support/tidy.ts' || file.path === 'test/import-table.test.ts';
  for (const [pattern, what] of [
    [LEFTOVERS, 'a leftover'],
    [FOCUS, 'a focused or skipped test'],
    [PLACES, 'a place of one machine'],
  ] as const) {
    const found = own ? null : pattern.exec(file.text);
    if (found !== null) problems.push(`${what}: ${found[0]}`);
  }
  const rule = ruleFor(file.path);
  if (rule === undefined) return problems;
  for (const specifier of imports(file.text)) {
    const problem = importProblem(file.path, specifier, rule);
    if (problem !== undefined) problems.push(problem);
  }
  const impure = rule.pure ? IMPURE.exec(withoutTexts(file.text)) : null;
  if (impure !== null) problems.push(`${impure[0]} in a pure folder`);
  return problems;
}

function ruleFor(path: string): Rule | undefined {
  const folders = Object.keys(IMPORT_TABLE).filter((folder) => path.startsWith(folder));
  folders.sort((a, b) => b.length - a.length);
  return folders[0] === undefined ? undefined : IMPORT_TABLE[folders[0]];
}

function imports(text: string): string[] {
  const statements = /^(?:import|export)\b[^;]*?\bfrom\s*'([^']+)'|^import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm;
  return [...text.matchAll(statements)].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

function importProblem(path: string, specifier: string, rule: Rule): string | undefined {
  if (specifier.startsWith('node:')) return rule.node ? undefined : `imports ${specifier}`;
  if (!specifier.startsWith('.')) {
    return rule.packages.some((name) => specifier.startsWith(name)) ? undefined : `imports package ${specifier}`;
  }
  const target = join(path, '..', specifier);
  return rule.folders.some((folder) => target.startsWith(folder)) ? undefined : `imports ${target}`;
}

/** The text without comments and without what stands in quotes, where any word may occur. */
function withoutTexts(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, "''");
}

export function readSource(root: string, path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}
