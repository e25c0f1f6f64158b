import { gzipSync } from 'node:zlib';
import { type BrowserFile, bundleLight } from '../../build/browser.ts';

export interface BrowserBundle {
  readonly files: readonly BrowserFile[];
  /** A file and all that is loaded with it. */
  loadedWith(name: string): readonly BrowserFile[];
}

/** The light client as it is published for browsers. */
export async function browserBundle(): Promise<BrowserBundle> {
  const files = await bundleLight();
  const closure = (name: string): string[] => [
    name,
    ...files.find((one) => one.name === name)!.loads.flatMap((next) => closure(next)),
  ];
  return {
    files,
    loadedWith(name) {
      const names = closure(name);
      return files.filter((one) => names.includes(one.name));
    },
  };
}

export function gzipBytes(files: readonly BrowserFile[]): number {
  return files.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0);
}
