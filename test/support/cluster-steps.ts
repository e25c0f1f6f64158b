import assert from 'node:assert/strict';
import { toHex } from '../../ledger/bytes.ts';
import type { Effect, Head } from '../../node/pbft/events.ts';
import { type Message, signableBytes, signMessage, type Unsigned, type Vote } from '../../node/pbft/messages.ts';
import { Cluster } from './cluster.ts';

/** What tests of the core do to a cluster, and look at. */

export function signed(cluster: Cluster, sender: number, unsigned: Unsigned): Message {
  const { signer } = cluster.members[sender]!;
  return signMessage(unsigned, sender, (one) => signer.sign(signableBytes(cluster.genesisId, one)));
}

/** Delivers a message, whoever sent it; what the member wants then. */
export function deliverTo(cluster: Cluster, to: number, message: Message): readonly Effect[] {
  const member = cluster.members[to]!;
  const before = member.effects.length;
  cluster.deliverOne({ from: 0, to, message });
  return member.effects.slice(before);
}

export function pass(cluster: Cluster, ms: number): void {
  cluster.advance(ms);
  cluster.deliver();
}

/** Lets STATUS, resending and catch-up do their work. */
export function settle(cluster: Cluster): void {
  for (let i = 0; i < 8; i++) pass(cluster, 300);
}

/** Time passes in steps of the view timers until `done`, or the test fails. */
export function until(cluster: Cluster, done: () => boolean, what: string): void {
  const step = Math.max(5, Math.floor(cluster.parameters.viewTimeoutMs / 20));
  for (let i = 0; i < 1_000 && !done(); i++) pass(cluster, step);
  assert(done(), what);
}

export function heights(cluster: Cluster): number[] {
  return cluster.members.map(({ state }) => state.executed.height);
}

export function views(cluster: Cluster): number[] {
  return cluster.members.map(({ state }) => state.view);
}

export function assertAgreement(cluster: Cluster, height: number): void {
  assert.deepEqual(
    heights(cluster),
    cluster.members.map(() => height),
  );
  const [first] = cluster.members;
  const blocks = (heads: readonly Head[]) => heads.map(({ blockHash }) => toHex(blockHash));
  for (const { disk } of cluster.members) assert.deepEqual(blocks(disk.heads), blocks(first!.disk.heads));
}

/** Kinds of messages that these effects sign. */
export function signedKinds(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => (effect.type === 'persist' ? effect.then.map(({ kind }) => kind) : []));
}

/** Member 1 has the PRE-PREPARE of height 1 in view 0, and no vote. */
export function proposed(): { cluster: Cluster; vote: Vote } {
  const cluster = new Cluster(4);
  cluster.deliver();
  cluster.order('a');
  const sent = cluster.wire.find(({ message, to }) => message.kind === 'prePrepare' && to === 1)!;
  cluster.wire.length = 0;
  cluster.deliverOne(sent);
  cluster.wire.length = 0;
  cluster.members[1]!.state.slots.get(1)!.prepares.clear();
  assert(sent.message.kind === 'prePrepare');
  return { cluster, vote: sent.message.value.vote };
}
