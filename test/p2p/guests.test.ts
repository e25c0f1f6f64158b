import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { sha256 } from '../../ledger/hash.ts';
import { replicaProtocol } from '../../p2p/hello.ts';
import {
  CONNECTIONS_PER_GUEST_MAX,
  GUEST_BYTES_BURST,
  GUEST_REQUEST_BYTES_MAX,
  GUEST_REQUESTS_BURST,
  GUEST_REQUESTS_IN_MAX,
  SIGN_OF_LIFE_MS,
  SILENCE_MS,
} from '../../p2p/limits.ts';
import { bootstrapOf, type Identity, identity } from '../support/networks.ts';
import { connectedOf, meshed, type PeerNode, peerIdText, reasonsOf, startNode, update } from '../support/peer-nodes.ts';
import { eventually } from '../support/processes.ts';
import { rawHost } from '../support/raw-host.ts';

const [A, B, X, Y] = [0, 1, 5, 6].map(identity) as [Identity, Identity, Identity, Identity];
const TIMEOUT = { timeoutMs: 20_000 };
const CUT_OFF = 'it sent more than a guest may, and is refused for 10 s';

describe('guests', { timeout: 120_000, concurrency: 3 }, () => {
  /** Two members and a guest of both. The keys of X and Y are between those of A and B, so both directions are there. */
  async function twoAndGuest(test: TestContext): Promise<[PeerNode, PeerNode, PeerNode]> {
    const a = await startNode(test, A, [A, B], { guests: [X] });
    const b = await startNode(test, B, [A, B], { guests: [X], first: a });
    await meshed([a, b], [A, B]);
    const x = await startNode(test, X, [A, B], { first: a });
    await meshed([x], [A, B]);
    await eventually(async () => [a, b].every(({ network }) => network.guests()[0]?.connected), 'both have the guest');
    return [a, b, x];
  }

  it('find the members by one address, ask and are answered, and are asked', async (test) => {
    const [a, b, x] = await twoAndGuest(test);
    assert.equal(x.network.self, undefined);
    b.network.onGuestRequest(async (key, body) => {
      assert.deepEqual(key, X.info.peerKey);
      if (body[0] === 1) throw new Error('a secret');
      return Uint8Array.of(2 * body[0]!);
    });
    b.network.onRequest(async () => Uint8Array.of(99));
    assert.deepEqual(await x.network.request(1, Uint8Array.of(21), TIMEOUT), Uint8Array.of(42));
    await assert.rejects(x.network.request(1, Uint8Array.of(1), TIMEOUT), { message: 'the peer refused' });
    x.network.onRequest(async (from, body) => Uint8Array.of(from, ...body));
    assert.deepEqual(await b.network.requestGuest(X.info.peerKey, Uint8Array.of(5), TIMEOUT), Uint8Array.of(1, 5));
    assert.deepEqual(a.network.connected(), [1], 'a guest has no index');
    await assert.rejects(a.network.requestGuest(B.info.peerKey, Uint8Array.of(5), TIMEOUT), { code: 'NO_CHANNEL' });
    await assert.rejects(a.network.requestGuest(Y.info.peerKey, Uint8Array.of(5), TIMEOUT), { code: 'NO_CHANNEL' });
  });

  it('send frames that reach nobody, of any size, and keep their channel', async (test) => {
    const [a, , x] = await twoAndGuest(test);
    a.network.onFrame((from) => assert.fail(`a frame of ${from}`));
    a.network.onGuestRequest(async (_, body) => body);
    assert(x.network.send(0, Uint8Array.of(1)));
    assert(x.network.send(0, new Uint8Array(GUEST_BYTES_BURST / 2)));
    // The answer comes behind the frames.
    assert.deepEqual(await x.network.request(0, Uint8Array.of(7), TIMEOUT), Uint8Array.of(7));
  });

  it('are told from members at both ends of the change, while their channel stays', async (test) => {
    const [a, b, x] = await twoAndGuest(test);
    const heard: string[] = [];
    a.network.onGuestChannel((key, open) => heard.push(`${key[0]} ${open}`));
    a.network.onChannel((index, open) => heard.push(`${index} ${open}`));
    const frames: [number, number][] = [];
    a.network.onFrame((from, frame) => frames.push([from, frame[0]!]));
    for (const node of [a, b, x]) update(node, [X, A, B], 1);
    assert(x.network.send(1, Uint8Array.of(3)));
    await eventually(async () => frames.length > 0, 'its frame comes');
    assert.deepEqual(frames, [[0, 3]]);
    for (const node of [a, b]) update(node, [A, B], 2);
    await eventually(async () => connectedOf(x).length === 0, 'it is out');
    assert.deepEqual(heard, []);
  });

  it('that lost their channel come back by themselves', async (test) => {
    const [a, b, x] = await twoAndGuest(test);
    const heard = Promise.withResolvers<void>();
    const events: string[] = [];
    a.network.onGuestChannel((key, open) => {
      assert.deepEqual(key, X.info.peerKey);
      events.push(open ? 'open' : 'closed');
      if (open) heard.resolve();
    });
    await x.network.close();
    await eventually(async () => events.length === 1, 'it is gone');
    const again = await startNode(test, X, [A, B], { first: b });
    await heard.promise;
    await meshed([again], [A, B]);
    assert.deepEqual(events, ['closed', 'open']);
  });

  it(`are not taken for dead while nobody asks anything, for longer than ${SILENCE_MS / 1_000} s`, async (test) => {
    const [a, b, x] = await twoAndGuest(test);
    let closed = 0;
    for (const { network } of [a, b]) network.onGuestChannel(() => closed++);
    x.network.onChannel(() => closed++);
    const start = performance.now();
    const received = (): number => a.network.guests()[0]!.bytesReceived;
    let before = received();
    // Each sign of life is seen; as many as fit into more than the silence.
    for (let signs = 0; signs < SILENCE_MS / SIGN_OF_LIFE_MS + 1; signs++) {
      await eventually(async () => received() > before, 'a sign of life');
      before = received();
    }
    await eventually(async () => performance.now() - start > SILENCE_MS + 1_000, 'longer than the silence');
    assert.equal(closed, 0);
  });
});

