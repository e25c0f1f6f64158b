import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Figures, readFigures } from './figures.ts';
import { BENCHES } from './names.ts';
import { PLOTS } from './plots/index.ts';
import { benchTable, machinesTable, scoreboardTable } from './tables.ts';

export const DOCS = fileURLToPath(new URL('../docs/', import.meta.url));
const FOLDER = 'performance';
/** `<!-- figures: throughput -->` or `<!-- plot: scale -->`, what stands there now, `<!-- end -->`. */
const BLOCK = /^<!-- (figures|plot): (\S+) -->\n([\s\S]*?)^<!-- end -->$/gm;

/** What documentation there is of the figures: the page, and a file for each plot. */
export interface Report {
  readonly page: string;
  /** By the name of the file. Those without figures are not there. */
  readonly plots: ReadonlyMap<string, string>;
}

/** The page with tables and plots of these figures instead of what stands between its markers; all else stays. */
export function report(page: string, figures: Figures): Report {
  const plots = new Map(
    PLOTS.flatMap(({ name, draw }) => {
      const drawn = draw(figures);
      return drawn === undefined ? [] : [[`${name}.svg`, drawn] as const];
    }),
  );
  const filled = page.replace(BLOCK, (_, kind: string, name: string) => {
    const text = kind === 'plot' ? plot(name, plots) : table(name, figures);
    return `<!-- ${kind}: ${name} -->\n${text === '' ? '' : `\n${text}\n\n`}<!-- end -->`;
  });
  return { page: filled, plots };
}

/** What `report` would make of the files that are there, and what is there. */
export function readReport(docs = DOCS): { readonly wanted: Report; readonly found: Report } {
  const page = readFileSync(`${docs}${FOLDER}.md`, 'utf8');
  const names = readdirSync(`${docs}${FOLDER}`).filter((name) => name.endsWith('.svg'));
  const plots = new Map(names.map((name) => [name, readFileSync(`${docs}${FOLDER}/${name}`, 'utf8')] as const));
  return { wanted: report(page, readFigures(`${docs}${FOLDER}/figures.json`)), found: { page, plots } };
}

/** Writes tables and plots anew from what is recorded; removes plots whose figures are gone. */
export function writeReport(log: (text: string) => void, docs = DOCS): void {
  const { wanted, found } = readReport(docs);
  for (const name of found.plots.keys()) if (!wanted.plots.has(name)) rmSync(`${docs}${FOLDER}/${name}`);
  for (const [name, drawn] of wanted.plots) writeFileSync(`${docs}${FOLDER}/${name}`, drawn);
  writeFileSync(`${docs}${FOLDER}.md`, wanted.page);
  log(`docs/${FOLDER}.md: ${wanted.plots.size} of ${PLOTS.length} plots have figures`);
}

function table(name: string, figures: Figures): string {
  if (name === 'scoreboard') return scoreboardTable(figures);
  if (name === 'machines') return machinesTable(figures);
  if (!BENCHES.includes(name)) throw new Error(`docs/${FOLDER}.md wants figures of ${name}, which is no bench`);
  return benchTable(name, figures);
}

function plot(name: string, plots: ReadonlyMap<string, string>): string {
  const wanted = PLOTS.find((one) => one.name === name);
  if (wanted === undefined) throw new Error(`docs/${FOLDER}.md wants the plot ${name}, which there is not`);
  return plots.has(`${name}.svg`) ? `![${wanted.alt}](${FOLDER}/${name}.svg)` : '';
}
