import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import type { PeerNetwork, PeerSet } from '../../p2p/port.ts';
import { Loop } from './loop.ts';
import { type Endpoint, SimNetwork } from './network.ts';
import { Random } from './random.ts';

/** What `PeerNetwork` promises about a set that changes (p2p/port.ts), of the simulator's: its test is p2p/peer-set.test.ts. */

const [A, B, C, D, E] = [0, 1, 2, 3, 4];
const TIMEOUT = { timeoutMs: 1_000 };
const FRAME = Uint8Array.of(7);
const keyOf = (machine: number): Uint8Array => sha256(Uint8Array.of(machine));

class World {
  readonly loop = new Loop();
  readonly network = new SimNetwork(this.loop, new Random(1));

  /** Lets this much virtual time pass. */
  async pass(ms = 100): Promise<void> {
    this.loop.settle();
    await this.loop.run(this.loop.now + ms);
  }
}

class Peer implements Endpoint {
  static #ids = 0;
  readonly id = Peer.#ids++;
  readonly machine: number;
  readonly peerKey: Uint8Array;
  readonly heard: string[] = [];
  readonly net: PeerNetwork;
  /** What waits for the end of a pause. */
  paused: (() => void)[] | undefined;
  up = true;

  constructor({ network }: World, machine: number, members: readonly number[], guests: readonly number[] = []) {
    this.machine = machine;
    this.peerKey = keyOf(machine);
    network.add(this);
    this.net = network.networkOf(this, setOf(machine, members, guests), () => this.up);
    const nameOf = (key: Uint8Array): number => [A, B, C, D, E].find((one) => key[0] === keyOf(one)[0])!;
    this.net.onFrame((from, [byte]) => this.heard.push(`frame ${from} ${byte}`));
    this.net.onChannel((index, open) => this.heard.push(`channel ${index} ${open}`));
    this.net.onUnreachable((index) => this.heard.push(`unreachable ${index}`));
    this.net.onRequest(async (from, body) => Uint8Array.of(from, ...body));
    this.net.onGuestChannel((key, open) => this.heard.push(`guest channel ${nameOf(key)} ${open}`));
    this.net.onGuestRequest(async (key, body) => Uint8Array.of(100 + nameOf(key), ...body));
    network.started(this);
  }

  isUp(): boolean {
    return this.up;
  }

  touch(run: () => void): void {
    if (this.paused === undefined) run();
    else this.paused.push(run);
  }

  update(members: readonly number[], guests: readonly number[] = []): void {
    this.net.update(setOf(this.machine, members, guests, 1));
  }

  /** What it has heard since it was asked the last time. */
  news(): string[] {
    return this.heard.splice(0).sort();
  }
}

function setOf(own: number, members: readonly number[], guests: readonly number[], epoch = 0): PeerSet {
  const self = members.indexOf(own);
  const infoOf = (machine: number) => ({ name: `v${machine}`, peerKey: keyOf(machine), addresses: [] });
  return { epoch, self: self < 0 ? undefined : self, peers: members.map(infoOf), guests: guests.map(infoOf) };
}

async function meshed(members: readonly number[]): Promise<{ world: World; peers: Peer[] }> {
  const world = new World();
  const peers = members.map((machine) => new Peer(world, machine, members));
  await world.pass();
  for (const peer of peers) peer.news();
  return { world, peers };
}

