import { type Bundle, bundleCodec } from '../../ledger/bundle.ts';
import { concatBytes, equalBytes } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { bitAt, statePath } from '../../ledger/state-proof.ts';
import { SIGNATURE_BYTES } from '../../ledger/transaction.ts';
import type { StepName } from '../../light/report.ts';
import { type Change, changesOf, type Place, placesOf, tryEncode, valueAt } from './places.ts';
import type { Span } from './spans.ts';

/** A bundle with one thing changed, and the step that must find it. */
export interface Mutation {
  readonly name: string;
  readonly bundle: Bundle;
  readonly bytes: Uint8Array;
  readonly step: StepName;
}

/** At which step a change of a field must be seen (docs/formats.md, "Proof bundles"); what is below it included. */
export const SEEN_AT: Readonly<Record<string, StepName>> = {
  format: 'format',
  genesisId: 'chain',
  handoffs: 'epochs',
  certificate: 'certificate',
  'fact.value.header': 'block',
  'fact.value.historyProof': 'block',
  'fact.value.index': 'transaction',
  'fact.value.transaction': 'transaction',
  'fact.value.transactionProof': 'transaction',
  'fact.value.receipt': 'receipt',
  'fact.value.receiptProof': 'receipt',
  'fact.value.table': 'state',
  'fact.value.key': 'state',
  'fact.value.value': 'state',
  'fact.value.proof': 'state',
};

