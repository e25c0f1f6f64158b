import { headerCodec } from '../ledger/block.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { decode, encode, tryDecode } from '../ledger/codec.ts';
import { packTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { BODIES_ANSWER_BYTES_MAX, SYNC_ANSWER_BYTES_MAX } from './limits.ts';
import type { Mempool } from './mempool.ts';
import type { LedgerPort } from './ports.ts';
import { blocksAnswerCodec, requestCodec } from './wire.ts';

/** Answers what other validators ask. Throws for a malformed question; the channel turns that into a refusal. */
export async function answerPeer(body: Uint8Array, pool: Mempool, ledger: LedgerPort): Promise<Uint8Array> {
  const request = tryDecode(requestCodec, body);
  if (!request.ok) throw new RangeError(`malformed request: ${request.problem}`);
  switch (request.value.kind) {
    case 'bodies':
      return answerBodies(request.value.value.ids, pool, ledger);
    case 'blocks':
      return answerBlocks(request.value.value.above, ledger);
  }
}

async function answerBodies(ids: readonly Uint8Array[], pool: Mempool, ledger: LedgerPort): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  let size = 0;
  for (const id of ids) {
    const bytes = pool.body(idKey(id))?.bytes ?? (await ledger.query('transaction', { id }))?.transaction;
    if (bytes === undefined) continue;
    size += bytes.length + 4;
    if (size > BODIES_ANSWER_BYTES_MAX) break;
    found.push(bytes);
  }
  return packTransactions(found);
}

async function answerBlocks(above: number, ledger: LedgerPort): Promise<Uint8Array> {
  const answer = await ledger.blocksAbove(above, SYNC_ANSWER_BYTES_MAX);
  if (answer === undefined) return encode(blocksAnswerCodec, { kind: 'nothing', value: {} });
  return encode(blocksAnswerCodec, {
    kind: 'blocks',
    value: {
      certificate: decode(certificateCodec, answer.certificate),
      headers: answer.headers.map((header) => decode(headerCodec, header)),
      transactions: answer.transactions,
    },
  });
}
