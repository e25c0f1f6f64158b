import type { JournalFiles } from '../../node/journal/files.ts';

/**
 * A directory in memory that knows what is durable: only synced content survives `powerCut`, and any write or sync can be
 * made to fail.
 */
export class MemoryFiles implements JournalFiles {
  readonly files = new Map<string, Uint8Array>();
  #durable = new Map<string, Uint8Array>();
  /** The n-th write or sync from now on fails; 0 fails none. */
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
    this.files.delete(name);
  }

  async sync(): Promise<void> {
    this.#step();
    for (const name of this.#durable.keys()) if (!this.files.has(name)) this.#durable.delete(name);
    for (const name of this.files.keys()) if (!this.#durable.has(name)) this.#durable.set(name, new Uint8Array(0));
  }

  async open(name: string) {
    if (!this.files.has(name)) this.files.set(name, new Uint8Array(0));
    return {
      write: async (bytes: Uint8Array, position: number): Promise<void> => {
        this.#step();
        const before = this.files.get(name)!;
        const after = new Uint8Array(Math.max(before.length, position + bytes.length));
        after.set(before);
        after.set(bytes, position);
        this.files.set(name, after);
      },
      truncate: async (length: number): Promise<void> => {
        const after = new Uint8Array(length);
        after.set(this.files.get(name)!.subarray(0, length));
        this.files.set(name, after);
      },
      sync: async (): Promise<void> => {
        this.#step();
        this.syncs++;
        this.#durable.set(name, this.files.get(name)!.slice());
      },
      close: async (): Promise<void> => {},
    };
  }

  /** What was not synced is gone. */
  powerCut(): void {
    this.files.clear();
    for (const [name, content] of this.#durable) this.files.set(name, content.slice());
  }

  copy(): MemoryFiles {
    const other = new MemoryFiles();
    for (const [name, content] of this.files) {
      other.files.set(name, content.slice());
      other.#durable.set(name, content.slice());
    }
    return other;
  }

  #step(): void {
    if (this.failIn > 0 && --this.failIn === 0) throw new Error('EIO: i/o error');
  }
}
