import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** One file as browsers load it. */
export interface BrowserFile {
  readonly name: string;
  readonly code: Uint8Array;
  /** The module it begins with, from the root of the repository. */
  readonly source: string;
  /** Every module in it. */
  readonly modules: readonly string[];
}

/**
 * The light client for browsers: first `light.js`, then what it loads only when it is needed. A module behind `import()`
 * is a bundle of its own, with its own copies of what it shares with others: esbuild's code splitting would put all of a
 * shared module into the core, and so SHA-512 with SHA-256. Copies share no state, and none of these modules has any.
 */
export async function bundleLight(): Promise<readonly BrowserFile[]> {
  const lazy = new Map<string, Promise<BrowserFile>>();
  const apart: Plugin = {
    name: 'apart',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, async ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const source = relative(ROOT, join(resolveDir, path));
        const file = lazy.get(source) ?? bundle(source, 'light-[name]-[hash]', [apart]);
        lazy.set(source, file);
        return { path: `./${(await file).name}`, external: true };
      });
    },
  };
  const core = await bundle('light/index.ts', 'light', [apart]);
  return [core, ...(await Promise.all(lazy.values()))];
}

/** Fails if anything of Node is imported. */
async function bundle(source: string, entryNames: string, plugins: Plugin[]): Promise<BrowserFile> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [source],
    outdir: 'dist/browser',
    entryNames,
    plugins,
    bundle: true,
    format: 'esm',
    minify: true,
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const [{ path, contents }] = outputFiles as [(typeof outputFiles)[number]];
  return { name: basename(path), code: contents, source, modules: Object.keys(metafile.inputs) };
}
