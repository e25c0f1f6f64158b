import assert from 'node:assert/strict';
import type { ReplicaState } from '../../node/pbft/state.ts';
import type { PeerServerContext } from '../../node/peer-server.ts';
import type { LedgerPort, SyncAnswer } from '../../node/ports.ts';

/** A peer that has a ledger and nothing else. */
export function answering(ledger: LedgerPort): PeerServerContext {
  return { ledger, body: () => undefined, batch: () => undefined, state: () => ({}) as ReplicaState, submitted() {} };
}

/** The blocks that it has above a height, and it must have some. */
export async function blocksAbove(ledger: LedgerPort, above: number, bytesMax = 1_000_000): Promise<SyncAnswer> {
  const answer = await ledger.blocksAbove(above, bytesMax);
  assert(typeof answer === 'object', `blocks above ${above}: ${answer ?? 'nothing'}`);
  return answer;
}
