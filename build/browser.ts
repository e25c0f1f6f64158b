import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const FOLDER = 'dist/browser';

/** One file as browsers load it. */
export interface BrowserFile {
  readonly name: string;
  readonly code: Uint8Array;
  /** The module it is for, from the root of the repository; undefined if several share it. */
  readonly source: string | undefined;
  /** Names of the files that are loaded with it. */
  readonly loads: readonly string[];
  /** Every module that went into it. */
  readonly modules: readonly string[];
}

/**
 * Bundled for themselves, with their own copies of what they share with others: esbuild's code splitting puts all of a
 * shared module into what is loaded at once, and so SHA-512 with SHA-256. Copies of a module share no state: none of what
 * these copy has any.
 */
const APART = ['ledger/portable.ts', 'light/webcrypto.ts'];

/** What browsers get, by name. */
const ENTRIES = {
  light: 'light/browser.ts',
  'light-client': 'light/browser-client.ts',
  'light-full': 'light/index.ts',
  'ledger-client': 'light/ledger-client/browser.ts',
} as const;

/**
 * The light client for browsers: `light.js` verifies proofs, `light-client.js` also follows a chain, `light-full.js` has
 * every name of light/index.ts. `ledger-client.js` is the client library. What is loaded only when it is needed is in files
 * of its own. Fails if anything of Node is imported.
 */
export async function bundleLight(): Promise<readonly BrowserFile[]> {
  const apart = new Map<string, Promise<readonly BrowserFile[]>>();
  const keepApart: Plugin = {
    name: 'keep-apart',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, async ({ kind, path, resolveDir }) => {
        const source = relative(ROOT, join(resolveDir, path));
        if (kind !== 'dynamic-import' || !APART.includes(source)) return undefined;
        const files = apart.get(source) ?? bundle(source, `light-${basename(source, '.ts')}-[hash]`, []);
        apart.set(source, files);
        return { path: `./${(await files)[0]!.name}`, external: true };
      });
    },
  };
  const entries: BrowserFile[] = [];
  for (const [name, source] of Object.entries(ENTRIES)) entries.push(...(await bundle(source, name, [keepApart])));
  return [...entries, ...(await Promise.all(apart.values())).flat()];
}

/** The file for `source` first. */
async function bundle(source: string, entryNames: string, plugins: Plugin[]): Promise<readonly BrowserFile[]> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [source],
    outdir: FOLDER,
    entryNames,
    chunkNames: 'light-[name]-[hash]',
    plugins,
    bundle: true,
    splitting: true,
    format: 'esm',
    minify: true,
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const files = outputFiles.map(({ path, contents }): BrowserFile => {
    const { entryPoint, imports, inputs } = metafile.outputs[relative(ROOT, path)]!;
    const loads = imports.filter(({ kind }) => kind === 'import-statement').map((one) => basename(one.path));
    return { name: basename(path), code: contents, source: entryPoint, loads, modules: Object.keys(inputs) };
  });
  return files.toSorted((a, b) => Number(b.source === source) - Number(a.source === source));
}
