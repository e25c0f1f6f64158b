import { gzipSync } from 'node:zlib';
import { type BrowserFile, bundleLight } from '../../build/browser.ts';

export interface Chunk extends BrowserFile {
  readonly gzipBytes: number;
}

export interface BrowserBundle {
  /** What loads at once. */
  readonly core: Chunk;
  /** What is loaded only when it is needed, by the source file it is for. */
  readonly lazy: ReadonlyMap<string, Chunk>;
}

/** The light client as it is published for browsers, with its sizes. */
export async function browserBundle(): Promise<BrowserBundle> {
  const files = await bundleLight();
  const [core, ...lazy] = files.map((file) => ({ ...file, gzipBytes: gzipSync(file.code, { level: 9 }).length }));
  return { core: core!, lazy: new Map(lazy.map((chunk) => [chunk.source, chunk])) };
}
