import { type Batch, headerCodec } from '../ledger/block.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { decode, encode, tryDecode } from '../ledger/codec.ts';
import { packTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { BODIES_ANSWER_BYTES_MAX, SHOWN_MAX, SYNC_ANSWER_BYTES_MAX } from './limits.ts';
import type { PoolEntry } from './mempool.ts';
import type { Shown } from './pbft/messages.ts';
import type { LedgerPort } from './ports.ts';
import { batchAnswerCodec, blocksAnswerCodec, requestCodec, shownAnswerCodec } from './wire.ts';

export interface PeerServerContext {
  readonly ledger: LedgerPort;
  /** A body that is pending or in a batch that is held. */
  body(key: string): PoolEntry | undefined;
  batch(height: number, digest: Uint8Array): Batch | undefined;
  /** R5: what `member` was seen to sign. */
  shownTo(member: number): readonly Shown[];
}

/** Answers what other validators ask. Throws for a malformed question; the channel turns that into a refusal. */
export async function answerPeer(from: number, body: Uint8Array, context: PeerServerContext): Promise<Uint8Array> {
  const request = tryDecode(requestCodec, body);
  if (!request.ok) throw new RangeError(`malformed request: ${request.problem}`);
  switch (request.value.kind) {
    case 'bodies':
      return answerBodies(request.value.value.ids, context);
    case 'blocks':
      return answerBlocks(request.value.value.above, context.ledger);
    case 'shown':
      return encode(shownAnswerCodec, context.shownTo(from).slice(0, SHOWN_MAX));
    case 'snapshot':
      return context.ledger.query('snapshot', request.value.value);
    case 'snapshotRows':
      return context.ledger.query('snapshotRows', request.value.value);
    case 'blockIds':
      return context.ledger.query('blockIds', request.value.value);
    case 'batch': {
      const { height, digest } = request.value.value;
      const batch = context.batch(height, digest);
      const answer = batch === undefined ? NOTHING : { kind: 'batch' as const, value: batch };
      return encode(batchAnswerCodec, answer);
    }
  }
}

const NOTHING = { kind: 'nothing', value: {} } as const;

async function answerBodies(ids: readonly Uint8Array[], context: PeerServerContext): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  let size = 0;
  for (const id of ids) {
    const bytes = context.body(idKey(id))?.bytes ?? (await context.ledger.query('transaction', { id }))?.transaction;
    if (bytes === undefined) continue;
    size += bytes.length + 4;
    if (size > BODIES_ANSWER_BYTES_MAX) break;
    found.push(bytes);
  }
  return packTransactions(found);
}

async function answerBlocks(above: number, ledger: LedgerPort): Promise<Uint8Array> {
  const answer = await ledger.blocksAbove(above, SYNC_ANSWER_BYTES_MAX);
  if (answer === undefined) return encode(blocksAnswerCodec, NOTHING);
  return encode(blocksAnswerCodec, {
    kind: 'blocks',
    value: {
      certificate: decode(certificateCodec, answer.certificate),
      headers: answer.headers.map((header) => decode(headerCodec, header)),
      transactions: answer.transactions,
    },
  });
}
