import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** What a process or a thread begins with. These, and the files that they share, all lie two folders below `dist/`. */
const ENTRIES = ['node/cli/main.ts', 'node/ledger/worker.ts', 'node/verify/worker.ts'];
/** Packages with native code, and one in the older format of which names are imported late. */
export const NOT_BUNDLED = ['@chainsafe/hashtree', 'classic-level', 'prom-client', 'sodium-native'];
/** What `bin/quorate.js` compares before it runs the bundle of a checkout: path, time of the last change in ms, bytes. */
const SOURCES = 'dist/node/sources.json';
/** What npm installed. */
const INSTALLED = 'node_modules/.package-lock.json';

export interface NodeBundle {
  /** From the root of the repository. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** Every file that went into it, from the root of the repository. */
  readonly inputs: readonly string[];
}

/**
 * The node in a few files in `dist/node/`: a thousand modules, each found, read and linked by itself, take longer to load than to
 * run. What is there already and is the same stays as it is, so that nodes that run from there are not disturbed.
 */
export async function bundleNode(): Promise<NodeBundle> {
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
    plugins: [ownPlaces],
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  for (const { path, contents } of outputFiles) writeIfNew(path, contents);
  const files = outputFiles.map(({ path }) => relative(ROOT, path));
  for (const old of globSync('dist/node/**/*.js', { cwd: ROOT })) {
    if (!files.includes(old)) rmSync(join(ROOT, old));
  }
  const inputs = Object.keys(metafile.inputs);
  const compared = [...inputs.filter((path) => !path.startsWith('node_modules/')), INSTALLED];
  const stamps = compared.map((path) => {
    const { mtimeMs, size } = statSync(join(ROOT, path));
    return [path, mtimeMs, size];
  });
  writeIfNew(join(ROOT, SOURCES), Buffer.from(JSON.stringify(stamps)));
  return { files, bytes: outputFiles.reduce((sum, { contents }) => sum + contents.length, 0), inputs };
}

/** Whole or not at all: a node may be starting from it. */
function writeIfNew(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const whole = `${path}.${process.pid}`;
  writeFileSync(whole, contents);
  renameSync(whole, path);
}

/** A module that looks for files beside itself still does, as if it were where the compiler would have put it. */
const ownPlaces: Plugin = {
  name: 'own-places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const place = relative(ROOT, path);
      if (place.startsWith('node_modules/') || !text.includes('import.meta.url')) return undefined;
      const url = `new URL('../../${place.replace(/\.ts$/, '.js')}', import.meta.url).href`;
      return { contents: text.replaceAll('import.meta.url', url), loader: 'ts' };
    });
  },
};
