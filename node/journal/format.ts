import { createHash } from 'node:crypto';
import { equalBytes } from '../../ledger/bytes.ts';
import type { JournalEntry } from '../ports.ts';

/**
 * Bytes of the journal (R1). A segment is a header and groups; all integers are big-endian.
 *
 * header = "quorate\x02" ‖ genesis id 32 ‖ validator key 32 ‖ epoch u64 ‖ begins u8 ‖ marker 8 ‖ first group u64 ‖ chain before it 32
 *          ‖ SHA-256 of these
 * group  = marker 8 ‖ counter u64 ‖ payload length u32 ‖ chain of the group before 32 ‖ payload ‖ chain 32
 * payload = entries, each height u64 ‖ length u32 ‖ bytes
 *
 * The chain of a group is SHA-256 of everything in front of it in the group, and so its checksum too. The marker is drawn
 * at random for each segment: bytes that a client chose, inside a torn group, can't pose as a group.
 */
export const HEADER_BYTES = 8 + 32 + 32 + 8 + 1 + 8 + 8 + 32 + 32;
export const MARKER_BYTES = 8;
const GROUP_HEAD_BYTES = MARKER_BYTES + 8 + 4 + 32;
export const CHAIN_BYTES = 32;
const ENTRY_HEAD_BYTES = 12;
const MAGIC = Uint8Array.of(0x71, 0x75, 0x6f, 0x72, 0x61, 0x74, 0x65, 2);

/** Whose journal it is: one of another chain or another validator is refused (D12). */
export interface JournalOwner {
  readonly genesisId: Uint8Array;
  /** Consensus key, 32 bytes. */
  readonly validatorKey: Uint8Array;
}

export interface SegmentHeader extends JournalOwner {
  /** In which the journal began that the segment is of. */
  readonly epoch: number;
  /** The journal begins with this segment: older files are of one before it, and void. */
  readonly begins: boolean;
  readonly marker: Uint8Array;
  readonly firstGroup: number;
  /** Chain hash of the group before `firstGroup`; zeros before group 1; drawn at random where the journal begins anew. */
  readonly chain: Uint8Array;
}

/** Height of an entry that no pruned height covers: it lives until the writer stops carrying it into new segments. */
export const LONG_LIVED = Number.MAX_SAFE_INTEGER;

export interface Group {
  readonly counter: number;
  /** Chain hash of the group before. */
  readonly previous: Uint8Array;
  readonly chain: Uint8Array;
  readonly entries: readonly JournalEntry[];
  /** Bytes in the file. */
  readonly length: number;
}

export const NO_CHAIN: Uint8Array = new Uint8Array(CHAIN_BYTES);

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  bytes.set(header.genesisId, 8);
  bytes.set(header.validatorKey, 40);
  view.setBigUint64(72, BigInt(header.epoch));
  view.setUint8(80, header.begins ? 1 : 0);
  bytes.set(header.marker, 81);
  view.setBigUint64(89, BigInt(header.firstGroup));
  bytes.set(header.chain, 97);
  bytes.set(sha256(bytes.subarray(0, 129)), 129);
  return bytes;
}

/** The header of a segment file, or undefined if these bytes don't begin with a whole one. */
export function decodeHeader(file: Uint8Array): SegmentHeader | undefined {
  if (file.length < HEADER_BYTES || !equalBytes(file.subarray(0, 8), MAGIC)) return undefined;
  if (!equalBytes(sha256(file.subarray(0, 129)), file.subarray(129, HEADER_BYTES))) return undefined;
  return {
    genesisId: file.slice(8, 40),
    validatorKey: file.slice(40, 72),
    epoch: readUint64(file, 72),
    begins: file[80] === 1,
    marker: file.slice(81, 89),
    firstGroup: readUint64(file, 89),
    chain: file.slice(97, 129),
  };
}

/** Bytes that an entry takes in a group. */
export function entryBytes(entry: JournalEntry): number {
  return ENTRY_HEAD_BYTES + entry.bytes.length;
}

/** The bytes of the next group and its chain hash. */
export function encodeGroup(
  marker: Uint8Array,
  counter: number,
  previous: Uint8Array,
  entries: readonly JournalEntry[],
): { readonly bytes: Uint8Array; readonly chain: Uint8Array } {
  let payload = 0;
  for (const entry of entries) payload += entryBytes(entry);
  const bytes = new Uint8Array(GROUP_HEAD_BYTES + payload + CHAIN_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(marker, 0);
  view.setBigUint64(8, BigInt(counter));
  view.setUint32(16, payload);
  bytes.set(previous, 20);
  let at = GROUP_HEAD_BYTES;
  for (const entry of entries) {
    view.setBigUint64(at, BigInt(entry.height));
    view.setUint32(at + 8, entry.bytes.length);
    bytes.set(entry.bytes, at + ENTRY_HEAD_BYTES);
    at += entryBytes(entry);
  }
  const chain = sha256(bytes.subarray(0, at));
  bytes.set(chain, at);
  return { bytes, chain };
}

/** The whole group at `offset`, or what is wrong with the bytes there. Entries are views into `file`. */
export function decodeGroup(file: Uint8Array, offset: number, marker: Uint8Array): Group | string {
  const left = file.length - offset;
  if (left < GROUP_HEAD_BYTES + CHAIN_BYTES)
    return `${left} bytes, a group has at least ${GROUP_HEAD_BYTES + CHAIN_BYTES}`;
  if (!equalBytes(file.subarray(offset, offset + MARKER_BYTES), marker)) return 'no group marker';
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const payload = view.getUint32(offset + 16);
  const length = GROUP_HEAD_BYTES + payload + CHAIN_BYTES;
  if (length > left) return `a group of ${length} bytes, ${left} are left`;
  const chain = file.subarray(offset + length - CHAIN_BYTES, offset + length);
  if (!equalBytes(sha256(file.subarray(offset, offset + length - CHAIN_BYTES)), chain))
    return 'the checksum does not match';
  const entries = decodeEntries(file.subarray(offset + GROUP_HEAD_BYTES, offset + length - CHAIN_BYTES));
  if (entries === undefined) return 'the entries do not fill the payload';
  const previous = file.slice(offset + 20, offset + 52);
  return { counter: readUint64(file, offset + 8), previous, chain: chain.slice(), entries, length };
}

/** Where after `from` another whole group begins, if one does. */
export function findGroup(file: Uint8Array, from: number, marker: Uint8Array): number | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  for (let at = bytes.indexOf(marker, from); at >= 0; at = bytes.indexOf(marker, at + 1)) {
    if (typeof decodeGroup(file, at, marker) !== 'string') return at;
  }
  return undefined;
}

function decodeEntries(payload: Uint8Array): readonly JournalEntry[] | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const entries: JournalEntry[] = [];
  let at = 0;
  while (at + ENTRY_HEAD_BYTES <= payload.length) {
    const end = at + ENTRY_HEAD_BYTES + view.getUint32(at + 8);
    if (end > payload.length) return undefined;
    entries.push({ height: readUint64(payload, at), bytes: payload.subarray(at + ENTRY_HEAD_BYTES, end) });
    at = end;
  }
  return at === payload.length ? entries : undefined;
}

function readUint64(bytes: Uint8Array, offset: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset));
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
