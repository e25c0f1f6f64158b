import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

export interface Chunk {
  readonly name: string;
  readonly code: Uint8Array;
  readonly gzipBytes: number;
}

export interface BrowserBundle {
  /** The entry, `index.js`, and everything it imports statically. */
  readonly core: readonly Chunk[];
  /** What is loaded only when it is needed, by the source file it is for. */
  readonly lazy: ReadonlyMap<string, Chunk>;
  readonly metafile: Metafile;
}

/** light/index.ts as a bundler makes it for browsers; fails if anything of Node is imported. */
export async function bundleLight(): Promise<BrowserBundle> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['light/index.ts'],
    outdir: 'out',
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
  const chunks = new Map<string, Chunk>();
  for (const { path, contents } of outputFiles) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    chunks.set(`out/${name}`, { name, code: contents, gzipBytes: gzipSync(contents, { level: 9 }).length });
  }
  const core = new Set<string>();
  const follow = (path: string): void => {
    if (core.has(path)) return;
    core.add(path);
    for (const { path: next, kind } of metafile.outputs[path]!.imports) if (kind === 'import-statement') follow(next);
  };
  follow('out/index.js');
  const lazy = new Map<string, Chunk>();
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (!core.has(path) && entryPoint !== undefined) lazy.set(entryPoint, chunks.get(path)!);
  }
  return { core: [...core].map((path) => chunks.get(path)!), lazy, metafile };
}
