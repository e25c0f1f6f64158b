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

/** What the files of a journal say. */
export interface Scan {
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

/** R1: reads all segments. Whole groups in an unbroken chain are taken; the first thing that is wrong ends the reading. */
export async function scanJournal(files: JournalFiles, owner: JournalOwner): Promise<Scan> {
  const names = (await files.list()).filter((name) => /^\d{16}\.journal$/.test(name)).sort();
  const reading = new Reading(owner);
  for (const [i, name] of names.entries()) {
    if (!reading.take(name, await files.read(name), i === names.length - 1)) break;
  }
  return reading;
}

class Reading implements Scan {
  readonly segments: Segment[] = [];
  readonly entries: JournalEntry[] = [];
  readonly chains: Uint8Array[] = [];
  base: JournalMark = { group: 0, chain: NO_CHAIN };
  mark: JournalMark = this.base;
  torn: Scan['torn'];
  unborn: string | undefined;
  doubt: string | undefined;
  readonly #owner: JournalOwner;

  constructor(owner: JournalOwner) {
    this.#owner = owner;
  }

  /** False when reading ends here. */
  take(name: string, file: Uint8Array, last: boolean): boolean {
    const header = decodeHeader(file);
    const firstGroup = Number.parseInt(name, 10);
    const next = this.segments.length === 0 ? firstGroup : this.mark.group + 1;
    if (firstGroup !== next)
      return this.#doubt(name, 0, `group ${next}`, `a segment that begins with group ${firstGroup}`);
    if (header === undefined) return this.#takeUnborn(name, file, firstGroup, last);
    this.#checkOwner(name, header);
    if (header.firstGroup !== firstGroup)
      return this.#doubt(name, 0, `first group ${firstGroup}`, `${header.firstGroup}`);
    if (this.segments.length === 0) {
      this.base = { group: firstGroup - 1, chain: header.chain };
      this.mark = this.base;
      this.chains.push(header.chain);
    } else if (!equalBytes(header.chain, this.mark.chain)) {
      return this.#doubt(name, 0, `chain ${toHex(this.mark.chain)} before group ${firstGroup}`, toHex(header.chain));
    }
    const segment: Segment = { name, marker: header.marker, firstGroup, size: HEADER_BYTES, groups: 0, height: 0 };
    this.segments.push(segment);
    const whole = this.#takeGroups(segment, file, last);
    // An older segment is deleted only when the newest one has a group.
    if (whole && this.segments.length === 1 && segment.groups === 0 && firstGroup > 1) {
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
    for (const [what, field] of [
      ['chain', 'genesisId'],
      ['validator key', 'validatorKey'],
    ] as const) {
      const expected = this.#owner[field];
      if (equalBytes(found[field], expected)) continue;
      const message = `journal ${name} belongs to ${what} ${toHex(found[field])}, expected ${toHex(expected)}`;
      throw new JournalError('JOURNAL_FOREIGN', message);
    }
  }

  #doubt(name: string, offset: number, expected: string, found: string): false {
    this.doubt = `journal ${name}, offset ${offset}: expected ${expected}, found ${found}`;
    return false;
  }
}

/**
 * R1: whether LevelDB's newest block names a group that the journal lacks. The journal being ahead is normal: it is written
 * first. A group older than the oldest segment is normal too: segments are deleted once their heights are in LevelDB.
 */
export function markProblem(
  { base, mark, chains }: Pick<Scan, 'base' | 'mark' | 'chains'>,
  named: JournalMark | undefined,
): string | undefined {
  if (named === undefined && base.group > 0) {
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
