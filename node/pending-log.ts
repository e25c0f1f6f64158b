import { packTransactions } from '../ledger/transaction.ts';
import { JournalError } from './journal/error.ts';
import { diskFiles, type JournalFile, type JournalFiles } from './journal/files.ts';
import { PENDING_SEGMENT_BYTES, PENDING_SLACK_BYTES } from './limits.ts';
import type { PoolEntry } from './pool-entry.ts';

type Kept = Pick<PoolEntry, 'key' | 'bytes'>;
/** The bytes of a transaction that may still be executed. */
type BodyOf = (key: string) => Uint8Array | undefined;

/** R11: what this node has acknowledged to clients, on disk until it is executed or can't be any more. */
export interface PendingLog {
  /** Resolves when these are on disk. What is kept together is written and synced together. Rejects when the disk fails. */
  keep(entries: readonly Kept[]): Promise<void>;
  /**
   * After a start: keeps these, of all that was found, and forgets the rest. From now on what `bodyOf` does not know any
   * more (by `idKey`) is forgotten too, now and then.
   */
  begin(entries: readonly Kept[], bodyOf: BodyOf): Promise<void>;
  close(): Promise<void>;
}

export interface PendingLogOptions {
  readonly directory: string;
  /** A write or sync failed: nothing can be acknowledged any more. Called once. */
  onFatal(error: JournalError): void;
  /** Instead of the disk under `directory`. */
  readonly files?: JournalFiles;
  /** A new file begins when one is as long as this. */
  readonly segmentBytes?: number;
  /** What may be on the disk besides twice what is still needed. */
  readonly slackBytes?: number;
}

export interface OpenedPendingLog {
  readonly log: PendingLog;
  /** All that was found, oldest first; a part of it is executed, expired, or here twice. */
  readonly transactions: readonly Uint8Array[];
}

/** A file: transactions one after the other, each behind its length in 4 bytes. */
interface Segment {
  readonly name: string;
  size: number;
  /** Of what is in it and may still be needed. */
  keys: string[];
}

const NAME = /^pending-(\d{1,15})$/;

/**
 * R11. The files need no checksums: a transaction is known by its id and its signature, and what does not verify was not
 * acknowledged. They hold no vote; if they are lost, so are acknowledgements, and nothing else.
 */
export async function openPendingLog(options: PendingLogOptions): Promise<OpenedPendingLog> {
  const files = options.files ?? diskFiles(options.directory);
  await files.prepare();
  const numbers = (await files.list())
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const found: Segment[] = [];
  const transactions: Uint8Array[] = [];
  for (const number of numbers) {
    const name = nameOf(number);
    const content = await files.read(name);
    transactions.push(...wholeTransactions(content));
    found.push({ name, size: content.length, keys: [] });
  }
  const log = new SegmentedLog(options, files, found, (numbers.at(-1) ?? 0) + 1);
  return { log, transactions };
}

class SegmentedLog implements PendingLog {
  readonly #options: PendingLogOptions;
  readonly #files: JournalFiles;
  /** Written by an earlier process. */
  #found: readonly Segment[];
  /** Oldest first; the last one is written on. */
  readonly #segments: Segment[] = [];
  #file: JournalFile | undefined;
  #number: number;
  /** Keys of all that is on disk or on its way there. */
  readonly #kept = new Set<string>();
  #waiting: Kept[] = [];
  /** The group that is being written, and the one behind it. */
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #failed = false;
  #bodyOf: BodyOf | undefined;

  constructor(options: PendingLogOptions, files: JournalFiles, found: readonly Segment[], number: number) {
    this.#options = options;
    this.#files = files;
    this.#found = found;
    this.#number = number;
  }

