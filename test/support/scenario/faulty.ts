import assert from 'node:assert/strict';
import { type Batch, batchDigest } from '../../../ledger/block.ts';
import {
  type Message,
  signableBytes,
  signMessage,
  type Unsigned,
  type ViewChange,
} from '../../../node/pbft/messages.ts';
import { chainNow } from '../../../node/pbft/state.ts';
import type { Cluster } from '../cluster.ts';
import type { Names } from './names.ts';
import { kindOf, type Words } from './words.ts';

/** A message that a member with the key of `member` could send, whatever the rules say; the words say which. */
export function faultyMessage(
  cluster: Cluster,
  names: Names,
  viewChanges: readonly ViewChange[],
  member: number,
  words: Words,
): Message {
  const { signer } = cluster.members[member]!;
  const unsigned = contentOf(cluster, names, viewChanges, words);
  return signMessage(unsigned, member, (one) => signer.sign(signableBytes(cluster.genesisId, one)));
}

function contentOf(cluster: Cluster, names: Names, viewChanges: readonly ViewChange[], words: Words): Unsigned {
  const kind = kindOf(words.next('a kind of message'));
  switch (kind) {
    case 'prePrepare':
    case 'prepare':
    case 'commit': {
      const { view, height } = words.place();
      const batch = batchOf(cluster, names, height, words);
      const vote = { epoch: 0, view, height, digest: batchDigest(batch) };
      return kind === 'prePrepare' ? { kind, vote, batch } : { kind, vote };
    }
    case 'viewChange':
      // One that hides whatever the member had prepared.
      return { kind, body: { epoch: 0, view: words.number('a view'), stable: GENESIS, prepared: [] } };
    case 'checkpoint':
      return checkpointOf(cluster, words);
    case 'newView':
      return newViewOf(cluster, names, viewChanges, words);
    default:
      throw new Error(`no faulty ${kind} can be made`);
  }
}

/** `CHECKPOINT 1 like v2`: for the block that v2 has executed there. */
function checkpointOf(cluster: Cluster, words: Words): Unsigned {
  const height = words.number('a height');
  assert(words.take('like'), 'expected like');
  const member = words.member();
  const checkpoint = cluster.members[member]!.state.checkpoints.get(height)?.own;
  assert(checkpoint !== undefined, `v${member} has no CHECKPOINT ${height} that is not stable`);
  return { kind: 'checkpoint', checkpoint };
}

const GENESIS = { kind: 'beginning', value: {} } as const;

/** `NEW-VIEW 1 of v0 v1 v2 carries 1/1 {a} 1/2 null`; the VIEW-CHANGEs are those that these members have sent. */
function newViewOf(cluster: Cluster, names: Names, sent: readonly ViewChange[], words: Words): Unsigned {
  const view = words.number('a view');
  assert(words.take('of'), 'expected of');
  const viewChanges = words.members().map((member) => {
    const known = sent.find(({ sender, body }) => sender === member && body.view === view);
    assert(known !== undefined, `v${member} has not sent a VIEW-CHANGE for view ${view}`);
    return known;
  });
  assert(words.take('carries'), 'expected carries');
  const votes = [];
  while (!words.take('nothing') && words.peek !== undefined && words.peek !== 'to') {
    const { height } = words.place();
    votes.push({ epoch: 0, view, height, digest: batchDigest(batchOf(cluster, names, height, words)) });
  }
  return { kind: 'newView', epoch: 0, view, viewChanges, votes };
}

/** `{a b}`, `null`, or a new one with another time: `{x} ahead 3s`, `{x} behind 1h`. */
function batchOf(cluster: Cluster, names: Names, height: number, words: Words): Batch {
  const name = words.next('a batch');
  const known = names.batch(height, name);
  if (known !== undefined) return known;
  assert.match(name, /^\{.*\}$/, `${name} is no batch of height ${height}`);
  const transactions = name
    .slice(1, -1)
    .split(' ')
    .filter(Boolean)
    .map((one) => names.transaction(one));
  const { state } = cluster.members.find(({ up }) => up)!;
  const offset = words.take('ahead') ? words.duration() : words.take('behind') ? -words.duration() : 0;
  const batch = { height, timestamp: chainNow(state, cluster.now()) + offset, transactions };
  assert.equal(names.learn(batch), name);
  return batch;
}