/** The field of SEEN_AT that a path lies in. */
export function fieldOf(path: string): string | undefined {
  return Object.keys(SEEN_AT).find(
    (field) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`),
  );
}

/**
 * Changes of a decoded bundle: each field by all that changesOf knows, each with what stands in its place in another sound
 * bundle, and the parts of a neighbour that belong together. None twice, none that is the bundle itself, and none that is a
 * sound proof: of the same fact under another certificate, or of another row's absence.
 */
export function mutationsOf(sound: Bundle, others: readonly Bundle[], random: (below: number) => number): Mutation[] {
  const known = new Set([textOf(encode(bundleCodec, sound))]);
  const mutations: Mutation[] = [];
  const add = (name: string, bundle: Bundle, step: StepName | 'none'): void => {
    const bytes = tryEncode(bundleCodec, bundle);
    if (bytes === undefined || known.has(textOf(bytes))) return;
    known.add(textOf(bytes));
    if (step !== 'none') mutations.push({ name, bundle, bytes, step });
  };
  for (const place of placesOf(sound)) {
    // A kind without its value is no bundle; both together are changed as one place.
    if (fieldOf(place.path) === undefined || place.path.endsWith('.kind')) continue;
    for (const { name, value } of [...changesOf(place.value, random), ...exchangesOf(place, others)]) {
      const mutant = place.with(value);
      add(`${place.path}: ${name}`, mutant, stepOf(place.path, sound, mutant, others));
    }
  }
  for (const [i, other] of others.entries()) {
    for (const { fields, step } of groupsOf(sound, other)) {
      const { value } = sound.fact;
      const taken = Object.fromEntries(fields.map((field) => [field, valueAt(other, `fact.value.${field}`)]));
      const fact = { kind: sound.fact.kind, value: { ...value, ...taken } } as Bundle['fact'];
      add(`${fields.join(', ')} of bundle ${i}`, { ...sound, fact }, step);
    }
  }
  return mutations;
}

/** What stands in other bundles where this place is, or could stand there. */
export function exchangesOf({ path, value }: Place<Bundle>, others: readonly Bundle[]): Change[] {
  const changes: Change[] = [];
  for (const [i, other] of others.entries()) {
    const { certificate, handoffs } = other;
    const certificates = [certificate, ...handoffs.map((handoff) => handoff.certificate)];
    const pieces = path.endsWith('certificate')
      ? certificates
      : path.endsWith('next')
        ? handoffs.map(({ next }) => next)
        : [valueAt(other, path)];
    for (const piece of pieces.filter((piece) => isLike(piece, value))) {
      changes.push({ name: `one of bundle ${i}`, value: piece });
    }
  }
  if (path !== 'fact.value.transaction' || !(value instanceof Uint8Array) || value.length < SIGNATURE_BYTES)
    return changes;
  return [...changes, ...changesOfSignature(value, others)];
}

interface Group {
  readonly fields: readonly string[];
  /** The first field that does not belong to them. */
  readonly step: StepName;
}

const OF_THE_BLOCK: readonly Group[] = [
  { fields: ['index', 'transactionProof'], step: 'transaction' },
  { fields: ['index', 'transaction'], step: 'transaction' },
  { fields: ['transaction', 'transactionProof'], step: 'transaction' },
  { fields: ['transaction', 'receipt'], step: 'transaction' },
  { fields: ['index', 'receipt', 'receiptProof'], step: 'transaction' },
  { fields: ['index', 'transactionProof', 'receiptProof'], step: 'transaction' },
  { fields: ['index', 'transaction', 'transactionProof'], step: 'receipt' },
  { fields: ['index', 'transaction', 'transactionProof', 'receipt'], step: 'receipt' },
  { fields: ['index', 'transaction', 'transactionProof', 'receiptProof'], step: 'receipt' },
  { fields: ['receipt', 'receiptProof'], step: 'receipt' },
];

const OF_ANOTHER_BLOCK: readonly Group[] = [
  { fields: ['header', 'index', 'transaction', 'transactionProof', 'receipt', 'receiptProof'], step: 'block' },
  { fields: ['historyProof', 'index', 'transaction', 'transactionProof', 'receipt', 'receiptProof'], step: 'block' },
  { fields: ['header', 'historyProof'], step: 'transaction' },
  { fields: ['header', 'historyProof', 'receipt', 'receiptProof'], step: 'transaction' },
  { fields: ['index', 'transaction', 'transactionProof', 'receipt', 'receiptProof'], step: 'transaction' },
  { fields: ['header', 'historyProof', 'index', 'transaction', 'transactionProof'], step: 'receipt' },
  { fields: ['header', 'historyProof', 'index', 'transaction', 'transactionProof', 'receipt'], step: 'receipt' },
  { fields: ['receipt', 'receiptProof'], step: 'receipt' },
];

const OF_ANOTHER_ROW: readonly Group[] = [
  { fields: ['key', 'value'], step: 'state' },
  { fields: ['value', 'proof'], step: 'state' },
  { fields: ['table', 'value', 'proof'], step: 'state' },
];

/** Parts of a neighbour under the same certificate that are put in together. */
function groupsOf(sound: Bundle, other: Bundle): readonly Group[] {
  const [a, b] = [sound.fact, other.fact];
  if (!isSame(sound.certificate, other.certificate)) return [];
  if (a.kind === 'state' && b.kind === 'state') return OF_ANOTHER_ROW;
  if (a.kind !== 'transaction' || b.kind !== 'transaction') return [];
  return isSame(a.value.header, b.value.header) ? OF_THE_BLOCK : OF_ANOTHER_BLOCK;
}

/** Other signatures under the same body, whose id they leave as it is. */
function changesOfSignature(transaction: Uint8Array, others: readonly Bundle[]): Change[] {
  const body = transaction.subarray(0, -SIGNATURE_BYTES);
  const [r, s] = [transaction.subarray(-SIGNATURE_BYTES, -32), transaction.subarray(-32)];
  const signatures: Record<string, readonly [Uint8Array, Uint8Array]> = {
    'R and S exchanged': [s, r],
    'S + L for S': [r, plusGroupOrder(s)],
    'R with the other sign': [r.with(31, r[31]! ^ 0x80), s],
    'S of zero': [r, new Uint8Array(32)],
    'no signature': [new Uint8Array(32), new Uint8Array(32)],
  };
  for (const [i, { fact }] of others.entries()) {
    const other = fact.kind === 'transaction' ? fact.value.transaction : transaction;
    signatures[`the signature of bundle ${i}`] = [other.subarray(-SIGNATURE_BYTES, -32), other.subarray(-32)];
  }
  return Object.entries(signatures).map(([name, parts]) => ({ name, value: concatBytes(body, ...parts) }));
}

/** The same number modulo L, in 32 bytes little-endian: what a verifier that only reduces takes for the same S. */
function plusGroupOrder(s: Uint8Array): Uint8Array {
  let rest = 2n ** 252n + 27742317777372353535851937790883648493n;
  for (let i = 31; i >= 0; i--) rest += BigInt(s[i]!) << BigInt(8 * i);
  return Uint8Array.from({ length: 32 }, (_, i) => Number((rest >> BigInt(8 * i)) & 255n));
}

function stepOf(path: string, sound: Bundle, mutant: Bundle, others: readonly Bundle[]): StepName | 'none' {
  const step = SEEN_AT[fieldOf(path)!]!;
  switch (path) {
    case 'handoffs':
      // A sound way to another epoch than the certificate's.
      return isSoundWay(mutant, [sound, ...others]) ? 'certificate' : step;
    case 'certificate':
      return others.some((other) => isSoundFrom(other, mutant)) ? underOtherCertificate(sound, mutant) : step;
    case 'fact.value.transaction':
      return isSameBody(sound, mutant) ? 'signature' : step;
    case 'fact.value.table':
    case 'fact.value.key':
      return isOtherAbsence(sound, mutant) ? 'none' : step;
    default:
      return step;
  }
}

/** Its hand-offs are the first of a sound bundle. */
function isSoundWay({ genesisId, handoffs }: Bundle, sound: readonly Bundle[]): boolean {
  return sound.some(
    (one) => equalBytes(one.genesisId, genesisId) && handoffs.every((handoff, i) => isSame(handoff, one.handoffs[i])),
  );
}

/** The certificate is one of the other bundle, at the end of the same hand-offs. */
function isSoundFrom(other: Bundle, { genesisId, handoffs, certificate }: Bundle): boolean {
  if (!equalBytes(other.genesisId, genesisId)) return false;
  if (isSame(other.certificate, certificate)) return isSame(other.handoffs, handoffs);
  const at = other.handoffs.findIndex((handoff) => isSame(handoff.certificate, certificate));
  return at >= 0 && isSame(other.handoffs.slice(0, at), handoffs);
}

/** The history has another root at each height; the state may have the same. */
function underOtherCertificate(sound: Bundle, mutant: Bundle): StepName | 'none' {
  if (sound.fact.kind !== 'state') return 'block';
  return equalBytes(sound.certificate.checkpoint.stateRoot, mutant.certificate.checkpoint.stateRoot) ? 'none' : 'state';
}

/** The id does not cover the signature, which is the last 64 bytes. */
function isSameBody(sound: Bundle, mutant: Bundle): boolean {
  if (sound.fact.kind !== 'transaction' || mutant.fact.kind !== 'transaction') return false;
  const [a, b] = [sound.fact.value.transaction, mutant.fact.value.transaction];
  return a.length === b.length && equalBytes(a.subarray(0, -SIGNATURE_BYTES), b.subarray(0, -SIGNATURE_BYTES));
}

/** What shows that one row is absent shows it of any other whose path leads to the same place: then a sound proof. */
export function isOtherAbsence(sound: Bundle, mutant: Bundle): boolean {
  if (sound.fact.kind !== 'state' || mutant.fact.kind !== 'state') return false;
  const [before, after] = [sound.fact.value, mutant.fact.value];
  if (before.value.kind !== 'absent') return false;
  const [a, b] = [statePath(before.table, before.key), statePath(after.table, after.key)];
  const shared = Array.from({ length: before.proof.depth }, (_, depth) => bitAt(a, depth) === bitAt(b, depth));
  return !equalBytes(a, b) && shared.every(Boolean);
}

/** At which step a changed byte of an encoding must be seen, from what the byte is. `changed` is the whole span after it. */
export function stepOfByte({ path, role, from, to }: Span, at: number, changed: Uint8Array): StepName {
  const field = fieldOf(path);
  const seen = field === undefined ? 'format' : SEEN_AT[field]!;
  switch (role) {
    case 'length':
      return 'format';
    case 'tag':
      // Every other tag byte is unknown, or leads to fields that are not there.
      return path === 'fact.value.receipt.status' && changed[0]! <= 1 ? seen : 'format';
    case 'number':
      return changed.length === 8 && (changed[0] !== 0 || changed[1]! > 0x1f) ? 'format' : seen;
    case 'text':
      return isUtf8(changed) ? seen : 'format';
    case 'bytes':
      return path === 'fact.value.transaction' && at >= to - SIGNATURE_BYTES && at >= from ? 'signature' : seen;
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function isLike(a: unknown, b: unknown): boolean {
  return typeof a === typeof b && a instanceof Uint8Array === b instanceof Uint8Array;
}

function isSame(a: unknown, b: unknown): boolean {
  return b !== undefined && JSON.stringify(a, printBytes) === JSON.stringify(b, printBytes);
}

function printBytes(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? textOf(value) : value;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