describe('guests that ask too much', { timeout: 120_000, concurrency: 3 }, () => {
  it('are answered a few questions at a time, and so many in a while; the others are refused at once', async (test) => {
    const a = await startNode(test, A, [A], { guests: [X] });
    const x = await startNode(test, X, [A], { first: a });
    await meshed([x], [A]);
    let working = 0;
    const held = Promise.withResolvers<Uint8Array>();
    a.network.onGuestRequest(() => {
      working++;
      return held.promise;
    });
    const ask = () =>
      x.network.request(0, Uint8Array.of(1), TIMEOUT).then(
        () => 'answered',
        ({ code }) => code,
      );
    const many = Array.from({ length: GUEST_REQUESTS_IN_MAX + 10 }, ask);
    await Promise.all(many.slice(GUEST_REQUESTS_IN_MAX));
    assert.equal(working, GUEST_REQUESTS_IN_MAX);
    held.resolve(Uint8Array.of(2));
    const codes = await Promise.all(many);
    assert.deepEqual(codes.slice(0, GUEST_REQUESTS_IN_MAX), Array(GUEST_REQUESTS_IN_MAX).fill('answered'));
    assert.deepEqual(new Set(codes.slice(GUEST_REQUESTS_IN_MAX)), new Set(['REFUSED']));
    a.network.onGuestRequest(async () => Uint8Array.of(3));
    let answered = GUEST_REQUESTS_IN_MAX;
    while ((await ask()) === 'answered') answered++;
    assert(answered >= GUEST_REQUESTS_BURST, `${answered} answers`);
    assert(answered < 3 * GUEST_REQUESTS_BURST, `${answered} answers`);
    assert.equal(a.network.guests()[0]!.connected, true, 'it is refused, not cut off');
  });

  it('with a question longer than any that there is: the channel ends before it has come', async (test) => {
    const a = await startNode(test, A, [A], { guests: [X] });
    const x = await startNode(test, X, [A], { first: a });
    await meshed([x], [A]);
    a.network.onGuestRequest(() => assert.fail('it came'));
    const asked = x.network.request(0, new Uint8Array(GUEST_REQUEST_BYTES_MAX), TIMEOUT);
    await assert.rejects(asked, { code: 'CLOSED' });
    const reason = `request of ${GUEST_REQUEST_BYTES_MAX + 4} bytes, of a guest at most ${GUEST_REQUEST_BYTES_MAX}`;
    assert.deepEqual(reasonsOf(a, 'channel closed', 'v5'), [reason]);
  });

  it('flood with frames: they are cut off and refused for a while; members go on; a new member starts anew', async (test) => {
    const a = await startNode(test, A, [A, B], { guests: [X] });
    const b = await startNode(test, B, [A, B], { first: a });
    const x = await startNode(test, X, [A, B], { first: a });
    await meshed([a, b], [A, B]);
    await meshed([x], [A]);
    let closed = 0;
    b.network.onChannel(() => closed++);
    b.network.onFrame((from, frame) => {
      b.network.send(from, frame);
    });
    const flood = setInterval(() => x.network.send(0, new Uint8Array(100_000)), 1);
    test.after(() => clearInterval(flood));
    let answers = 0;
    a.network.onFrame(() => answers++);
    await eventually(async () => reasonsOf(a, 'guest cut off', 'v5').length > 0, 'it is cut off');
    await eventually(async () => reasonsOf(a, 'peer refused', peerIdText(X)).length > 0, 'it comes again');
    assert.deepEqual(reasonsOf(a, 'guest cut off', 'v5'), [CUT_OFF]);
    assert.deepEqual(reasonsOf(a, 'peer refused', peerIdText(X)), ['a guest that has sent too much']);
    assert.equal(a.network.guests()[0]!.connected, false);
    assert.equal(a.network.guests()[0]!.reason, CUT_OFF);
    clearInterval(flood);
    a.network.send(1, Uint8Array.of(1));
    await eventually(async () => answers > 0, 'the member answers');
    assert.equal(closed, 0);
    for (const node of [a, b, x]) update(node, [A, B, X], 1);
    await meshed([a, b, x], [A, B, X]);
  });

  it('flood with long questions: they are cut off as well', async (test) => {
    const a = await startNode(test, A, [A], { guests: [X] });
    const x = await startNode(test, X, [A], { first: a });
    await meshed([x], [A]);
    a.network.onGuestRequest(async () => Uint8Array.of(1));
    const size = GUEST_REQUEST_BYTES_MAX - 4;
    const count = Math.ceil(GUEST_BYTES_BURST / size) + 1;
    const asked = Array.from({ length: count }, () => x.network.request(0, new Uint8Array(size), TIMEOUT));
    const ends = await Promise.allSettled(asked);
    assert(ends.some((end) => end.status === 'rejected' && end.reason.code === 'CLOSED'));
    assert.deepEqual(reasonsOf(a, 'guest cut off', 'v5'), [CUT_OFF]);
  });

  it('flood with streams, or with connections: they are cut off as well', async (test) => {
    // With the greater key: channels are for the guests to open.
    const b = await startNode(test, B, [B], { guests: [X, Y] });
    const [streams, connections] = [await rawHost(X, test), await rawHost(Y, test)];
    const address = multiaddr(bootstrapOf(b.network, B));
    const isCut = (name: string) => reasonsOf(b, 'guest cut off', name).length > 0;
    const protocol = replicaProtocol(sha256(Uint8Array.of(9)));
    for (let opened = 0; !isCut('v5'); opened++) {
      assert(opened < 1_000, `${opened} streams`);
      try {
        await (await streams.dial(address)).newStream(protocol);
      } catch {
        // The connection has just been ended: dialed again.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    for (let dialed = 0; !isCut('v6'); dialed++) {
      assert(dialed < 1_000, `${dialed} connections`);
      await connections.dial(address, { force: true }).catch(() => undefined);
      const { connections: open } = await b.network.counts();
      assert(open <= CONNECTIONS_PER_GUEST_MAX + 1, `${open} connections`);
    }
  });
});

describe('a stranger', { timeout: 60_000 }, () => {
  it('is refused before anything is set up for it; the log names both, once', async (test) => {
    const a = await startNode(test, A, [A, B], { guests: [X] });
    const before = await a.network.counts();
    const y = await startNode(test, Y, [A, B], { first: a });
    const refusals = () => reasonsOf(a, 'peer refused', peerIdText(Y));
    await eventually(async () => refusals().length > 0, 'it comes');
    await eventually(async () => (y.network.peerStatus()[0]?.reason ?? '').includes(peerIdText(Y)), 'it knows why');
    assert.deepEqual(await a.network.counts(), before);
    assert.deepEqual(refusals(), [`neither member nor guest of ${peerIdText(A)} in epoch 0`]);
  });
});
