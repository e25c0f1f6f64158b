import type { JournalFiles } from '../../node/journal/files.ts';

const FAILURE = 'EIO: i/o error';

/**
 * A directory in memory that knows what is durable: only synced content under a synced name survives `powerCut`, and any
 * change or sync can be made to fail.
 */
export class MemoryFiles implements JournalFiles {
  readonly files = new Map<string, Uint8Array>();
  /** Content that a file was last synced with, under the name that it has now. */
  #synced = new Map<string, Uint8Array>();
  /** What a power cut leaves. */
  #durable = new Map<string, Uint8Array>();
  /** Names that stand for another file, or for none, after a power cut. */
  readonly #changed = new Set<string>();
  /** The n-th change or sync from now on fails, a write when half of it is there; 0 fails none. */
  failIn = 0;
  syncs = 0;

  async prepare(): Promise<void> {}

  async list(): Promise<readonly string[]> {
    return [...this.files.keys()];
  }

  async read(name: string): Promise<Uint8Array> {
    return this.files.get(name)!.slice();
  }

  async remove(name: string): Promise<void> {
    this.#step();
    this.#move(name, undefined);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    this.#move(from, to);
  }

  async sync(): Promise<void> {
    this.#step();
    for (const name of this.#changed) {
      if (this.files.has(name)) this.#durable.set(name, this.#synced.get(name) ?? new Uint8Array(0));
      else this.#durable.delete(name);
    }
    this.#changed.clear();
  }

  async open(name: string) {
    if (!this.files.has(name)) {
      this.files.set(name, new Uint8Array(0));
      this.#changed.add(name);
    }
    return {
      write: async (all: Uint8Array, position: number): Promise<void> => {
        const fails = this.#fails();
        const bytes = fails ? all.subarray(0, all.length >> 1) : all;
        const before = this.files.get(name)!;
        const after = new Uint8Array(Math.max(before.length, position + bytes.length));
        after.set(before);
        after.set(bytes, position);
        this.files.set(name, after);
        if (fails) throw new Error(FAILURE);
      },
      truncate: async (length: number): Promise<void> => {
        this.#step();
        const after = new Uint8Array(length);
        after.set(this.files.get(name)!.subarray(0, length));
        this.files.set(name, after);
      },
      sync: async (): Promise<void> => {
        this.#step();
        this.syncs++;
        const content = this.files.get(name)!.slice();
        this.#synced.set(name, content);
        if (!this.#changed.has(name)) this.#durable.set(name, content);
      },
      close: async (): Promise<void> => {},
    };
  }

  /** What was not synced is gone; a disk may have taken the one change of names and not the other. */
  powerCut(removed: 'removed names are back' | 'removed names are gone' = 'removed names are back'): void {
    for (const name of this.#changed)
      if (removed === 'removed names are gone' && !this.files.has(name)) this.#durable.delete(name);
    this.files.clear();
    this.#changed.clear();
    for (const [name, content] of this.#durable) this.files.set(name, content.slice());
    this.#synced = new Map(this.#durable);
  }

  copy(): MemoryFiles {
    const other = new MemoryFiles();
    for (const [name, content] of this.files) {
      other.files.set(name, content.slice());
      other.#synced.set(name, content.slice());
      other.#durable.set(name, content.slice());
    }
    return other;
  }

  #move(from: string, to: string | undefined): void {
    const [content, synced] = [this.files.get(from)!, this.#synced.get(from)];
    for (const map of [this.files, this.#synced]) map.delete(from);
    this.#changed.add(from);
    if (to === undefined) return;
    this.files.set(to, content);
    this.#synced.delete(to);
    if (synced !== undefined) this.#synced.set(to, synced);
    this.#changed.add(to);
  }

  #fails(): boolean {
    return this.failIn > 0 && --this.failIn === 0;
  }

  #step(): void {
    if (this.#fails()) throw new Error(FAILURE);
  }
}
