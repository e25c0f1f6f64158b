import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultParameters } from '../../ledger/parameters.ts';
import { LEAVING_MS } from '../../node/limits.ts';
import type { Event } from '../../node/pbft/events.ts';
import type { ReplicaState } from '../../node/pbft/state.ts';
import { PeerSets } from '../../node/peer-sets.ts';
import type { Membership } from '../../node/ports.ts';
import type { PeerSet } from '../../p2p/index.ts';
import { candidateOf, validatorOf } from '../support/governance.ts';

const validators = [0, 1, 2, 3].map(validatorOf);
const candidate = candidateOf('w');
const current = {
  number: 1,
  firstHeight: 10,
  validators,
  parameters: defaultParameters,
  idHorizonMs: 0,
  idHorizonUntil: 0,
  idHorizonMaxMs: 0,
};

describe('whom a node talks to', () => {
  /** A member whose ledger says `membership` when it is asked. */
  function member(membership: Membership, first = membership) {
    const sets: PeerSet[] = [];
    const timers: { readonly delayMs: number; stopped: boolean }[] = [];
    const events: Event[] = [];
    const stop = new AbortController();
    const state = { config: { epoch: 1, firstHeight: 10 }, guests: new Map([['w', candidate.peerKey]]) };
    const peerSets = new PeerSets(
      {
        network: {
          update: (set) => void sets.push(set),
          guests: () =>
            sets
              .at(-1)!
              .guests.map((guest) => ({ ...guest, connected: true, addresses: [], bytesSent: 0, bytesReceived: 0 })),
        },
        ledger: { query: async () => membership as never },
        scheduler: {
          setTimer(delayMs) {
            const timer = { delayMs, stopped: false };
            timers.push(timer);
            return () => {
              timer.stopped = true;
            };
          },
          soon: () => assert.fail(),
        },
        genesis: { validators, addresses: [[], [], [], []] },
        peerKey: validators[0]!.peerKey,
        signal: stop.signal,
        state: () => state as unknown as ReplicaState,
        dispatch: (event) => void events.push(event),
      },
      first,
      true,
    );
    return { peerSets, sets, timers, events, stop };
  }

  const nobody: Membership = { current, previous: undefined, guests: [], guestsUntil: undefined };
  const candidacy: Membership = { ...nobody, guests: [candidate], guestsUntil: 5_000 };

  it('asks the ledger again when a block changes it, and when the time of a candidate is over', async () => {
    const { peerSets, sets, events } = member(nobody, candidacy);
    await peerSets.executed({ membership: false, timestamp: 5_000 });
    assert.deepEqual(sets, []);
    await peerSets.executed({ membership: false, timestamp: 5_001 });
    assert.deepEqual(
      sets.map(({ guests }) => guests),
      [[]],
    );
    assert.deepEqual(events, [{ type: 'guest', peerKey: candidate.peerKey, open: false }], 'its channel is gone');
    await peerSets.executed({ membership: false, timestamp: 6_000 });
    assert.equal(sets.length, 1, 'nobody else has an end');
    await peerSets.executed({ membership: true, timestamp: 7_000 });
    assert.equal(sets.length, 2);
  });

  it('E6: the time of those that have left begins with a final block, and ends when the node closes', () => {
    const { peerSets, timers, stop } = member(nobody);
    peerSets.final(9);
    assert.deepEqual(timers, []);
    peerSets.final(10);
    peerSets.final(11);
    assert.deepEqual(timers, [{ delayMs: LEAVING_MS, stopped: false }]);
    stop.abort();
    assert.deepEqual(timers, [{ delayMs: LEAVING_MS, stopped: true }], 'else the process runs on for a minute');
  });
});
