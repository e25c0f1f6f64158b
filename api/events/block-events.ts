import { setImmediate } from 'node:timers/promises';
import type { Application } from '../../ledger/application.ts';
import { headerCodec } from '../../ledger/block.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { decodeTransaction } from '../../ledger/transaction.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { EVENT_PIECE_TRANSACTIONS } from '../limits.ts';
import type { BlockView, NodePort } from '../ports.ts';
import { eventJson } from '../views.ts';
import { positionText } from './position.ts';

/** One event as it is sent, and what topics ask about it. */
export type BlockEvent = { readonly text: string } & (
  | { readonly kind: 'block' | 'checkpoint' | 'epoch' }
  | { readonly kind: 'transaction'; readonly sender: string }
  | { readonly kind: 'event'; readonly module: string; readonly name: string }
);

type Put = (data: Json, kind: BlockEvent['kind'], about?: object) => void;

/**
 * All events of a final block in their order: an event's place in it is the index of its id. They follow from the chain alone,
 * so that they are the same at every node. Undefined where this node does not keep the block.
 */
export async function blockEvents(
  node: NodePort,
  application: Application,
  height: number,
): Promise<readonly BlockEvent[] | undefined> {
  const block = await node.block(height);
  if (block === undefined) return undefined;
  const events: BlockEvent[] = [];
  const put: Put = (data, kind, about = {}) => {
    const id = positionText({ height, index: events.length });
    events.push({ kind, ...about, text: message(kind, data, id) } as BlockEvent);
  };
  put({ height, hash: toHex(block.hash), header: headerCodec.toJson(block.header) }, 'block');
  for (let index = 0; index < block.transactions.length; index++) {
    if (index > 0 && index % EVENT_PIECE_TRANSACTIONS === 0) await setImmediate();
    putTransaction(put, block, index, node.info.genesisId, application);
  }
  const { epoch, next } = await node.epochAt(height);
  if (epoch !== undefined) put({ height, blockHash: toHex(block.hash), epoch }, 'checkpoint');
  if (next !== undefined) {
    const validators = validatorSetCodec.toJson(next.validators);
    put({ height, epoch: next.number, firstHeight: height + 1, validators }, 'epoch');
  }
  return events;
}

/** A server-sent event. JSON has no line breaks outside of strings and none unescaped in them. */
export function message(event: string, data: Json, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function putTransaction(
  put: Put,
  { header: { height }, transactions }: BlockView,
  index: number,
  genesisId: Uint8Array,
  application: Application,
): void {
  const { id: bytesOfId, bytes, receipt } = transactions[index]!;
  const decoded = decodeTransaction(genesisId, bytes);
  if (!decoded.ok) throw new Error(`transaction ${index} of block ${height}: ${decoded.problem}`);
  const id = toHex(bytesOfId);
  const sender = toHex(decoded.value.body.sender);
  const status = receipt.status === 'ok' ? 'final' : 'rejected';
  put({ height, index, id, sender, status, code: receipt.code }, 'transaction', { sender });
  for (const event of receipt.events) {
    const { module, name } = event;
    put({ height, transaction: id, ...eventJson(event, application) }, 'event', { module, name });
  }
}
