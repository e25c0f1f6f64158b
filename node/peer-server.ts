import { type Batch, headerCodec } from '../ledger/block.ts';
import { updatesCodec } from '../ledger/bundle.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { decode, encode, tryDecode } from '../ledger/codec.ts';
import { packTransactions, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { BODIES_ANSWER_BYTES_MAX, SHOWN_MAX, SYNC_ANSWER_BYTES_MAX, VERIFYING_MAX } from './limits.ts';
import type { ReplicaState } from './pbft/state.ts';
import { shownTo } from './pbft/witness.ts';
import type { PoolEntry } from './pool-entry.ts';
import type { LedgerPort } from './ports.ts';
import { batchAnswerCodec, blocksAnswerCodec, certificateAnswerCodec, requestCodec, shownAnswerCodec } from './wire.ts';

export interface PeerServerContext {
  readonly ledger: LedgerPort;
  /** A body that is pending or in a batch that is held. */
  body(key: string): PoolEntry | undefined;
  batch(height: number, digest: Uint8Array): Batch | undefined;
  state(): ReplicaState;
  /** T9: what a node without a vote was given by its clients. */
  submitted(transactions: readonly Uint8Array[]): void;
}

/** Answers what other nodes ask. Throws for a malformed question; the channel turns that into a refusal. */
export async function answerPeer(body: Uint8Array, context: PeerServerContext): Promise<Uint8Array> {
  const request = tryDecode(requestCodec, body);
  if (!request.ok) throw new RangeError(`malformed request: ${request.problem}`);
  switch (request.value.kind) {
    case 'bodies':
      return answerBodies(request.value.value.ids, context);
    case 'blocks':
      return answerBlocks(request.value.value.above, context.ledger);
    case 'shown':
      return answerShown(request.value.value, context);
    case 'handoffs':
      return context.ledger.query('handoffs', request.value.value);
    case 'newest': {
      const { stable, config } = context.state();
      const { epoch, above } = request.value.value;
      if (epoch < config.epoch) return encode(certificateAnswerCodec, { kind: 'later', value: {} });
      const isNewer = stable !== undefined && stable.checkpoint.height > above;
      return encode(certificateAnswerCodec, isNewer ? { kind: 'certificate', value: stable } : NOTHING);
    }
    case 'submit': {
      const unpacked = unpackTransactions(request.value.value.transactions, VERIFYING_MAX);
      if (!unpacked.ok) throw new RangeError(unpacked.problem);
      context.submitted(unpacked.value);
      return NO_BYTES;
    }
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

/** R5, E7. Of an epoch that has not begun here nothing was seen. */
async function answerShown(
  { epoch, key }: { readonly epoch: number; readonly key: Uint8Array },
  { state, ledger }: PeerServerContext,
): Promise<Uint8Array> {
  const { config } = state();
  const encoded = epoch < config.epoch ? await ledger.query('handoffs', { from: epoch }) : undefined;
  const [ended] = encoded === undefined ? [] : decode(updatesCodec, encoded).handoffs;
  if (ended !== undefined) return encode(shownAnswerCodec, { kind: 'ended', value: ended.certificate });
  if (epoch < config.epoch) throw new RangeError(`the end of epoch ${epoch} is not at hand`);
  const member = config.validators.findIndex((validator) => equalBytes(validator.key, key));
  const shown = epoch === config.epoch && member >= 0 ? shownTo(state(), member).slice(0, SHOWN_MAX) : [];
  return encode(shownAnswerCodec, { kind: 'shown', value: shown });
}

const NO_BYTES = new Uint8Array(0);
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
  if (answer === 'lacks') return encode(blocksAnswerCodec, { kind: 'lacks', value: {} });
  return encode(blocksAnswerCodec, {
    kind: 'blocks',
    value: {
      certificate: decode(certificateCodec, answer.certificate),
      headers: answer.headers.map((header) => decode(headerCodec, header)),
      transactions: answer.transactions,
    },
  });
}
