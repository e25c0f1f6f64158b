import type { JournalFile, JournalFiles } from '../../node/journal/files.ts';
import { type Database, type DatabaseBatch, Store } from '../../node/store/store.ts';
import type { Loop } from './loop.ts';
import type { Random } from './random.ts';

/** The machine lost its power, or the process was killed, in the middle of this call: it never returns. */
const never = (): Promise<never> => new Promise(() => {});

export interface DiskHooks {
  /** A write point: called before and after each change of what is on the disk. May crash the node. */
  point(name: string): void;
  /** Whether the process that asked still runs. */
  isAlive(): boolean;
  latencyMs(): number;
  /** Why this write or sync fails, if it does: EIO (D03), ENOSPC (D09). */
  fails(point: string): string | undefined;
  /** Write points are named with their line of the product's source, which takes time. */
  readonly exact: boolean;
}

interface File {
  content: Uint8Array;
  /** What survives a power cut; undefined while the name is not durable. */
  durable: Uint8Array | undefined;
}

type Rows = Map<string, Uint8Array>;

/** A database batch. */
interface Change {
  readonly put: Rows;
  readonly deleted: readonly string[];
}

/**
 * The disk of one validator: the journal's files and the database, each with what the process sees and what would
 * survive a power cut.
 */
export class SimDisk {
  readonly files = new Map<string, File>();
  /** Names that are durable although they were removed and the directory was not synced. */
  readonly #ghosts = new Map<string, Uint8Array>();
  /** Names that a power cut may give back to the file that had them, oldest change first. */
  #renamed: { readonly name: string; readonly before: File | undefined }[] = [];
  rows: Rows = new Map();
  #durableRows: Rows = new Map();
  /** Batches written without sync since the last synced one, oldest first. */
  #unsynced: Change[] = [];
  /** D04: syncs of these say that they are done and make nothing durable. */
  readonly lies = { journal: false, database: false };

