import type { ReplicaState } from '../../node/pbft/state.ts';
import type { PeerServerContext } from '../../node/peer-server.ts';
import type { LedgerPort } from '../../node/ports.ts';

/** A peer that has a ledger and nothing else. */
export function answering(ledger: LedgerPort): PeerServerContext {
  return { ledger, body: () => undefined, batch: () => undefined, state: () => ({}) as ReplicaState, submitted() {} };
}
