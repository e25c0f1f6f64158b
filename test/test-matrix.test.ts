import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isAbout, keysIn, rowsOf, titlesOf, withTests } from './support/test-matrix.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PAGE = join(ROOT, 'docs/test-matrix.md');
/** Areas in which every row has a test, or the reason why none can be: attacks on consensus with a fixed set. */
const COVERED = /^(?:[LRC]\d\d|Q0\d|Q1[045]|K0[17]|trap: .*)$/;
const REASONS = /^impossible: .+/;

/** A hole of a template as it stands in a source. */
const HOLE = '$'.concat('{to}');

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const list = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '--', 'test/*.test.ts', 'test/**/*.test.ts'],
  { cwd: ROOT, encoding: 'utf8' },
);
const paths = [...new Set(list.split('\n').filter(Boolean))].sort();
const tests = paths
  .filter((path) => path !== 'test/test-matrix.test.ts')
  .flatMap((path) => titlesOf({ path, text: read(path) }));

describe('docs/test-matrix.md', () => {
  if (process.env.QUORATE_UPDATE === '1') writeFileSync(PAGE, withTests(readFileSync(PAGE, 'utf8'), tests));
  const page = readFileSync(PAGE, 'utf8');
  const rows = rowsOf(page);

  it('names the tests that exist, under the titles they have (QUORATE_UPDATE=1 makes it so)', () => {
    assert(rows.length > 190, `${rows.length} rows`);
    assert.equal(new Set(rows.map(({ key }) => key)).size, rows.length, 'no row twice');
    const made = rowsOf(withTests(page, tests));
    for (const [i, row] of rows.entries()) assert.deepEqual(row, made[i], row.key);
  });

  it('has a test or a reason for every row, and a test for every attack on consensus', () => {
    for (const { key, tests: named, note } of rows) {
      if (named !== '') continue;
      assert.notEqual(note, '', `${key} has neither test nor reason`);
      if (COVERED.test(key)) assert.match(note, REASONS, `${key} has no test`);
    }
  });

  it('has a row for everything that a title names', () => {
    for (const { path, title } of tests) {
      for (const key of keysIn(title)) {
        assert(
          rows.some((row) => isAbout(key, row.key)),
          `${path}: no row for ${key}`,
        );
      }
    }
  });

  it('finds titles in calls, in tables and in templates, and tells rules from attacks', () => {
    const text = [
      "it('L01: plain', () => {});",
      `test(\`N06: v${HOLE} hears\`, run);`,
      "  { title: 'L02, trap: some words, and more', plan },",
      "  'R15: a case': (answer) => answer,",
      "it('rule N11: not an attack', () => {});",
      "const text = 'Q01: no title';",
    ].join('\n');
    const titles = titlesOf({ path: 'a.test.ts', text }).map(({ title }) => title);
    assert.deepEqual(titles.toSorted(), [
      'L01: plain',
      'L02, trap: some words, and more',
      `N06: v${HOLE} hears`,
      'R15: a case',
      'rule N11: not an attack',
    ]);
    assert.deepEqual(titles.flatMap(keysIn).toSorted(), ['L01', 'L02', 'N06', 'R15', 'trap: some words, and more']);
  });
});