  /** A process of this disk opens its files through these. `what` is in the names of their write points. */
  journalFiles(loop: Loop, hooks: DiskHooks, what = 'journal'): JournalFiles {
    const act = async (kind: string, change: () => void, part = (): void => {}): Promise<void> => {
      const name = hooks.exact ? `${kind} at ${callSite()}` : kind;
      loop.settle();
      await loop.wait(hooks.latencyMs());
      if (!hooks.isAlive()) return never();
      const failure = hooks.fails(name);
      if (failure !== undefined) {
        // A full disk takes what fits.
        if (failure.startsWith('ENOSPC')) part();
        throw new Error(failure);
      }
      hooks.point(`before ${name}`);
      if (!hooks.isAlive()) return never();
      change();
      hooks.point(`after ${name}`);
      if (!hooks.isAlive()) return never();
      return undefined;
    };
    const open = async (name: string): Promise<JournalFile> => {
      if (!this.files.has(name)) this.files.set(name, { content: new Uint8Array(0), durable: undefined });
      const file = this.files.get(name)!;
      const put = (bytes: Uint8Array, position: number): void => {
        const after = new Uint8Array(Math.max(file.content.length, position + bytes.length));
        after.set(file.content);
        after.set(bytes, position);
        file.content = after;
      };
      return {
        write: (bytes, position) =>
          act(
            `${what} write`,
            () => put(bytes, position),
            () => put(bytes.subarray(0, bytes.length >> 1), position),
          ),
        truncate: (length) =>
          act(`${what} truncate`, () => {
            const after = new Uint8Array(length);
            after.set(file.content.subarray(0, length));
            file.content = after;
          }),
        sync: () =>
          act(`${what} sync`, () => {
            if (this.lies.journal) return;
            if (file.durable !== undefined) file.durable = file.content;
            else this.#ghosts.set(name, file.content);
          }),
        close: async () => {},
      };
    };
    return {
      prepare: async () => {},
      list: async () => [...this.files.keys()].sort(),
      read: async (name) => this.files.get(name)!.content.slice(),
      open,
      remove: async (name) =>
        act(`${what} remove`, () => {
          const file = this.files.get(name);
          this.files.delete(name);
          if (file?.durable !== undefined) this.#ghosts.set(name, file.durable);
        }),
      rename: async (from, to) =>
        act(`${what} rename`, () => {
          const { content, durable = this.#ghosts.get(from) } = this.files.get(from)!;
          this.#renamed.push({ name: to, before: this.files.get(to) });
          this.files.delete(from);
          this.#ghosts.delete(from);
          this.files.set(to, { content, durable });
        }),
      sync: () =>
        act(`${what} directory sync`, () => {
          if (this.lies.journal) return;
          this.#renamed = [];
          for (const [name, file] of this.files) file.durable ??= this.#ghosts.get(name) ?? new Uint8Array(0);
          this.#ghosts.clear();
        }),
    };
  }

  /** The database of a process of this disk, with all that was written. */
  openStore(loop: Loop, hooks: DiskHooks): Store {
    // LevelDB moves what it finds in its log into a synced table when it opens.
    if (!this.lies.database) this.#sync();
    return new Store(new SimDatabase(this, loop, hooks));
  }

  /** One batch is there. */
  applied(change: Change, sync: boolean): void {
    apply(this.rows, change);
    this.#unsynced.push(change);
    if (sync && !this.lies.database) this.#sync();
  }

  #sync(): void {
    for (const one of this.#unsynced) apply(this.#durableRows, one);
    this.#unsynced = [];
  }

  /** Whether these bytes stand in a journal file as it would survive a power cut. */
  isInJournal(bytes: Uint8Array): boolean {
    for (const { durable } of this.files.values()) {
      if (durable !== undefined && bufferOf(durable).includes(bufferOf(bytes))) return true;
    }
    return false;
  }

  /** A durable database record. */
  durableRow(key: Uint8Array): Uint8Array | undefined {
    return this.#durableRows.get(latin1(key));
  }

  /**
   * The process is gone, the machine not: what was written is there. With `power` lost too, what was not synced is lost:
   * a file keeps its synced part and any prefix of the rest, perhaps torn; of unsynced database writes a prefix.
   */
  crash(power: boolean, random: Random): { readonly lost: boolean; readonly torn: boolean } {
    let lost = false;
    let torn = false;
    if (!power) return { lost, torn };
    for (const { name, before } of this.#renamed.reverse()) {
      if (random.chance(0.5)) continue;
      lost = true;
      if (before === undefined) this.files.delete(name);
      else this.files.set(name, before);
    }
    this.#renamed = [];
    for (const [name, file] of [...this.files]) {
      const { durable, content } = file;
      if (durable === undefined) {
        // The name was never made durable: it may be there or not, with whatever part of it.
        lost = true;
        if (random.chance(0.5)) this.files.delete(name);
        else this.files.set(name, tornFile(content, 0, random));
        continue;
      }
      if (durable === content) continue;
      lost = true;
      const kept = tornFile(content, commonPrefix(durable, content), random);
      torn ||= kept.content.length > durable.length;
      this.files.set(name, kept.content.length < durable.length ? { content: durable, durable } : kept);
    }
    for (const [name, content] of this.#ghosts) {
      // Removed, but not durably: it may be back.
      if (!this.files.has(name) && random.chance(0.5)) this.files.set(name, { content, durable: content });
    }
    this.#ghosts.clear();
    const kept = random.int(this.#unsynced.length + 1);
    if (kept < this.#unsynced.length) lost = true;
    for (const one of this.#unsynced.slice(0, kept)) apply(this.#durableRows, one);
    this.rows = new Map(this.#durableRows);
    this.#unsynced = [];
    return { lost, torn };
  }

  /** As it is now, for a restore from backup. */
  copy(): SimDisk {
    const other = new SimDisk();
    for (const [name, { content }] of this.files) other.files.set(name, { content, durable: content });
    other.rows = new Map(this.rows);
    other.#durableRows = new Map(this.rows);
    return other;
  }

  /** Flips one bit of a journal file; false if there is none long enough. */
  rotJournal(random: Random): boolean {
    const names = [...this.files.keys()].filter((name) => this.files.get(name)!.content.length > 0);
    if (names.length === 0) return false;
    const file = this.files.get(random.pick(names))!;
    const content = file.content.slice();
    content[random.int(content.length)]! ^= 1 << random.int(8);
    file.content = content;
    file.durable = content;
    return true;
  }

  /** Flips one bit of one database value. */
  rotDatabase(random: Random): boolean {
    const keys = [...this.rows.keys()];
    if (keys.length === 0) return false;
    const key = random.pick(keys);
    const value = this.rows.get(key)!.slice();
    value[random.int(value.length)]! ^= 1 << random.int(8);
    this.overwrite(key, value);
    return true;
  }

  /** Puts something else where a database value was, durably. */
  overwrite(key: string, value: Uint8Array): void {
    this.rows.set(key, value);
    this.#durableRows.set(key, value);
  }
}

class SimDatabase implements Database {
  readonly #disk: SimDisk;
  readonly #loop: Loop;
  readonly #hooks: DiskHooks;

  constructor(disk: SimDisk, loop: Loop, hooks: DiskHooks) {
    this.#disk = disk;
    this.#loop = loop;
    this.#hooks = hooks;
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#disk.rows.get(latin1(key));
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.getSync(key);
  }

  async *iterator({ gte, lt, limit, reverse }: Parameters<Database['iterator']>[0]) {
    const [low, high] = [latin1(gte), latin1(lt)];
    const keys = [...this.#disk.rows.keys()].filter((key) => key >= low && key < high).sort();
    if (reverse) keys.reverse();
    // As LevelDB's: what is written after it began is not seen.
    const found = (limit < 0 ? keys : keys.slice(0, limit)).map((key) => [key, this.#disk.rows.get(key)!] as const);
    for (const [key, value] of found) yield [new Uint8Array(Buffer.from(key, 'latin1')), value] as const;
  }

  batch(): DatabaseBatch {
    const put: Rows = new Map();
    const deleted: string[] = [];
    return {
      put: (key, value) => put.set(latin1(key), value.slice()),
      del: (key) => deleted.push(latin1(key)),
      write: async ({ sync }) => {
        const { isAlive, point, latencyMs, fails, exact } = this.#hooks;
        const name = exact ? `database write at ${callSite()}` : 'database write';
        this.#loop.settle();
        await this.#loop.wait(sync ? latencyMs() : 0);
        if (!isAlive()) return never();
        const failure = fails(name);
        if (failure !== undefined) throw new Error(failure);
        point(`before ${name}`);
        if (!isAlive()) return never();
        this.#disk.applied({ put, deleted }, sync);
        point(`after ${name}`);
        return isAlive() ? undefined : never();
      },
    };
  }

  async close(): Promise<void> {}
}

/** Where in the product this write was asked for: `journal.ts:213`. */
function callSite(): string {
  return /\/node\/(?:journal|ledger)\/(\w+\.ts:\d+)/.exec(new Error().stack ?? '')?.[1] ?? 'elsewhere';
}

function apply(rows: Rows, { put, deleted }: Change): void {
  for (const key of deleted) rows.delete(key);
  for (const [key, value] of put) rows.set(key, value);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function latin1(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('latin1');
}

function commonPrefix(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Content up to `safe`, then any part of the rest, its end perhaps garbage. */
function tornFile(content: Uint8Array, safe: number, random: Random): File {
  const length = safe + random.int(content.length - safe + 1);
  const kept = content.slice(0, length);
  if (length > safe && random.chance(0.5)) {
    const from = Math.max(safe, length - 1 - random.int(512));
    for (let at = from; at < length; at++) kept[at] = random.int(256);
  }
  return { content: kept, durable: kept };
}
