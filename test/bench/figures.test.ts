import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { circumstances, parseFigures, printFigures, readFigures, record } from '../../bench/figures.ts';
import { medianRow } from '../../bench/row.ts';

const OPTIONS = { transactions: 1_000, trials: undefined, quick: true };
const ROW = { name: 'window', value: 0.8, unit: 'ratio', runs: 5, ratioOf: 'final at 0 ms' };

describe('recorded figures', () => {
  let folder: string;
  let path: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-figures-'));
    path = join(folder, 'figures.json');
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps the newest record of each bench by name, with its circumstances, and no name of the host', () => {
    writeFileSync(path, '{}\n');
    const now = circumstances();
    record('window', [{ ...ROW, value: 0.7 }], OPTIONS, now, path);
    record(
      'attacked',
      [{ name: 'one silent', value: null, unit: 'ratio', skipped: 'nothing was final' }],
      OPTIONS,
      now,
      path,
    );
    record('window', [ROW], OPTIONS, now, path);
    const text = readFileSync(path, 'utf8');
    assert.deepEqual(Object.keys(JSON.parse(text)), ['attacked', 'window']);
    assert.equal(text, printFigures(readFigures(path)), 'printed the one way');
    assert(text.endsWith('}\n') && text.includes('\n  "attacked": {\n    "rows": ['));
    const { rows, options, ...rest } = readFigures(path).window!;
    assert.deepEqual(rows, [ROW]);
    assert.deepEqual(options, { transactions: 1_000, quick: true });
    assert.deepEqual(rest, now);
    assert.match(now.commit, /^([0-9a-f]{7,}\+?|unknown)$/);
    assert(!text.includes(`"${hostname()}"`) && !text.includes(folder));
  });

  it('a figure that is not a number changes nothing', () => {
    const text = readFileSync(path, 'utf8');
    const bad = { name: 'goodput', value: Number.NaN, unit: 'ratio' };
    assert.throws(
      () => record('overload', [bad], OPTIONS, circumstances(), path),
      /overload\.rows\.0.*why it was skipped/,
    );
    assert.equal(readFileSync(path, 'utf8'), text);
    // What could not be measured is said so.
    const [unmeasured] = [medianRow('cpu', 'us', [1], () => Number.NaN)];
    record('overload', [unmeasured], OPTIONS, circumstances(), path);
    assert.equal(readFigures(path).overload!.rows[0]!.value, null);
  });

  it('says what is wrong with a file, and where', () => {
    const good = JSON.parse(printFigures({ window: { rows: [ROW], options: { quick: false }, ...circumstances() } }));
    assert.doesNotThrow(() => parseFigures(JSON.stringify(good)));
    for (const [change, expected] of [
      [{ rows: [] }, /window\.rows: /],
      [{ rows: [{ ...ROW, value: '0.8' }] }, /window\.rows\.0\.value: /],
      [{ rows: [{ ...ROW, values: 1 }] }, /window\.rows\.0: .*values/],
      [{ date: 'yesterday' }, /window\.date: /],
      [{ commit: 'main' }, /window\.commit: expected a short hash/],
      [{ machine: { ...good.window.machine, host: 'here' } }, /window\.machine: .*host/],
      [{ options: {} }, /window\.options\.quick: /],
    ] as const) {
      assert.throws(() => parseFigures(JSON.stringify({ window: { ...good.window, ...change } })), expected);
    }
    assert.throws(() => parseFigures('{"window": '), /figures\.json is not JSON: /);
    assert.throws(() => parseFigures(JSON.stringify({ 'No Bench': good.window })), /No Bench: /);
  });
});
