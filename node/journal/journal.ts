import { randomBytes } from 'node:crypto';
import { utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import type { JournalEntry, JournalMark, JournalPort } from '../ports.ts';
import { JournalError } from './error.ts';
import { diskFiles, type JournalFile, type JournalFiles } from './files.ts';
import {
  encodeGroup,
  encodeHeader,
  entryBytes,
  HEADER_BYTES,
  type JournalOwner,
  LONG_LIVED,
  MARKER_BYTES,
} from './format.ts';
import { markProblem, type Scan, type Segment, scanJournal, segmentName } from './scan.ts';

export interface JournalOptions extends JournalOwner {
  readonly directory: string;
  /**
   * The group that LevelDB's newest block names (OpenedLedger.mark). The ledger is opened first: its LOCK also keeps a
   * second process away from this directory.
   */
  readonly mark: JournalMark | undefined;
  /** A write or fsync failed: whatever was appended may be lost, so nothing may be sent any more (D03). Called once. */
  onFatal(error: JournalError): void;
  /** Long-lived entries still needed: they are written first into each new segment. */
  onRotate?(): readonly JournalEntry[];
  /** A new segment begins when the newest one would grow beyond this. */
  readonly segmentBytes?: number;
  /** Instead of the disk under `directory`. */
  readonly files?: JournalFiles;
  /** Draws the marker of a segment. */
  readonly random?: (length: number) => Uint8Array;
}

export interface OpenedJournal {
  readonly journal: JournalPort;
  /** Everything that is still in the journal, oldest first. */
  readonly records: readonly Uint8Array[];
  /** Why the journal can't be trusted: no vote may be signed, and `append` refuses (R1). */
  readonly doubt: string | undefined;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** What is appended while a group is on its way joins the next one, up to this. */
const GROUP_BYTES_MAX = 32 * 1024 * 1024;
/** Doubt is durable (R6): once found it is written here, and holds although the files may look whole later. */
const DOUBT_FILE = 'DOUBT';

/**
 * R1, S7: opens the journal of one validator, cuts off a torn tail durably, or says why the journal is in doubt. Throws
 * JournalError if the directory can't be used or belongs to another validator or chain.
 */
export async function openJournal(options: JournalOptions): Promise<OpenedJournal> {
  const files = options.files ?? diskFiles(options.directory);
  await files.prepare();
  try {
    const scan = await scanJournal(files, options);
    const records = scan.entries.map(({ bytes }) => bytes);
    const doubt = (await readDoubt(files)) ?? scan.doubt ?? markProblem(scan, options.mark);
    if (doubt !== undefined) {
      await writeDoubt(files, doubt);
      return { journal: doubtfulJournal(scan.mark, doubt), records, doubt };
    }
    const journal = new Journal(options, files, scan);
    await journal.repair(scan);
    return { journal, records, doubt: undefined };
  } catch (cause) {
    if (cause instanceof JournalError) throw cause;
    const message = `journal directory ${options.directory} can't be used: ${(cause as Error).message}`;
    throw new JournalError('JOURNAL_DIRECTORY', message, { cause });
  }
}

interface Waiting {
  readonly entries: readonly JournalEntry[];
  readonly resolve: (mark: JournalMark) => void;
  readonly reject: (error: JournalError) => void;
}

class Journal implements JournalPort {
  readonly #options: JournalOptions;
  readonly #files: JournalFiles;
  /** Oldest first; the last one is written on. */
  readonly #segments: Segment[];
  #file: JournalFile | undefined;
  #mark: JournalMark;
  #waiting: Waiting[] = [];
  #pruned = 0;
  /** The loop that writes, while there is something to do. */
  #working: Promise<void> | undefined;
  #failed: JournalError | undefined;

  constructor(options: JournalOptions, files: JournalFiles, scan: Scan) {
    this.#options = options;
    this.#files = files;
    this.#segments = scan.segments;
    this.#mark = scan.mark;
  }

  /** Makes the files what the scan took from them, and the last one ready to be written on. */
  async repair({ torn, unborn }: Scan): Promise<void> {
    if (unborn !== undefined) {
      await this.#files.remove(unborn);
      await this.#files.sync();
    }
    const active = this.#segments.at(-1);
    if (active === undefined) return this.#beginSegment();
    this.#file = await this.#files.open(active.name);
    if (torn !== undefined) await this.#file.truncate(torn.size);
    // What was read may only be in the system's cache: the process before was killed within its fsync. What is signed
    // again now must survive a power cut.
    await this.#file.sync();
    await this.#files.sync();
  }

  append(entries: readonly JournalEntry[]): Promise<JournalMark> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    if (entries.length === 0) return Promise.resolve(this.#mark);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, resolve, reject });
      this.#work();
    });
  }

  async doubt(reason: string): Promise<void> {
    this.#failed ??= new JournalError('JOURNAL_IN_DOUBT', `the journal is in doubt: ${reason}`);
    try {
      await writeDoubt(this.#files, reason);
    } catch (cause) {
      this.#fail(cause, []);
    }
  }

  mark(): JournalMark {
    return this.#mark;
  }

  prune(height: number): void {
    if (height <= this.#pruned || this.#failed !== undefined) return;
    this.#pruned = height;
    if (this.#isOld(this.#segments[0])) this.#work();
  }

  async close(): Promise<void> {
    await this.#working;
    this.#failed ??= new JournalError('JOURNAL_CLOSED', 'the journal was closed');
    await this.#file?.close();
    this.#file = undefined;
  }

  #work(): void {
    this.#working ??= this.#run();
  }

  async #run(): Promise<void> {
    // What is appended in the same turn of the loop joins the first group.
    await Promise.resolve();
    let taken: readonly Waiting[] = [];
    try {
      while (this.#waiting.length > 0 || this.#isOld(this.#segments[0])) {
        taken = this.#takeGroup();
        if (taken.length > 0) await this.#writeGroup(taken.flatMap(({ entries }) => entries));
        for (const { resolve } of taken) resolve(this.#mark);
        taken = [];
        if (this.#isOld(this.#segments[0])) await this.#deleteOld();
      }
      // In the same turn as the last look at what waits: whoever just heard of its group may append again at once.
      this.#working = undefined;
    } catch (cause) {
      this.#fail(cause, taken);
    }
  }

  #takeGroup(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    for (const { entries } of this.#waiting) {
      for (const entry of entries) size += entryBytes(entry);
      if (count > 0 && size > GROUP_BYTES_MAX) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** R1: one group, one fsync; the next group is not written before it returned. */
  async #writeGroup(entries: readonly JournalEntry[]): Promise<void> {
    const size = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    const full = this.#active.size + size > (this.#options.segmentBytes ?? SEGMENT_BYTES);
    if (full && this.#active.groups > 0) await this.#beginSegment();
    const active = this.#active;
    const carried = active.groups === 0 ? (this.#options.onRotate?.() ?? []) : [];
    const all = carried.length === 0 ? entries : [...carried, ...entries];
    const group = this.#mark.group + 1;
    const { bytes, chain } = encodeGroup(active.marker, group, this.#mark.chain, all);
    await this.#file!.write(bytes, active.size);
    await this.#file!.sync();
    active.size += bytes.length;
    active.groups++;
    for (const { height } of all) if (height !== LONG_LIVED) active.height = Math.max(active.height, height);
    this.#mark = { group, chain };
  }

  async #beginSegment(): Promise<void> {
    const { genesisId, validatorKey, random = randomBytes } = this.#options;
    const firstGroup = this.#mark.group + 1;
    const name = segmentName(firstGroup);
    const marker = random(MARKER_BYTES);
    await this.#file?.close();
    this.#file = await this.#files.open(name);
    await this.#file.write(encodeHeader({ genesisId, validatorKey, marker, firstGroup, chain: this.#mark.chain }), 0);
    await this.#file.sync();
    await this.#files.sync();
    this.#segments.push({ name, marker, firstGroup, size: HEADER_BYTES, groups: 0, height: 0 });
  }

  get #active(): Segment {
    return this.#segments.at(-1)!;
  }

  /**
   * Only the oldest goes, so that no gap appears, and only when the newest holds the carried entries. Before the first block
   * is final nothing goes: a journal without its beginning, beside a ledger without a block, is doubt.
   */
  #isOld(segment: Segment | undefined): boolean {
    if (segment === undefined || segment === this.#active || this.#failed !== undefined) return false;
    return this.#pruned > 0 && segment.height <= this.#pruned && this.#active.groups > 0;
  }

  async #deleteOld(): Promise<void> {
    while (this.#isOld(this.#segments[0])) {
      await this.#files.remove(this.#segments.shift()!.name);
      // One by one: after a power cut an older one must not be back without the ones that followed it.
      await this.#files.sync();
    }
  }

  /** D03: after a failed fsync nobody knows what is on the disk, and asking again may get a false yes. */
  #fail(cause: unknown, taken: readonly Waiting[]): void {
    const { directory, onFatal } = this.#options;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new JournalError('JOURNAL_FAILED', `journal ${directory}: group ${this.#mark.group + 1}: ${reason}`, {
      cause,
    });
    this.#failed = error;
    for (const { reject } of [...taken, ...this.#waiting]) reject(error);
    this.#waiting = [];
    onFatal(error);
  }
}

/** A journal that only says how far it could be read. */
function doubtfulJournal(mark: JournalMark, doubt: string): JournalPort {
  return {
    append: () => Promise.reject(new JournalError('JOURNAL_IN_DOUBT', `the journal is in doubt: ${doubt}`)),
    doubt: () => Promise.resolve(),
    mark: () => mark,
    prune() {},
    async close() {},
  };
}

async function readDoubt(files: JournalFiles): Promise<string | undefined> {
  if (!(await files.list()).includes(DOUBT_FILE)) return undefined;
  const text = utf8Decode(await files.read(DOUBT_FILE)) ?? '';
  return text === '' ? 'found at an earlier start' : text;
}

async function writeDoubt(files: JournalFiles, doubt: string): Promise<void> {
  const file = await files.open(DOUBT_FILE);
  const text = utf8Encode(doubt);
  await file.truncate(0);
  await file.write(text, 0);
  await file.sync();
  await file.close();
  await files.sync();
}