describe('the network of the simulator, with a set of peers that changes', () => {
  it('calls a peer by the index that each has for it, also for a frame under way, and closes no channel of those that stay', async () => {
    const { world, peers } = await meshed([A, B, C]);
    const [a, b, c] = peers as [Peer, Peer, Peer];
    a.net.send(1, FRAME);
    b.update([C, B, A]);
    assert.deepEqual(b.net.connected(), [0, 2]);
    assert.equal(b.net.self, 1);
    await world.pass();
    assert.deepEqual(b.news(), ['frame 2 7']);
    b.net.broadcast(FRAME);
    await world.pass();
    assert.deepEqual(
      [a, b, c].map((one) => one.news()),
      [['frame 1 7'], [], ['frame 1 7']],
    );
  });

  it('looks an index up when the process takes the frame in, not when it came', async () => {
    const { world, peers } = await meshed([A, B, C]);
    const [a, b] = peers as [Peer, Peer, Peer];
    b.paused = [];
    a.net.send(1, FRAME);
    await world.pass();
    const { paused } = b;
    b.paused = undefined;
    b.update([C, B, A]);
    for (const run of paused) run();
    assert.deepEqual(b.news(), ['frame 2 7']);
  });

  it('cuts off who is removed: it notices, its questions end, its frames are refused; the own handlers hear nothing', async () => {
    const { world, peers } = await meshed([A, B, C, D]);
    const [a, b, , d] = peers as [Peer, Peer, Peer, Peer];
    d.net.onRequest(() => new Promise(() => {}));
    a.net.onRequest(() => new Promise(() => {}));
    const asked = a.net.request(3, FRAME, TIMEOUT);
    const asking = d.net.request(0, FRAME, TIMEOUT);
    a.update([A, B, C]);
    assert.deepEqual(a.net.connected(), [1, 2]);
    assert.equal(a.net.send(3, FRAME), false);
    const ended = assert.rejects(asked, { code: 'CLOSED', message: 'neither member nor guest as of epoch 1' });
    const noticed = assert.rejects(asking, { code: 'CLOSED' });
    assert(d.net.send(0, FRAME), 'it does not know yet');
    await world.pass(1_100);
    await Promise.all([ended, noticed]);
    await assert.rejects(a.net.request(3, FRAME, TIMEOUT), { code: 'NO_CHANNEL' });
    assert.deepEqual(a.news(), []);
    assert.deepEqual(d.news(), ['channel 0 false']);
    assert.equal(world.network.counts.refused, 1);
    // What is made by hand needs no channel, and is refused all the same.
    world.network.inject(d, a, FRAME);
    world.network.inject(d, b, FRAME);
    await world.pass();
    assert.deepEqual(
      [a, b].map((one) => one.news()),
      [[], ['frame 3 7']],
    );
  });

  it('opens a channel only when both ends admit each other, whichever was the last', async () => {
    const { world, peers } = await meshed([A, B, C]);
    const [a, b, c] = peers as [Peer, Peer, Peer];
    const late = new Peer(world, D, [A, B, C, D]);
    await world.pass();
    assert.deepEqual(late.net.connected(), []);
    a.update([A, B, C, D]);
    await world.pass();
    assert.deepEqual([late.news(), a.news()], [['channel 0 true'], ['channel 3 true']]);
    b.update([A, B, C, D]);
    c.update([A, B, C, D]);
    late.update([A, B, D]);
    await world.pass();
    assert.deepEqual(late.net.connected(), [0, 1]);
    assert.deepEqual(c.net.connected(), [0, 1]);
  });

  it('answers guests, under their keys, and drops their frames; a guest dials members, and nobody dials a guest', async () => {
    const world = new World();
    const a = new Peer(world, A, [A, B], [D, E]);
    const d = new Peer(world, D, [A, B], [E]);
    const e = new Peer(world, E, [C], [A, D]);
    await world.pass();
    assert.deepEqual(a.news(), ['guest channel 3 true']);
    assert.deepEqual(d.news(), ['channel 0 true']);
    assert.deepEqual(e.news(), [], 'A and D are its guests, and it is theirs');
    assert.deepEqual(
      a.net.guests().map(({ name, connected }) => [name, connected]),
      [
        ['v3', true],
        ['v4', false],
      ],
    );
    const answers = Promise.all([d.net.request(0, FRAME, TIMEOUT), a.net.requestGuest(keyOf(D), FRAME, TIMEOUT)]);
    const none = assert.rejects(a.net.requestGuest(keyOf(E), FRAME, TIMEOUT), { code: 'NO_CHANNEL' });
    assert(d.net.send(0, FRAME));
    a.net.broadcast(FRAME);
    await world.pass();
    assert.deepEqual(await answers, [Uint8Array.of(103, 7), Uint8Array.of(0, 7)]);
    await none;
    assert.deepEqual(
      [a, d].map((one) => one.news()),
      [[], []],
      'frames go among members',
    );
  });

  it('keeps the channel of a guest that becomes a member, and of a member that becomes a guest', async () => {
    const { world, peers } = await meshed([A, B]);
    const [a, b] = peers as [Peer, Peer];
    const guest = new Peer(world, C, [A, B]);
    a.update([A, B], [C]);
    await world.pass();
    assert.deepEqual(a.news(), ['guest channel 2 true']);
    guest.net.send(0, FRAME);
    a.update([C, A], [B]);
    await world.pass();
    assert.deepEqual(a.news(), ['frame 0 7']);
    assert.deepEqual(a.net.connected(), [0]);
    const answer = a.net.requestGuest(keyOf(B), FRAME, TIMEOUT);
    await world.pass();
    assert.deepEqual(await answer, Uint8Array.of(0, 7));
    assert.deepEqual(b.news(), []);
  });

  it('a question under way is answered after both have other indexes', async () => {
    const { world, peers } = await meshed([A, B, C]);
    const [a, b] = peers as [Peer, Peer, Peer];
    const answer = a.net.request(1, FRAME, TIMEOUT);
    a.update([B, A]);
    b.update([C, B, A]);
    await world.pass();
    assert.deepEqual(await answer, Uint8Array.of(2, 7));
  });

  it('who is admitted again at once gets a channel again, whether it notices before or after', async () => {
    const { world, peers } = await meshed([A, B]);
    const [a, b] = peers as [Peer, Peer];
    const noticed = new Set<number>();
    for (let round = 0; round < 40; round++) {
      a.update([A]);
      a.update([A, B]);
      await world.pass();
      noticed.add(b.news().length);
      for (const { net } of peers) assert.equal(net.connected().length, 1);
    }
    assert.deepEqual([...noticed].sort(), [0, 2]);
  });

  it('both copies of a twin have a channel; it ends for the others with that of the second', async () => {
    const { world, peers } = await meshed([A, B]);
    const [a, b] = peers as [Peer, Peer];
    const copy = new Peer(world, B, [A, B]);
    await world.pass();
    assert.deepEqual([a.news(), copy.news()], [['channel 1 true'], ['channel 0 true']]);
    a.net.send(1, FRAME);
    await world.pass();
    assert.deepEqual(
      [b, copy].map((one) => one.news()),
      [['frame 0 7'], ['frame 0 7']],
    );
    copy.up = false;
    world.network.ended(copy, true);
    await world.pass();
    assert.deepEqual(a.news(), ['unreachable 1']);
    b.up = false;
    world.network.ended(b, true);
    await world.pass();
    assert.deepEqual(a.news(), ['channel 1 false', 'unreachable 1']);
  });

  it('refuses what is no set, and goes on with the one that it had', async () => {
    const { peers } = await meshed([A, B]);
    const [a] = peers as [Peer, Peer];
    assert.throws(() => a.update([A, B, B]), RangeError);
    assert.throws(() => a.update([A, B], [B]), RangeError);
    const set = setOf(A, [B, A], [], 1);
    assert.throws(() => a.net.update({ ...set, self: 0 }), RangeError);
    assert.throws(() => a.net.update({ ...set, self: undefined }), RangeError);
    const many = Array.from({ length: 129 }, (_, i) => i);
    assert.throws(() => a.update(many), /129 members, at most 128/);
    assert.throws(() => a.update([A], many.slice(1, 108)), /107 guests, at most 106/);
    assert.deepEqual([a.net.self, a.net.connected()], [0, [1]]);
  });
});