  keep(entries: readonly Kept[]): Promise<void> {
    let isFresh = false;
    for (const entry of entries) {
      if (this.#kept.has(entry.key)) continue;
      this.#kept.add(entry.key);
      this.#waiting.push(entry);
      isFresh = true;
    }
    if (!isFresh) return this.#next ?? this.#current;
    this.#next ??= this.#inTurn(() => this.#flush());
    return this.#next;
  }

  async begin(entries: readonly Kept[], bodyOf: BodyOf): Promise<void> {
    await this.keep(entries);
    this.#bodyOf = bodyOf;
    const found = this.#found;
    this.#found = [];
    await this.#inTurn(async () => {
      for (const { name } of found) await this.#files.remove(name);
      await this.#files.sync();
    });
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#current).catch(() => {});
    await this.#file?.close();
  }

  /** Behind what is being written. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = (this.#next ?? this.#current).then(work).catch((cause: unknown) => this.#fail(cause));
    // Who waits hears of it; nobody may be waiting.
    turn.catch(() => {});
    if (this.#next === undefined) this.#current = turn;
    return turn;
  }

  #fail(cause: unknown): never {
    const message = `pending transactions can't be kept in ${this.#options.directory}: ${(cause as Error).message}`;
    const error = cause instanceof JournalError ? cause : new JournalError('JOURNAL_FAILED', message, { cause });
    if (!this.#failed) {
      this.#failed = true;
      this.#options.onFatal(error);
    }
    throw error;
  }

  async #flush(): Promise<void> {
    const entries = this.#waiting;
    this.#waiting = [];
    this.#current = this.#next!;
    this.#next = undefined;
    await this.#write(entries);
    const { segmentBytes = PENDING_SEGMENT_BYTES } = this.#options;
    if (this.#bodyOf !== undefined && this.#segments.at(-1)!.size >= segmentBytes) await this.#rotate(this.#bodyOf);
  }

  async #write(entries: readonly Kept[]): Promise<void> {
    this.#file ??= await this.#open();
    const segment = this.#segments.at(-1)!;
    const packed = packTransactions(entries.map(({ bytes }) => bytes));
    await this.#file.write(packed, segment.size);
    await this.#file.sync();
    segment.size += packed.length;
    for (const { key } of entries) segment.keys.push(key);
  }

  async #open(): Promise<JournalFile> {
    const name = nameOf(this.#number++);
    const file = await this.#files.open(name);
    await this.#files.sync();
    this.#segments.push({ name, size: 0, keys: [] });
    return file;
  }

  /** Forgets what is not needed any more; what is needed of the oldest files is written anew if they hold too little of it. */
  async #rotate(bodyOf: BodyOf): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const { slackBytes = PENDING_SLACK_BYTES } = this.#options;
    let total = 0;
    let needed = 0;
    for (const segment of this.#segments) {
      segment.keys = segment.keys.filter((key) => {
        const length = bodyOf(key)?.length;
        if (length === undefined) this.#kept.delete(key);
        else needed += length + 4;
        return length !== undefined;
      });
      total += segment.size;
    }
    for (const segment of [...this.#segments]) {
      const isWasteful = total > 2 * needed + slackBytes;
      if (segment.keys.length > 0 && !isWasteful) continue;
      const bodies = segment.keys.map((key) => ({ key, bytes: bodyOf(key) }));
      const live = bodies.filter((one): one is Kept => one.bytes !== undefined);
      for (const { key, bytes } of bodies) if (bytes === undefined) this.#kept.delete(key);
      if (live.length > 0) await this.#write(live);
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      await this.#files.remove(segment.name);
      total -= segment.size - live.reduce((sum, { bytes }) => sum + 4 + bytes.length, 0);
    }
  }
}

function nameOf(number: number): string {
  return `pending-${number}`;
}

/** Those of a file up to its end, or to where a crash cut it. */
function wholeTransactions(content: Uint8Array): Uint8Array[] {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const transactions: Uint8Array[] = [];
  for (let at = 0; at + 4 <= content.length; ) {
    const length = view.getUint32(at);
    if (length === 0 || at + 4 + length > content.length) break;
    transactions.push(content.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return transactions;
}
