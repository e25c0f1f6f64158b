import { batchCodec } from '../../ledger/block.ts';
import { blob, bytes64, type CodecType, decode, encode, struct, union } from '../../ledger/codec.ts';
import { BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX } from '../../ledger/limits.ts';
import type { JournalRecord } from './events.ts';
import { preparedCertificateCodec, voteCodec } from './messages.ts';

/** Packed transactions of a batch: each with a length of four bytes before it. */
const bodiesCodec = blob(BATCH_BYTES_MAX + 4 * BATCH_TRANSACTIONS_MAX);

/** What stands in the journal (R2). A proposal carries its bodies: a prepared batch can always be proposed again. */
const recordCodec = union({
  proposal: [1, struct({ vote: voteCodec, signature: bytes64, batch: batchCodec, bodies: bodiesCodec })],
  prepared: [2, struct({ certificate: preparedCertificateCodec, batch: batchCodec })],
});
export type StoredRecord = CodecType<typeof recordCodec>;

/** The bytes of a record; `bodies` are the packed transactions of a proposal's batch. */
export function encodeRecord(record: JournalRecord, bodies: Uint8Array): Uint8Array {
  switch (record.kind) {
    case 'proposal': {
      const { vote, signature, batch } = record;
      return encode(recordCodec, { kind: 'proposal', value: { vote, signature, batch, bodies } });
    }
    case 'prepared': {
      const { certificate, batch } = record;
      return encode(recordCodec, { kind: 'prepared', value: { certificate, batch } });
    }
  }
}

/** Throws CodecError: the journal's checksums held, so such bytes are our own bug or another version's. */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  return decode(recordCodec, bytes);
}

/** The height that a record is about: below the stable, executed height it is no longer needed. */
export function recordHeight(record: JournalRecord): number {
  return record.kind === 'proposal' ? record.vote.height : record.certificate.vote.height;
}
