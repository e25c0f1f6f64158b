import { batchCodec } from '../../ledger/block.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { blob, bytes64, type CodecType, decode, encode, struct, u16, u64, union } from '../../ledger/codec.ts';
import { BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX } from '../../ledger/limits.ts';
import type { JournalRecord } from './events.ts';
import {
  evidenceCodec,
  newViewCodec,
  preparedCertificateCodec,
  shownCodec,
  viewChangeBodyCodec,
  voteCodec,
} from './messages.ts';
import type { ReplicaState } from './state.ts';

/** Packed transactions of a batch: each with a length of four bytes before it. */
const bodiesCodec = blob(BATCH_BYTES_MAX + 4 * BATCH_TRANSACTIONS_MAX);

/** What stands in the journal (R2). A proposal carries its bodies: a prepared batch can always be proposed again. */
const recordCodec = union({
  proposal: [1, struct({ vote: voteCodec, signature: bytes64, batch: batchCodec, bodies: bodiesCodec })],
  prepared: [2, struct({ certificate: preparedCertificateCodec, batch: batchCodec })],
  viewChange: [3, viewChangeBodyCodec],
  newView: [4, newViewCodec],
  evidence: [5, evidenceCodec],
  witness: [6, struct({ member: u16, shown: shownCodec })],
  stable: [7, struct({ certificate: certificateCodec, executed: u64 })],
  entered: [8, struct({ epoch: u64 })],
});
export type StoredRecord = CodecType<typeof recordCodec>;

/** An own message stands in the journal before it is signed; Ed25519 is deterministic: signing it again is the same. */
export const NO_SIGNATURE: Uint8Array = new Uint8Array(64);

/** The bytes of a record; `bodies` are the packed transactions of a proposal's batch. */
export function encodeRecord(record: JournalRecord, bodies: Uint8Array): Uint8Array {
  return encode(recordCodec, storedRecord(record, bodies));
}

function storedRecord(record: JournalRecord, bodies: Uint8Array): StoredRecord {
  switch (record.kind) {
    case 'proposal': {
      const { vote, signature, batch } = record;
      return { kind: 'proposal', value: { vote, signature, batch, bodies } };
    }
    case 'prepared': {
      const { certificate, batch } = record;
      return { kind: 'prepared', value: { certificate, batch } };
    }
    case 'viewChange':
      return { kind: 'viewChange', value: record.body };
    case 'newView':
      return { kind: 'newView', value: record.newView };
    case 'evidence':
      return { kind: 'evidence', value: record.evidence };
    case 'witness':
      return { kind: 'witness', value: { member: record.member, shown: record.shown } };
    case 'stable':
      return { kind: 'stable', value: { certificate: record.certificate, executed: record.executed } };
    case 'entered':
      return { kind: 'entered', value: { epoch: record.epoch } };
  }
}

/** Throws CodecError: the journal's checksums held, so such bytes are our own bug or another version's. */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  return decode(recordCodec, bytes);
}

/**
 * The height that a record is about: below the stable, executed height it is no longer needed. Undefined for what must
 * outlive heights (see `lastingRecords`).
 */
export function recordHeight(record: JournalRecord): number | undefined {
  switch (record.kind) {
    case 'proposal':
      return record.vote.height;
    case 'prepared':
      return record.certificate.vote.height;
    case 'witness': {
      const { shown } = record;
      const height = shown.kind === 'vote' ? shown.value.vote.height : shown.value.checkpoint.height;
      return height === 0 ? undefined : height;
    }
    case 'newView':
      // R6: own PRE-PREPAREs of its carry are known only from here.
      return record.newView.body.prePrepares.at(-1)?.vote.height;
    default:
      return undefined;
  }
}

/** What every new part of the journal begins with: the epoch, the low mark, where this member stands among views, and evidence. */
export function lastingRecords(state: ReplicaState): readonly JournalRecord[] {
  const { asking, newView, leading, view, config } = state;
  const records: JournalRecord[] = stableRecord(state);
  if (config.epoch > 0) records.unshift({ kind: 'entered', epoch: config.epoch });
  if (asking !== undefined) records.push({ kind: 'viewChange', body: asking });
  if (leading !== undefined) {
    const prePrepares = leading.votes.map((vote) => ({ vote, signature: NO_SIGNATURE }));
    const body = { epoch: config.epoch, view, viewChanges: leading.viewChanges, prePrepares };
    records.push({ kind: 'newView', newView: { body, signature: NO_SIGNATURE } });
  } else if (newView !== undefined) {
    records.push({ kind: 'newView', newView });
  }
  for (const [member, { votes }] of state.witnessed) {
    for (const kind of ['viewChange', 'newView'] as const) {
      const signed = votes.get(kind)?.byHeight.get(0);
      if (signed === undefined) continue;
      records.push({ kind: 'witness', member, shown: { kind: 'vote', value: { kind, ...signed } } });
    }
  }
  for (const evidence of state.pastEvidence) records.push({ kind: 'evidence', evidence });
  for (const kept of state.evidence.values()) for (const evidence of kept) records.push({ kind: 'evidence', evidence });
  return records;
}

/** R2: what the window rests on; nothing at genesis. */
export function stableRecord({ stable, executed }: ReplicaState): JournalRecord[] {
  return stable === undefined ? [] : [{ kind: 'stable', certificate: stable, executed: executed.height }];
}
