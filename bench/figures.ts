import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Options, type Row, rounded } from './row.ts';

/** Where `--record` keeps what was measured, next to the page that shows it. */
export const FIGURES_FILE = fileURLToPath(new URL('../docs/performance/figures.json', import.meta.url));

const rowSchema = z
  .strictObject({
    name: z.string().min(1),
    value: z.number().nullable(),
    unit: z.string(),
    runs: z.int().min(1).optional(),
    ratioOf: z.string().min(1).optional(),
    skipped: z.string().min(1).optional(),
  })
  .refine(({ value, skipped }) => (value === null) === (skipped !== undefined), {
    error: 'expected either a value or why it was skipped',
  });

const recordSchema = z.strictObject({
  rows: z.array(rowSchema).min(1),
  options: z.strictObject({
    transactions: z.int().min(1).optional(),
    trials: z.int().min(1).optional(),
    quick: z.boolean(),
  }),
  date: z.iso.date(),
  /** With "+" if the tree had changes that are in no commit. */
  commit: z
    .string()
    .regex(/^([0-9a-f]{7,40}\+?|unknown)$/, 'expected a short hash, with "+" after it for a changed tree'),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.int().min(1),
    memoryGiB: z.number().positive(),
    node: z.string(),
    kernel: z.string(),
  }),
});

const figuresSchema = z.record(z.string().regex(/^[a-z][a-z-]*$/, 'expected the name of a bench'), recordSchema);

/** What was measured of one bench, how, when, of what and where. */
export type Recorded = z.infer<typeof recordSchema>;
/** The newest record of each bench, by its name. */
export type Figures = Readonly<Record<string, Recorded>>;
/** All of a record that is known before anything is measured. */
export type Circumstances = Pick<Recorded, 'date' | 'commit' | 'machine'>;

/** Throws an Error that names the file's place and what was expected there. */
export function parseFigures(text: string): Figures {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`figures.json is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = figuresSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`);
  throw new Error(`figures.json is not what --record writes: ${problems.join('; ')}`);
}

/** Two spaces, benches by name, so that a new record changes nothing but its own lines. */
export function printFigures(figures: Figures): string {
  const sorted = Object.entries(figures).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`;
}

export function readFigures(path = FIGURES_FILE): Figures {
  return parseFigures(readFileSync(path, 'utf8'));
}

/** Replaces the record of this bench; those of others stay. */
export function record(
  bench: string,
  rows: readonly Row[],
  options: Options,
  circumstances: Circumstances,
  path = FIGURES_FILE,
): void {
  const text = printFigures({ ...readFigures(path), [bench]: { rows: [...rows], options, ...circumstances } });
  // Read back before it is written: a figure that is not a number must not spoil the file.
  parseFigures(text);
  writeFileSync(path, text);
}

/** Asked for before a bench runs: what changes in the tree meanwhile is not what was measured. */
export function circumstances(): Circumstances {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: rounded(totalmem() / 1024 ** 3, 1),
      node: process.version,
      kernel: `${type()} ${release()}`,
    },
  };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: new URL('..', import.meta.url), encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    // Figures and the page about them change with every record, and nothing that is measured.
    const changed = git('status', '--porcelain', '--', '.', ':(exclude)docs') !== '';
    return git('rev-parse', '--short', 'HEAD') + (changed ? '+' : '');
  } catch {
    // Unpacked from an archive.
    return 'unknown';
  }
}
