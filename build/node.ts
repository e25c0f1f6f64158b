import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ROOT } from './pack.ts';

/** What a process or a thread begins with. These, and the files that they share, all lie two folders below `dist/`. */
const ENTRIES = ['node/cli/main.ts', 'node/ledger/worker.ts', 'node/verify/worker.ts'];
/** Packages with native code, and one in the older format of which names are imported late. */
export const NOT_BUNDLED = ['@chainsafe/hashtree', 'classic-level', 'prom-client', 'sodium-native'];
/** What `bin/quorate.js` compares before it runs the bundle of a checkout: path, time of the last change in ms, bytes. */
const SOURCES = 'dist/node/sources.json';
/** What is no module but part of what was built: how, and of which packages. */
const OTHER_SOURCES = ['build/node.ts', 'package.json', 'node_modules/.package-lock.json'];

export interface NodeBundle {
  /** From the root of the repository. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** Every file that went into it, from the root of the repository. */
  readonly inputs: readonly string[];
}

/**
 * The node in a few files in `dist/node/`: a thousand modules, each found, read and linked by itself, take longer to load than to
 * run. What is there already and is the same stays as it is, and so do files of earlier bundles, for nodes that run from there.
 */
export async function bundleNode(): Promise<NodeBundle> {
  const stamps = new Map(OTHER_SOURCES.map((path) => [path, stampOf(path)]));
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outbase: '.',
    outdir: 'dist',
    chunkNames: 'node/chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    external: NOT_BUNDLED,
    // Packages in the older format ask for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    plugins: [ownModules(stamps)],
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  const outputs = [
    // Entries last: what they load is there before them.
    ...outputFiles.toSorted((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path))),
    {
      path: join(ROOT, SOURCES),
      contents: Buffer.from(JSON.stringify([...stamps].map(([path, at]) => [path, ...at]))),
    },
  ].filter(({ path, contents }) => !existsSync(path) || !readFileSync(path).equals(contents));
  // Until all of it is new, source is run.
  if (outputs.length > 0) rmSync(join(ROOT, SOURCES), { force: true });
  for (const { path, contents } of outputs) writeWhole(path, contents);
  const files = [...outputFiles.map(({ path }) => relative(ROOT, path)), SOURCES];
  const bytes = outputFiles.reduce((sum, { contents }) => sum + contents.length, 0);
  return { files, bytes, inputs: Object.keys(metafile.inputs) };
}

type Stamp = readonly [mtimeMs: number, size: number];

function stampOf(path: string): Stamp {
  const { mtimeMs, size } = statSync(join(ROOT, path));
  return [mtimeMs, size];
}

const isEntry = (path: string): boolean => ENTRIES.includes(relative(join(ROOT, 'dist'), path).replace(/\.js$/, '.ts'));

/** Whole or not at all: a node may be starting from it. */
function writeWhole(path: string, contents: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const whole = `${path}.${process.pid}`;
  writeFileSync(whole, contents);
  renameSync(whole, path);
}

/**
 * Keeps when each module was changed before it is read. A module that looks for files beside itself still does, as if it were where the
 * compiler would have put it.
 */
const ownModules = (stamps: Map<string, Stamp>): Plugin => ({
  name: 'own-modules',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const place = relative(ROOT, path);
      if (place.startsWith('node_modules/')) return undefined;
      stamps.set(place, stampOf(place));
      const url = `new URL('../../${place.replace(/\.ts$/, '.js')}', import.meta.url).href`;
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'ts' };
    });
  },
});
