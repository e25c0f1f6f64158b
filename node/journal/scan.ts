import { equalBytes, toHex } from '../../ledger/bytes.ts';
import type { JournalEntry, JournalMark } from '../ports.ts';
import { JournalError } from './error.ts';
import type { JournalFiles } from './files.ts';
import {
  decodeGroup,
  decodeHeader,
  findGroup,
  HEADER_BYTES,
  type JournalOwner,
  LONG_LIVED,
  NO_CHAIN,
  type SegmentHeader,
} from './format.ts';

/** A segment as found on disk, or as written by this process. */
export interface Segment {
  readonly name: string;
  readonly marker: Uint8Array;
  readonly firstGroup: number;
  /** Bytes up to the end of its last whole group. */
  size: number;
  groups: number;
  /** Greatest height of an entry that is not long-lived; 0 if there is none. */
  height: number;
}

/** Whose journal may be found. */
export interface ExpectedOwner extends JournalOwner {
  /** Own consensus keys of earlier epochs. */
  readonly formerKeys: readonly Uint8Array[];
}

/** What the files of a journal say. */
export interface Scan {
  /** In which it began; 0 if there is no segment. */
  readonly epoch: number;
  /** It is of one of the former keys. */
  readonly isFormer: boolean;
  /** Its beginning was deleted, as all that is in LevelDB may be. */
  readonly isPruned: boolean;
  /** Oldest first; the last one is written on. */
  readonly segments: Segment[];
  /** Entries of all whole groups, oldest first. */
  readonly entries: JournalEntry[];
  /** Chain hash before the oldest segment's first group, if there is a segment. */
  readonly base: JournalMark;
  /** The last whole group. */
  readonly mark: JournalMark;
  /** A group that LevelDB may name, at `marks[group - base.group]`. */
  readonly chains: readonly Uint8Array[];
  /** A last group that was cut short by a crash: nothing of it was ever sent, so it may be cut off. */
  readonly torn: { readonly name: string; readonly size: number } | undefined;
  /** A last file that a crash left without a whole header: it may be removed. */
  readonly unborn: string | undefined;
  /** Why the journal can't be trusted (R1). */
  readonly doubt: string | undefined;
}

export function segmentName(firstGroup: number): string {
  return `${String(firstGroup).padStart(16, '0')}.journal`;
}

export function firstGroupOf(name: string): number {
  return Number.parseInt(name, 10);
}

/** Names of all segments in the directory, oldest first. */
export async function segmentNames(files: JournalFiles): Promise<readonly string[]> {
  return (await files.list()).filter((name) => /^\d{16}\.journal$/.test(name)).sort();
}

/**
 * R1: reads the segments of the journal that began last; older ones are void. Whole groups in an unbroken chain are taken;
 * the first thing that is wrong ends the reading.
 */
export async function scanJournal(files: JournalFiles, owner: ExpectedOwner): Promise<Scan> {
  const names = await segmentNames(files);
  const found = await Promise.all(names.map((name) => files.read(name)));
  const begin = found.findLastIndex((file) => decodeHeader(file)?.begins === true);
  const reading = new Reading(owner);
  for (let i = Math.max(begin, 0); i < names.length; i++) {
    if (!reading.take(names[i]!, found[i]!, i === names.length - 1)) break;
  }
  return reading;
}

class Reading implements Scan {
  isFormer = false;
  isPruned = false;
  readonly segments: Segment[] = [];
  readonly entries: JournalEntry[] = [];
  readonly chains: Uint8Array[] = [];
  base: JournalMark = { group: 0, chain: NO_CHAIN };
  mark: JournalMark = this.base;
  torn: Scan['torn'];
  unborn: string | undefined;
  doubt: string | undefined;
  readonly #owner: ExpectedOwner;
  /** The first header: all others are of the same journal. */
  #first: SegmentHeader | undefined;

  constructor(owner: ExpectedOwner) {
    this.#owner = owner;
  }

  get epoch(): number {
    return this.#first?.epoch ?? 0;
  }

