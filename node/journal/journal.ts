import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Doubt, DoubtTerm, JournalBeginning, JournalEntry, JournalMark, JournalPort } from '../ports.ts';
import { holdsIn, isLonger, readDoubt, type WrittenDoubt, writeDoubt } from './doubt.ts';
import { JournalError } from './error.ts';
import { diskFiles, type JournalFile, type JournalFiles } from './files.ts';
import {
  CHAIN_BYTES,
  encodeGroup,
  encodeHeader,
  entryBytes,
  HEADER_BYTES,
  LONG_LIVED,
  MARKER_BYTES,
  type SegmentHeader,
} from './format.ts';
import { removeFormer, unusedGroup } from './renewal.ts';
import { replaceFile } from './replace.ts';
import { type ExpectedOwner, ledgerProblem, type Scan, type Segment, scanJournal, segmentName } from './scan.ts';

export interface JournalOptions extends ExpectedOwner {
  readonly directory: string;
  /** That the ledger is in at this start. */
  readonly epoch: number;
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
  /** Everything that is still in the journal, oldest first; nothing of a former key. */
  readonly records: readonly Uint8Array[];
  /** Why the journal can't be trusted: no vote may be signed, and `append` refuses (R1). */
  readonly doubt: Doubt | undefined;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** What is appended while a group is on its way joins the next one, up to this. */
const GROUP_BYTES_MAX = 32 * 1024 * 1024;

/**
 * R1, S7: opens the journal of one validator, cuts off a torn tail durably, or says why the journal is in doubt. It begins
 * anew where doubt has ended (R6), and for another consensus key of the same validator. Throws JournalError if the directory
 * can't be used or belongs to another validator or chain.
 */
export async function openJournal(options: JournalOptions): Promise<OpenedJournal> {
  const files = options.files ?? diskFiles(options.directory);
  await files.prepare();
  try {
    const scan = await scanJournal(files, options);
    const doubt = doubtOf(scan, await readDoubt(files), options);
    const journal = new Journal(options, files, scan, doubt);
    const records = scan.isFormer ? [] : scan.entries.map(({ bytes }) => bytes);
    if (doubt !== undefined && holdsIn(doubt, options.epoch)) {
      await writeDoubt(files, doubt);
      return { journal, records, doubt };
    }
    if (doubt !== undefined || scan.isFormer) {
      await journal.begin(options);
      return { journal, records: [], doubt: undefined };
    }
    await journal.repair(scan);
    return { journal, records, doubt: undefined };
  } catch (cause) {
    if (cause instanceof JournalError) throw cause;
    const message = `journal directory ${options.directory} can't be used: ${(cause as Error).message}`;
    throw new JournalError('JOURNAL_DIRECTORY', message, { cause });
  }
}

/** What was written down before, unless the journal has begun anew since, or what is found wrong now. */
function doubtOf(scan: Scan, written: WrittenDoubt | undefined, options: JournalOptions): WrittenDoubt | undefined {
  const { mark, epoch } = options;
  const known = written !== undefined && holdsIn(written, scan.epoch) ? written : undefined;
  if (known !== undefined && holdsIn(known, epoch)) return known;
  const reason = known === undefined ? (scan.doubt ?? ledgerProblem(scan, mark, epoch)) : rolledBack(known, mark);
  if (reason === undefined) return known;
  return { reason, through: Math.max(epoch, scan.epoch), group: Math.max(scan.mark.group, mark?.group ?? 0) };
}

/** R1: whether LevelDB names a group of a journal that had begun anew after this doubt: its files were lost. */
function rolledBack({ group }: WrittenDoubt, named: JournalMark | undefined): string | undefined {
  if (named === undefined || named.group <= group) return undefined;
  return `LevelDB names journal group ${named.group}, the journal has been in doubt since group ${group}`;
}

interface Waiting {
  readonly entries: readonly JournalEntry[];
  /** Instead of entries: another change of the files, between two groups. */
  readonly change?: () => Promise<void>;
  readonly resolve: (mark: JournalMark) => void;
  readonly reject: (error: JournalError) => void;
}

class Journal implements JournalPort {
  readonly #options: JournalOptions;
  readonly #files: JournalFiles;
  #beginning: JournalBeginning;
  /** Oldest first; the last one is written on. */
  #segments: Segment[];
  #file: JournalFile | undefined;
  #mark: JournalMark;
  /** The greatest group that LevelDB has named so far, as far as it is known; from now on it names a `mark` of this journal. */
  readonly #named: number;
  #doubt: Doubt | undefined;
  #waiting: Waiting[] = [];
  #pruned = 0;
  /** The loop that writes, while there is something to do. */
  #working: Promise<void> | undefined;
  #failed: JournalError | undefined;

  constructor(options: JournalOptions, files: JournalFiles, scan: Scan, doubt: WrittenDoubt | undefined) {
    const { validatorKey, epoch, mark } = options;
    this.#options = options;
    this.#files = files;
    this.#beginning = { validatorKey, epoch: scan.segments.length > 0 ? scan.epoch : epoch };
    this.#segments = scan.segments;
    this.#mark = scan.mark;
    this.#named = Math.max(mark?.group ?? 0, doubt?.group ?? 0);
    this.#doubt = doubt;
  }

