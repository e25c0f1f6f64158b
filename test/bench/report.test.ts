import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { circumstances, type Figures, printFigures } from '../../bench/figures.ts';
import { BENCHES, recordedAs } from '../../bench/names.ts';
import { PLOTS } from '../../bench/plots/index.ts';
import { DOCS, readReport, report, writeReport } from '../../bench/report.ts';
import type { Row } from '../../bench/row.ts';

const row = (name: string, value: number, unit: string, ratioOf?: string): Row => {
  return { name, value, unit, ...(ratioOf && { ratioOf }) };
};
/** As little as each plot needs; no figures of anything. */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  window: [row('window', 0.5, 'ratio', 'final at 0 ms')],
  throughput: [row('finalPerSecond', 1, 'tx/s')],
  budget: [row('a < b', 2, 'us/tx'), row('a < b', 0.5, 'ratio', 'budget of 4 us'), row('one verification', 8, 'us')],
  scale: [4, 7].flatMap((n) => [
    row(`${n} validators: cpu of each and block`, n, 'ms'),
    row(`${n} validators: sent by each and block`, n, 'bytes'),
  ]),
  overload: [
    row('peak finalPerSecond', 10, 'tx/s'),
    row('offered at 1 x peak', 10, 'tx/s'),
    row('goodput at 1 x peak', 9, 'tx/s'),
    row('offeredPerSecond', 100, 'tx/s'),
    row('goodput finalPerSecond', 8, 'tx/s'),
  ],
  wan: [row('25 ms one way, idle: submit to final p50', 125, 'ms')],
};
const FIGURES: Figures = Object.fromEntries(
  Object.entries(ROWS).map(([bench, rows]) => [
    bench,
    { rows: [...rows], options: { quick: false }, ...circumstances() },
  ]),
);
const PAGE = readFileSync(`${DOCS}performance.md`, 'utf8');

describe('docs/performance.md', () => {
  it('page and plots are what `npm run bench -- report` makes of the recorded figures', () => {
    const { wanted, found } = readReport();
    assert.equal(found.page, wanted.page);
    assert.deepEqual([...found.plots].sort(), [...wanted.plots].sort());
  });

  it('has a place for every bench and every plot', () => {
    const places = [...PAGE.matchAll(/^<!-- (figures|plot): (\S+) -->$/gm)].map(([, kind, name]) => `${kind} ${name}`);
    const benches = new Set(BENCHES.map(recordedAs));
    const wanted = [...benches, 'scoreboard', 'machines'].map((name) => `figures ${name}`);
    assert.deepEqual(places.sort(), [...wanted, ...PLOTS.map(({ name }) => `plot ${name}`)].sort());
    assert.equal(PAGE.match(/^<!-- end -->$/gm)!.length, places.length);
  });

  it('shows what is recorded and says of the rest that nothing is; what stands outside of the markers stays', () => {
    const page =
      'Before.\n\n<!-- figures: window -->\nold\n<!-- end -->\n\n<!-- figures: light -->\n<!-- end -->\nAfter.\n';
    const { page: filled } = report(page, FIGURES);
    assert.match(
      filled,
      /^Before\.\n\n<!-- figures: window -->\n\n\| figure .*\n.*\n\| window \| 0\.5 \| ratio \| ÷ final at 0 ms \|\n/,
    );
    assert.match(filled, /<!-- figures: light -->\n\nNothing is recorded yet\.\n\n<!-- end -->\nAfter\.\n$/);
    assert(!filled.includes('old'));
    assert.equal(report(filled, FIGURES).page, filled, 'a second time changes nothing');
    assert.throws(() => report('<!-- figures: windows -->\n<!-- end -->\n', FIGURES), /windows, which is no bench/);
    assert.throws(
      () => report('<!-- plot: window -->\n<!-- end -->\n', FIGURES),
      /the plot window, which there is not/,
    );
  });

  it('writes a plot where there are figures, and removes it where they are gone', () => {
    const docs = `${mkdtempSync(join(tmpdir(), 'quorate-report-'))}/`;
    try {
      cpSync(`${DOCS}performance.md`, `${docs}performance.md`);
      cpSync(`${DOCS}performance`, `${docs}performance`, { recursive: true });
      for (const [figures, count] of [
        [FIGURES, PLOTS.length],
        [{}, 0],
      ] as const) {
        writeFileSync(`${docs}performance/figures.json`, printFigures(figures));
        writeReport(() => {}, docs);
        const { wanted, found } = readReport(docs);
        assert.equal(found.plots.size, count);
        assert.deepEqual(found, wanted);
        assert.equal(found.page.match(/^!\[/gm)?.length ?? 0, count);
      }
    } finally {
      rmSync(docs, { recursive: true, force: true });
    }
  });
});

describe('plots', () => {
  it('each is drawn from its figures, has words for those who do not see it, and neither script nor font', () => {
    const { plots } = report(PAGE, FIGURES);
    assert.deepEqual([...plots.keys()].sort(), PLOTS.map(({ name }) => `${name}.svg`).sort());
    for (const [name, text] of plots) {
      assert.deepEqual(unclosed(text), [], name);
      assert.match(text, /<title id="title">[^<]+<\/title>\n<desc id="description">[^<]+<\/desc>/, name);
      assert.match(text, /@media \(prefers-color-scheme: dark\)/, name);
      assert.doesNotMatch(text, /<script|@font-face|url\(|href|NaN|Infinity|undefined/, name);
    }
    assert.match(plots.get('budget.svg')!, />a &lt; b</);
  });

  it('is not drawn without figures', () => {
    for (const { name, draw } of PLOTS) assert.equal(draw({}), undefined, name);
  });

  it('keeps what it draws and writes within its edges', () => {
    for (const { name, draw } of PLOTS) {
      const text = draw(FIGURES)!;
      const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(text)!.map(Number);
      const numbers = (pattern: RegExp): number[] => [...text.matchAll(pattern)].map(([, value]) => Number(value));
      const xs = [...numbers(/ c?x="([^"]+)"/g), ...numbers(/[ML](-?[\d.]+) /g)];
      const ys = [...numbers(/ c?y="([^"]+)"/g), ...numbers(/[ML]-?[\d.]+ (-?[\d.]+)/g)];
      assert(xs.length > 10 && Math.min(...xs) >= 0 && Math.max(...xs) <= width!, `${name}: ${Math.max(...xs)}`);
      assert(ys.length > 10 && Math.min(...ys) >= 0 && Math.max(...ys) <= height!, `${name}: ${Math.max(...ys)}`);
    }
  });
});

/** Tags that are not closed in their order. */
function unclosed(text: string): string[] {
  const open: string[] = [];
  for (const [, close, tag, self] of text.matchAll(/<(\/?)([a-z]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (close === '') {
      if (self === '') open.push(tag!);
    } else if (open.pop() !== tag) return [`</${tag}>`];
  }
  return open;
}