  /** False when reading ends here. */
  take(name: string, file: Uint8Array, last: boolean): boolean {
    const header = decodeHeader(file);
    const firstGroup = firstGroupOf(name);
    const next = this.segments.length === 0 ? firstGroup : this.mark.group + 1;
    if (firstGroup !== next)
      return this.#doubt(name, 0, `group ${next}`, `a segment that begins with group ${firstGroup}`);
    if (header === undefined) return this.#takeUnborn(name, file, firstGroup, last);
    this.#checkOwner(name, header);
    if (header.firstGroup !== firstGroup)
      return this.#doubt(name, 0, `first group ${firstGroup}`, `${header.firstGroup}`);
    if (this.#first === undefined) {
      this.#first = header;
      this.isFormer = !equalBytes(header.validatorKey, this.#owner.validatorKey);
      this.isPruned = !header.begins;
      this.base = { group: firstGroup - 1, chain: header.chain };
      this.mark = this.base;
      this.chains.push(header.chain);
    } else if (!equalBytes(header.chain, this.mark.chain)) {
      return this.#doubt(name, 0, `chain ${toHex(this.mark.chain)} before group ${firstGroup}`, toHex(header.chain));
    } else if (header.epoch !== this.epoch || !equalBytes(header.validatorKey, this.#first.validatorKey)) {
      const [expected, found] = [this.#first, header].map(
        (one) => `epoch ${one.epoch}, key ${toHex(one.validatorKey)}`,
      );
      return this.#doubt(name, 0, expected!, found!);
    }
    const segment: Segment = { name, marker: header.marker, firstGroup, size: HEADER_BYTES, groups: 0, height: 0 };
    this.segments.push(segment);
    const whole = this.#takeGroups(segment, file, last);
    // An older segment is deleted only when the newest one has a group.
    if (whole && this.isPruned && this.segments.length === 1 && segment.groups === 0) {
      return this.#doubt(name, 0, `segments before group ${firstGroup}`, 'none, and no group in this one');
    }
    return whole;
  }

  #takeGroups(segment: Segment, file: Uint8Array, last: boolean): boolean {
    while (segment.size < file.length) {
      const { size: offset, name } = segment;
      const group = decodeGroup(file, offset, segment.marker);
      const expected = this.mark.group + 1;
      if (typeof group === 'string') {
        if (!last) return this.#doubt(name, offset, `group ${expected}, as later segments exist`, group);
        const later = findGroup(file, offset + 1, segment.marker);
        if (later !== undefined)
          return this.#doubt(name, offset, `group ${expected}`, `${group}, and a whole group at offset ${later}`);
        this.torn = { name, size: offset };
        return true;
      }
      if (group.counter !== expected) return this.#doubt(name, offset, `group ${expected}`, `group ${group.counter}`);
      if (!equalBytes(group.previous, this.mark.chain)) {
        return this.#doubt(
          name,
          offset,
          `a group that follows ${toHex(this.mark.chain)}`,
          `one that follows ${toHex(group.previous)}`,
        );
      }
      segment.size += group.length;
      segment.groups++;
      for (const entry of group.entries) {
        this.entries.push(entry);
        if (entry.height !== LONG_LIVED) segment.height = Math.max(segment.height, entry.height);
      }
      this.mark = { group: group.counter, chain: group.chain };
      this.chains.push(group.chain);
    }
    return true;
  }

  /** A header is durable before the first group is written, so a file without a whole header has no groups. */
  #takeUnborn(name: string, file: Uint8Array, firstGroup: number, last: boolean): boolean {
    const found = `${file.length} bytes without a valid header`;
    if (!last || file.length > HEADER_BYTES) return this.#doubt(name, 0, 'a segment header', found);
    if (this.segments.length === 0 && firstGroup > 1)
      return this.#doubt(name, 0, `segments before group ${firstGroup}`, 'none');
    this.unborn = name;
    return false;
  }

  #checkOwner(name: string, found: JournalOwner): void {
    const { genesisId, validatorKey, formerKeys } = this.#owner;
    for (const [what, own, expected] of [
      ['chain', found.genesisId, [genesisId]],
      ['validator key', found.validatorKey, [validatorKey, ...formerKeys]],
    ] as const) {
      if (expected.some((one) => equalBytes(one, own))) continue;
      const message = `journal ${name} belongs to ${what} ${toHex(own)}, expected ${toHex(expected[0]!)}`;
      throw new JournalError('JOURNAL_FOREIGN', message);
    }
  }

  #doubt(name: string, offset: number, expected: string, found: string): false {
    this.doubt = `journal ${name}, offset ${offset}: expected ${expected}, found ${found}`;
    return false;
  }
}

/**
 * R1: whether journal and LevelDB contradict each other: its newest block names a group that the journal lacks, or it lacks
 * what the journal rests on. The journal being ahead is normal: it is written first. A group older than the oldest segment
 * is normal too: segments are deleted once their heights are in LevelDB, or the journal began anew.
 */
export function ledgerProblem(
  { base, mark, chains, isPruned, epoch }: Scan,
  named: JournalMark | undefined,
  ledgerEpoch: number,
): string | undefined {
  if (epoch > ledgerEpoch)
    return `LevelDB is in epoch ${ledgerEpoch}, the journal began in epoch ${epoch}: the ledger's files were lost`;
  if (named === undefined && isPruned) {
    // What was pruned rested on blocks that LevelDB no longer has: votes of those heights would be given a second time.
    return `LevelDB has no block, the journal begins with group ${base.group + 1}: the ledger's files were lost`;
  }
  if (named === undefined || named.group < base.group) return undefined;
  if (named.group > mark.group)
    return `LevelDB names journal group ${named.group}, the journal ends with group ${mark.group}`;
  const chain = chains[named.group - base.group];
  if (chain !== undefined && equalBytes(chain, named.chain)) return undefined;
  const found = chain === undefined ? 'none' : toHex(chain);
  return `LevelDB names journal group ${named.group} with chain ${toHex(named.chain)}, the journal has ${found}`;
}