  /** Makes the files what the scan took from them, and the last one ready to be written on. */
  async repair({ torn, unborn }: Scan): Promise<void> {
    if (unborn !== undefined) {
      await this.#files.remove(unborn);
      await this.#files.sync();
    }
    const active = this.#segments.at(-1);
    if (active === undefined) return this.#beginSegment(true);
    this.#file = await this.#files.open(active.name);
    if (torn !== undefined) await this.#file.truncate(torn.size);
    // What was read may only be in the system's cache: the process before was killed within its fsync. What is signed
    // again now must survive a power cut.
    await this.#file.sync();
    await this.#files.sync();
    await removeFormer(this.#files, this.#segments);
  }

  append(entries: readonly JournalEntry[]): Promise<JournalMark> {
    if (this.#doubt !== undefined) return Promise.reject(inDoubt(this.#doubt));
    if (entries.length === 0 && this.#failed === undefined) return Promise.resolve(this.#mark);
    return this.#enqueue({ entries });
  }

  async doubt(reason: string, through: DoubtTerm): Promise<void> {
    // It is about what a journal before this one had.
    if (!holdsIn({ through }, this.#beginning.epoch)) return;
    if (this.#doubt === undefined || isLonger(through, this.#doubt.through)) this.#doubt = { reason, through };
    await this.#enqueue({ entries: [], change: () => this.#writeDoubt() });
  }

  async renew(beginning: JournalBeginning): Promise<void> {
    if (this.#doubt !== undefined && holdsIn(this.#doubt, beginning.epoch)) throw inDoubt(this.#doubt);
    const { epoch } = this.#beginning;
    // N2: votes of an epoch that goes on must stay known.
    assert(beginning.epoch > epoch, `epoch ${beginning.epoch} is not above ${epoch}, in which this journal began`);
    await this.#enqueue({ entries: [], change: () => this.begin(beginning) });
  }

  /** One file that appears in one step voids all that is here: before it is there nothing has changed, then all has. */
  async begin(beginning: JournalBeginning): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const group = await unusedGroup(this.#files, Math.max(this.#mark.group, this.#named));
    const mark = { group, chain: this.#random(CHAIN_BYTES) };
    const segment = this.#segmentAfter(mark);
    const header = this.#headerOf(segment, beginning, { begins: true, chain: mark.chain });
    await replaceFile(this.#files, segment.name, header);
    this.#file = await this.#files.open(segment.name);
    await removeFormer(this.#files, [segment]);
    this.#beginning = beginning;
    this.#segments = [segment];
    this.#mark = mark;
    if (this.#doubt !== undefined && !holdsIn(this.#doubt, beginning.epoch)) this.#doubt = undefined;
  }

  mark(): JournalMark {
    return this.#mark;
  }

  prune(height: number): void {
    if (height <= this.#pruned || this.#failed !== undefined || this.#doubt !== undefined) return;
    this.#pruned = height;
    if (this.#isOld(this.#segments[0])) this.#work();
  }

  async close(): Promise<void> {
    await this.#working;
    this.#failed ??= new JournalError('JOURNAL_CLOSED', 'the journal was closed');
    await this.#file?.close();
    this.#file = undefined;
  }

  #enqueue(what: Pick<Waiting, 'entries' | 'change'>): Promise<JournalMark> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...what, resolve, reject });
      this.#work();
    });
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
        taken = this.#takeNext();
        const change = taken[0]?.change;
        if (change !== undefined) await change();
        else if (taken.length > 0) await this.#writeGroup(taken.flatMap(({ entries }) => entries));
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

  /** A change by itself, or what shares the next group. */
  #takeNext(): readonly Waiting[] {
    if (this.#waiting[0]?.change !== undefined) return this.#waiting.splice(0, 1);
    let size = 0;
    let count = 0;
    for (const { entries, change } of this.#waiting) {
      if (change !== undefined) break;
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
    if (full && this.#active.groups > 0) await this.#beginSegment(false);
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

  async #beginSegment(begins: boolean): Promise<void> {
    const segment = this.#segmentAfter(this.#mark);
    await this.#file?.close();
    this.#file = await this.#files.open(segment.name);
    await this.#file.write(this.#headerOf(segment, this.#beginning, { begins, chain: this.#mark.chain }), 0);
    await this.#file.sync();
    await this.#files.sync();
    this.#segments.push(segment);
  }

  #segmentAfter({ group }: JournalMark): Segment {
    const firstGroup = group + 1;
    const marker = this.#random(MARKER_BYTES);
    return { name: segmentName(firstGroup), marker, firstGroup, size: HEADER_BYTES, groups: 0, height: 0 };
  }

  #headerOf(
    { marker, firstGroup }: Segment,
    { validatorKey, epoch }: JournalBeginning,
    place: Pick<SegmentHeader, 'begins' | 'chain'>,
  ): Uint8Array {
    const { genesisId } = this.#options;
    return encodeHeader({ genesisId, validatorKey, epoch, marker, firstGroup, ...place });
  }

  /** Until the journal begins anew, LevelDB names no group but those of before, and this one. */
  async #writeDoubt(): Promise<void> {
    const doubt = this.#doubt;
    if (doubt === undefined) return;
    await writeDoubt(this.#files, { ...doubt, group: Math.max(this.#mark.group, this.#named) });
  }

  #random(length: number): Uint8Array {
    return (this.#options.random ?? randomBytes)(length);
  }

  get #active(): Segment {
    return this.#segments.at(-1)!;
  }

  /**
   * Only the oldest goes, so that no gap appears, and only when the newest holds the carried entries. Before the first block
   * is final nothing goes: a journal without its beginning, beside a ledger without a block, is doubt.
   */
  #isOld(segment: Segment | undefined): boolean {
    if (segment === undefined || segment === this.#active) return false;
    if (this.#failed !== undefined || this.#doubt !== undefined) return false;
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

function inDoubt({ reason }: Doubt): JournalError {
  return new JournalError('JOURNAL_IN_DOUBT', `the journal is in doubt: ${reason}`);
}
