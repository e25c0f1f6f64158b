import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { sha256 } from '../../ledger/hash.ts';
import { createSigner } from '../../node/signatures.ts';
import type { PeerSet } from '../../p2p/index.ts';
import { type Identity, identity, setOf } from '../support/networks.ts';
import {
  closings,
  connectedOf,
  meshed,
  type PeerNode,
  peerIdText,
  reasonsOf,
  startNode,
  startNodes,
  update,
} from '../support/peer-nodes.ts';
import { eventually } from '../support/processes.ts';

const PEOPLE = Array.from({ length: 10 }, (_, number) => identity(number));
const [A, B, C, D, E, F, G] = PEOPLE as [Identity, Identity, Identity, Identity, Identity, Identity, Identity];
const TIMEOUT = { timeoutMs: 20_000 };

describe('a set of peers that changes', { timeout: 120_000, concurrency: 2 }, () => {
  it('grows from four to seven: the new ones are found, and no channel among the four is closed', async (test) => {
    const four = await startNodes(test, [A, B, C, D]);
    await meshed(four, [A, B, C, D]);
    const seven = [A, B, C, D, E, F, G];
    const late = await Promise.all([E, F, G].map((who) => startNode(test, who, seven, { first: four[0]! })));
    await eventually(
      async () => late.every(({ network }) => /admit/.test(network.peerStatus()[0]?.reason ?? '')),
      'they are refused and ask why',
    );
    assert.deepEqual(late.flatMap(connectedOf), []);
    const closed = four.map(closings);
    for (const node of four) update(node, seven, 1);
    await meshed([...four, ...late], seven);
    assert.deepEqual(
      closed.map((count) => count()),
      [0, 0, 0, 0],
    );
  });

  it('shrinks: who is removed is cut off and refused, with its open questions, and the log says why', async (test) => {
    const nodes = await startNodes(test, [A, B, C, D]);
    const [a, b, , d] = nodes as [PeerNode, PeerNode, PeerNode, PeerNode];
    await meshed(nodes, [A, B, C, D]);
    d.network.onRequest(() => new Promise(() => {}));
    const asked = a.network.request(3, Uint8Array.of(1), TIMEOUT);
    const closed = closings(b);
    for (const node of nodes.slice(0, 3)) update(node, [A, B, C], 1);
    assert.deepEqual([a, b].map(connectedOf), [
      [B, C],
      [A, C],
    ]);
    assert.equal(a.network.send(3, Uint8Array.of(1)), false);
    await assert.rejects(asked, { code: 'CLOSED', message: 'neither member nor guest as of epoch 1' });
    await assert.rejects(a.network.request(3, Uint8Array.of(1), TIMEOUT), { code: 'NO_CHANNEL' });
    assert.deepEqual(reasonsOf(a, 'peer removed', 'v3'), ['neither member nor guest as of epoch 1']);
    await eventually(async () => connectedOf(d).length === 0, 'it has noticed');
    const refusals = () => reasonsOf(b, 'peer refused', peerIdText(D));
    await eventually(async () => refusals().length > 0, 'it comes again and is refused');
    assert.deepEqual(refusals(), [`neither member nor guest of ${peerIdText(B)} in epoch 1`]);
    assert.equal(closed(), 0, 'no handler is called for what an update does');
    assert.deepEqual((await a.network.counts()).channels, 2);
  });

  it('replaces a member: its index is the newcomer’s', async (test) => {
    const nodes = await startNodes(test, [A, B, C, D]);
    await meshed(nodes, [A, B, C, D]);
    const newcomer = await startNode(test, E, [A, B, E, D], { first: nodes[0]! });
    const [a, b, c, d] = nodes as [PeerNode, PeerNode, PeerNode, PeerNode];
    for (const node of [a, b, d]) update(node, [A, B, E, D], 1);
    await meshed([a, b, d, newcomer], [A, B, E, D]);
    const got = new Promise<number>((resolve) => newcomer.network.onFrame((from) => resolve(from)));
    assert(b.network.send(2, Uint8Array.of(1)));
    assert.equal(await got, 1);
    await eventually(async () => connectedOf(c).length === 0, 'the one that was replaced is alone');
  });

  it('while frames fly: each comes under the index that its sender has for the receiver then, none is lost', async (test) => {
    const people = [A, B, C, D];
    const nodes = await startNodes(test, people);
    await meshed(nodes, people);
    const closed = nodes.map(closings);
    /** `sender receiver` to the number of the last frame. */
    const sent = new Map<string, number>();
    const received = new Map<string, number>();
    const nameOf = (who: Identity): number => PEOPLE.indexOf(who);
    for (const node of nodes) {
      node.network.onFrame((from, frame) => {
        const [sender, receiver] = frame;
        assert.equal(node.members[from], PEOPLE[sender!], 'under the index of its sender');
        assert.equal(receiver, nameOf(node.who), 'it was for us');
        const number = new DataView(frame.buffer, frame.byteOffset).getUint32(2);
        assert.equal(number, (received.get(`${sender} ${receiver}`) ?? 0) + 1, 'in order and whole');
        received.set(`${sender} ${receiver}`, number);
      });
    }
    const sendAll = (node: PeerNode): void => {
      node.members.forEach((member, index) => {
        if (member === node.who) return;
        const link = `${nameOf(node.who)} ${nameOf(member)}`;
        const frame = new Uint8Array(3_000);
        frame.set([nameOf(node.who), nameOf(member)]);
        new DataView(frame.buffer).setUint32(2, (sent.get(link) ?? 0) + 1);
        assert(node.network.send(index, frame));
        sent.set(link, (sent.get(link) ?? 0) + 1);
      });
    };
    for (let round = 0; round < 400; round++) {
      for (const node of nodes) sendAll(node);
      // One node after another, so that they are in different epochs most of the time.
      if (round % 2 === 0) update(nodes[(round / 2) % 4]!, orderOf(people, round >> 3), round);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(async () => [...sent].every(([link, count]) => received.get(link) === count), 'all have come');
    assert.equal(sent.size, 12);
    assert.deepEqual(
      closed.map((count) => count()),
      [0, 0, 0, 0],
    );
  });

  it('within one read: the frame behind the one that changed the set comes under the new index, or not at all', async (test) => {
    const nodes = await startNodes(test, [A, B, C]);
    await meshed(nodes, [A, B, C]);
    const [a, b] = nodes as [PeerNode, PeerNode];
    const seen: [number, number][] = [];
    b.network.onFrame((from, frame) => {
      seen.push([from, frame[0]!]);
      if (frame[0] === 1) update(b, [C, B, A], 1);
      if (frame[0] === 3) update(b, [C, B], 2);
    });
    // Frames of one turn leave in one write.
    for (const number of [1, 2, 3, 4, 5]) a.network.send(1, Uint8Array.of(number));
    await eventually(async () => connectedOf(a).length === 1, 'the sender is cut off');
    assert.deepEqual(seen, [
      [0, 1],
      [2, 2],
      [2, 3],
    ]);
  });

  it('a question that is under way is answered, whatever index the asker has meanwhile', async (test) => {
    const nodes = await startNodes(test, [A, B, C]);
    await meshed(nodes, [A, B, C]);
    const [a, b] = nodes as [PeerNode, PeerNode];
    const asked = Promise.withResolvers<number>();
    const answer = Promise.withResolvers<Uint8Array>();
    b.network.onRequest((from) => {
      asked.resolve(from);
      return answer.promise;
    });
    const got = a.network.request(1, Uint8Array.of(7), TIMEOUT);
    assert.equal(await asked.promise, 0);
    update(a, [B, C, A], 1);
    update(b, [C, A, B], 1);
    answer.resolve(Uint8Array.of(42));
    assert.deepEqual(await got, Uint8Array.of(42));
  });

  it('two nodes in different epochs, in whose sets each has the lower index: one channel all the same', async (test) => {
    for (const members of [
      [A, B],
      [B, A],
    ]) {
      const [one, other] = members as [Identity, Identity];
      const first = await startNode(test, one, [one, other]);
      const second = await startNode(test, other, [other, one], { first });
      await meshed([first, second], [A, B]);
    }
  });

  it('self is removed, stays as a guest, and is a member again: the channels stay, frames stop and come again', async (test) => {
    const nodes = await startNodes(test, [A, B, C, D]);
    const [a, b, c, d] = nodes as [PeerNode, PeerNode, PeerNode, PeerNode];
    await meshed(nodes, [A, B, C, D]);
    const closed = nodes.map(closings);
    const frames: string[] = [];
    for (const node of nodes) {
      node.network.onFrame((from, frame) => frames.push(`${frame[0]}: ${from} to ${node.who.info.name}`));
    }
    for (const node of [a, b, c]) update(node, [A, B, C], 1, [D]);
    update(d, [A, B, C], 1);
    assert.equal(d.network.self, undefined);
    assert.deepEqual(d.network.connected(), [0, 1, 2]);
    assert.deepEqual(
      a.network.guests().map(({ name, connected }) => [name, connected]),
      [['v3', true]],
    );
    for (const { network } of [a, b, c]) network.onGuestRequest(async (key, body) => Uint8Array.of(key[0]!, ...body));
    a.network.broadcast(Uint8Array.of(1));
    d.network.broadcast(Uint8Array.of(2));
    for (const index of [0, 1, 2]) {
      // What is behind a frame on the same channel has come, so the frame has come too.
      const answer = await d.network.request(index, Uint8Array.of(9), TIMEOUT);
      assert.deepEqual(answer, Uint8Array.of(D.info.peerKey[0]!, 9));
    }
    d.network.onRequest(async (from) => Uint8Array.of(from));
    d.network.onGuestRequest(async () => Uint8Array.of(99));
    assert.deepEqual(await a.network.requestGuest(D.info.peerKey, Uint8Array.of(1), TIMEOUT), Uint8Array.of(0));
    await eventually(async () => frames.length >= 2, 'the members have it');
    assert.deepEqual(frames.splice(0).sort(), ['1: 0 to v1', '1: 0 to v2']);
    for (const node of nodes) update(node, [D, A, B, C], 2);
    d.network.broadcast(Uint8Array.of(3));
    await eventually(async () => frames.length >= 3, 'frames come again');
    assert.deepEqual(frames.sort(), ['3: 0 to v0', '3: 0 to v1', '3: 0 to v2']);
    assert.deepEqual(
      closed.map((count) => count()),
      [0, 0, 0, 0],
    );
  });

  it('self is removed for good, and admitted again: it is found, also at another place in the set', async (test) => {
    const nodes = await startNodes(test, [A, B, C, D]);
    const [a, b, c, d] = nodes as [PeerNode, PeerNode, PeerNode, PeerNode];
    await meshed(nodes, [A, B, C, D]);
    for (let epoch = 1; epoch <= 5; epoch += 2) {
      update(d, [A, B, C], epoch);
      for (const node of [a, b, c]) update(node, [A, B, C], epoch);
      await meshed([a, b, c], [A, B, C]);
      await eventually(async () => connectedOf(d).length === 0, 'nobody talks to it');
      const members = orderOf([A, B, C, D], epoch);
      for (const node of nodes) update(node, members, epoch + 1);
      await meshed(nodes, members);
    }
  });

  it('a set that we can’t be in is refused, and changes nothing', async (test) => {
    const nodes = await startNodes(test, [A, B]);
    await meshed(nodes, [A, B]);
    const { network } = nodes[0]!;
    const good = setOf([A, B], A);
    const many = Array.from({ length: 129 }, (_, number) => identity(number).info);
    const bad: readonly [PeerSet, RegExp][] = [
      [{ ...good, self: 1 }, /v0 has peer key .*, and we are member 1/],
      [{ ...good, self: 2 }, /no member 2 among 2/],
      [{ ...good, self: -1 }, /no member -1 among 2/],
      [{ ...good, self: undefined }, /v0 has peer key .*, and we are member undefined/],
      [{ ...good, guests: [A.info] }, /v0 and v0 have the same peer key/],
      [{ ...good, guests: [C.info, C.info] }, /v2 and v2 have the same peer key/],
      [{ ...good, peers: [A.info, B.info, B.info] }, /v1 and v1 have the same peer key/],
      [{ ...good, guests: [{ name: 'x', peerKey: new Uint8Array(31) }] }, /of x has 31 bytes, expected 32/],
      [{ ...good, peers: many, self: 0 }, /129 members, at most 128/],
      [{ ...good, guests: many.slice(2, 2 + 107) }, /107 guests, at most 106/],
    ];
    for (const [set, problem] of bad) {
      assert.throws(
        () => network.update(set),
        (error) => error instanceof RangeError && problem.test(error.message),
      );
    }
    assert.deepEqual([network.self, network.connected(), network.guests()], [0, [1], []]);
  });
});

describe('a set of peers that changes some hundred times', { timeout: 120_000 }, () => {
  it('leaves nothing behind: no connection, dialer, timer, record, or peer of libp2p or gossipsub', async (test) => {
    const [a, b] = (await startNodes(test, [A, B])) as [PeerNode, PeerNode];
    await meshed([a, b], [A, B]);
    // As STATUS does: a silent channel would end.
    const talking = setInterval(() => {
      for (const { network } of [a, b]) network.broadcast(Uint8Array.of(0));
    }, 1_000);
    test.after(() => clearInterval(talking));
    const quiet = {
      connections: 1,
      channels: 1,
      dialers: 1,
      records: 2,
      stored: 1,
      gossiping: 1,
      listening: 1,
      topics: 1,
    };
    const isQuiet = async () => isDeepStrictEqual(await a.network.counts(), quiet);
    await eventually(isQuiet, 'nothing is under way');
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const timersBefore = timers();
    const come = await startNode(test, E, [A, B, E], { first: a });
    for (let round = 0; round < 300; round++) {
      // Nobody listens at the addresses of the members of one round; a real node comes and goes.
      const passing = [identity(round), identity(round + 1)]
        .filter((_, i) => i < round % 3)
        .map(({ info, ...rest }) => ({
          ...rest,
          info: { ...info, name: `passing ${info.name}`, peerKey: keyOf(round, info.peerKey), addresses: NOWHERE },
        }));
      const comes = round % 2 === 0 ? [E] : [];
      for (const node of [a, b]) {
        const [guests, members] = round % 4 === 0 ? [comes, passing] : [passing, comes];
        update(node, [A, ...members, B], round, guests);
      }
      if (round % 60 === 0) {
        await eventually(async () => (await a.network.counts()).channels === 2, 'the one that comes and goes has come');
      } else {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    for (const node of [a, b]) update(node, [A, B], 1_000);
    await come.network.close();
    for (let round = 0; round < 15; round++) {
      // Removed while libp2p still gets to know it.
      const [who, epoch] = [identity(100 + round), 1_001 + round];
      const comer = await startNode(test, who, [A, who], { first: a });
      update(a, round % 2 === 0 ? [A, B] : [who, A, B], epoch, round % 2 === 0 ? [who] : []);
      await eventually(async () => connectedOf(comer).includes(A), 'it has come');
      update(a, [A, B], epoch);
      await comer.network.close();
    }
    await eventually(isQuiet, 'all is as before');
    await eventually(async () => timers() <= timersBefore + 5, `${timersBefore} timers`);
    assert.deepEqual(connectedOf(a), [B]);
    assert.equal(reasonsOf(a, 'channel closed', B.info.name).length, 0);
  });
});

/** Where nobody listens. */
const NOWHERE = ['/ip4/127.0.0.1/tcp/1'];

/** A key that no other round has. */
function keyOf(round: number, seed: Uint8Array): Uint8Array {
  return createSigner(sha256(Uint8Array.of(3, round >> 8, round & 255, seed[0]!))).publicKey;
}

/** One of the orders of the list, a different one for each of some numbers. */
function orderOf(people: readonly Identity[], number: number): readonly Identity[] {
  const left = [...people];
  const order: Identity[] = [];
  let rest = number;
  while (left.length > 0) {
    order.push(...left.splice(rest % left.length, 1));
    rest = Math.floor(rest / (left.length + 1)) + 7 * left.length;
  }
  return order;
}
