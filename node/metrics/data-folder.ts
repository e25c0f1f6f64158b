import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

const KEPT_MS = 60_000;

/** How much room the data directory takes and has. */
export class DataFolder {
  readonly #path: string;
  readonly #now: () => number;
  #measured: { readonly at: number; readonly bytes: number } | undefined;

  /** `now` on the monotonic clock in ms. */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /** Measured at most once a minute: LevelDB has thousands of files when there are gigabytes of them. */
  async bytes(): Promise<number> {
    const at = this.#now();
    if (this.#measured === undefined || at >= this.#measured.at + KEPT_MS)
      this.#measured = { at, bytes: await bytesIn(this.#path) };
    return this.#measured.bytes;
  }

  /** Undefined where it can't be told. */
  async freeBytes(): Promise<number | undefined> {
    const found = await statfs(this.#path).catch(() => undefined);
    return found && found.bavail * found.bsize;
  }
}

/** One file after the other, so that the journal's fsyncs do not queue behind them. Files come and go meanwhile. */
async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    bytes += found?.size ?? 0;
  }
  return bytes;
}
