import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ProxiedConnection, TcpProxy } from '../../bench/tcp-proxy.ts';
import { compareBytes, equalBytes } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { type Network, peerIdOf } from '../../p2p/index.ts';
import { SILENCE_MS } from '../../p2p/limits.ts';
import { bootstrapOf, connectedTo, identity, startOne } from '../support/networks.ts';
import { eventually } from '../support/processes.ts';

/** In the order of their peer keys: the lower one opens the channel. */
const members = [0, 1, 2].map(identity).sort((a, b) => compareBytes(a.info.peerKey, b.info.peerKey));
/** Nobody listens there: whoever must be dialed through the proxy is not found another way. */
const NOWHERE = '/ip4/127.0.0.1/tcp/1';

/** Members 0 and 1, where 0 reaches 1 through a proxy, and how often each heard that the channel opened. */
interface Pair {
  readonly networks: readonly [Network, Network];
  readonly proxy: TcpProxy;
  readonly opened: [number, number];
  /** Frames at each; a STATUS-like frame goes both ways four times a second. */
  readonly received: readonly [Uint8Array[], Uint8Array[]];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function pair(test: TestContext): Promise<Pair> {
  const port = await freePort();
  const proxy = await TcpProxy.start(port);
  const address = `/ip4/127.0.0.1/tcp/${proxy.port}`;
  const second = await startOne(members, 1, { listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [address] });
  const bootstrap = [`${address}/p2p/${peerIdOf(members[1]!.info.peerKey)}`];
  const first = await startOne(members, 0, { bootstrap, announce: [NOWHERE] });
  const networks = [first, second] as const;
  const opened: [number, number] = [0, 0];
  const received: [Uint8Array[], Uint8Array[]] = [[], []];
  await Promise.all([connectedTo(first, [1]), connectedTo(second, [0])]);
  for (const side of [0, 1] as const) {
    networks[side].onChannel((_, open) => {
      if (open) opened[side]++;
    });
    networks[side].onFrame((_, frame) => received[side].push(frame));
  }
  const talking = setInterval(() => {
    first.send(1, Uint8Array.of(0));
    second.send(0, Uint8Array.of(0));
  }, 250);
  test.after(async () => {
    clearInterval(talking);
    await Promise.all(networks.map((network) => network.close()));
    await proxy.close();
  });
  return { networks, proxy, opened, received };
}

const isLinked = ({ networks: [first, second] }: Pair): boolean =>
  first.connected().includes(1) && second.connected().includes(0);

/** One channel at each end, over which a frame arrives once. */
async function isWholeAgain(one: Pair): Promise<void> {
  await eventually(async () => isLinked(one), 'the channel is there again');
  const { networks, received } = one;
  const mark = sha256(Uint8Array.of(one.received[0].length, one.received[1].length, one.proxy.accepted));
  for (const side of [0, 1] as const) {
    await eventually(async () => networks[side].send(1 - side, mark), 'it takes a frame');
    await eventually(async () => received[1 - side]!.some((frame) => equalBytes(frame, mark)), 'the frame arrives');
  }
  await delay(300);
  for (const frames of received) assert.equal(frames.filter((frame) => equalBytes(frame, mark)).length, 1);
  assert.deepEqual([networks[0].connected(), networks[1].connected()], [[1], [0]]);
}

describe('links that break', { concurrency: true, timeout: 90_000 }, () => {
  it('N10: an RST in the middle of a frame: nothing of it is delivered, requests end, and a new channel opens', async (test) => {
    const one = await pair(test);
    const { networks, proxy, received } = one;
    networks[1].onRequest(() => new Promise(() => {}));
    for (let round = 1; round <= 3; round++) {
      const asked = networks[0].request(1, Uint8Array.of(1), { timeoutMs: 60_000 });
      let passed = 0;
      proxy.tamper = (connection, bytes, toTarget) => {
        passed += toTarget ? bytes.length : 0;
        if (passed < 300_000) return bytes;
        setImmediate(() => connection.reset());
        return bytes.subarray(0, 100);
      };
      networks[0].send(1, new Uint8Array(1_000_000).fill(round));
      await assert.rejects(asked, { code: 'CLOSED' });
      proxy.tamper = (_, bytes) => bytes;
      await isWholeAgain(one);
    }
    assert(received[1].every((frame) => frame.length <= 32));
    assert(one.opened[0] >= 3);
  });

  it(`N10: half open, as after NAT rebinding: found out by ${SILENCE_MS / 1_000} s of silence; what comes late changes nothing`, async (test) => {
    const one = await pair(test);
    const old = new Set<ProxiedConnection>(one.proxy.connections);
    one.proxy.holds = (connection) => old.has(connection);
    const start = performance.now();
    await eventually(async () => one.opened[0] > 0 && one.opened[1] > 0, 'a new channel');
    assert(performance.now() - start > SILENCE_MS - 2_000, 'not before');
    await isWholeAgain(one);
    const before = [...one.opened];
    // The mapping is back: what the dead connections still hold arrives.
    one.proxy.holds = () => false;
    one.proxy.update();
    await isWholeAgain(one);
    assert.deepEqual(one.opened, before, 'no second session');
  });

  it('N10: a link that passes small packets only ends by silence, and comes back when it passes all', async (test) => {
    const one = await pair(test);
    const stuck = new Set<ProxiedConnection>();
    one.proxy.holds = (connection) => stuck.has(connection);
    one.proxy.tamper = (connection, bytes) => {
      if (bytes.length > 1_400) stuck.add(connection);
      return bytes;
    };
    one.networks[0].send(1, new Uint8Array(100_000).fill(7));
    await eventually(async () => stuck.size > 0, 'the large frame is stuck');
    // Either finds out first; a new channel may replace the dead one at the other before that one knows.
    await eventually(async () => one.opened[0] > 0 && one.opened[1] > 0, 'a new channel');
    assert(one.received[1].every((frame) => frame.length < 100_000));
    one.proxy.tamper = (_, bytes) => bytes;
    await isWholeAgain(one);
    one.networks[0].send(1, new Uint8Array(100_000).fill(8));
    await eventually(async () => one.received[1].some((frame) => frame[0] === 8), 'large frames pass');
  });

  it('N10: while connections are refused it dials again and again, less and less often', async (test) => {
    const one = await pair(test);
    one.proxy.refusing = true;
    one.proxy.resetAll();
    const before = one.proxy.accepted;
    await eventually(async () => !isLinked(one), 'the channel is gone');
    await delay(6_000);
    const tries = one.proxy.accepted - before;
    // Waits of 50 ms doubled up to 2 s, give or take a quarter.
    assert(tries >= 4 && tries <= 14, `${tries} tries in 6 s`);
    one.proxy.refusing = false;
    await isWholeAgain(one);
  });
});

describe('who is at the other end', { concurrency: true, timeout: 60_000 }, () => {
  /** Which of two hosts with the key of member `twin` member 1 - `twin` hears and reaches. */
  async function twins(test: TestContext, twin: 0 | 1): Promise<void> {
    const other = twin === 0 ? 1 : 0;
    const one = await startOne(members, other);
    const bootstrap = [bootstrapOf(one, members[other]!)];
    const hosts = [await startOne(members, twin, { bootstrap })];
    test.after(() => Promise.all([one, ...hosts].map((network) => network.close())));
    await connectedTo(one, [twin]);
    let opened = 0;
    one.onChannel((_, open) => {
      if (open) opened++;
    });
    hosts.push(await startOne(members, twin, { bootstrap }));
    const arrived = new Map<number, number>();
    for (const host of hosts) host.onFrame((_, frame) => arrived.set(frame[0]!, (arrived.get(frame[0]!) ?? 0) + 1));
    let sent = 0;
    for (let i = 0; i < 100; i++) {
      if (one.send(twin, Uint8Array.of(i))) sent++;
      const links = one.connected();
      assert(links.length <= 1, `${links}`);
      await delay(30);
    }
    assert(sent > 20, `${sent} of 100 frames were taken`);
    for (const [frame, times] of arrived) assert.equal(times, 1, `frame ${frame} arrived ${times} times`);
    assert(opened < 40, `${opened} channels in 3 s`);
  }

  it('N11: one key at two hosts, which are dialed: one live session, each frame reaches one of them', (test) =>
    twins(test, 1));

  it('N11: one key at two hosts, which open the channel: one live session, the newest', (test) => twins(test, 0));

  it('N11: an address where another key answers: no channel, and the reason is known', async (test) => {
    const second = await startOne(members, 1);
    const address = bootstrapOf(second, members[1]!).replace(/\/p2p\/.*$/, '');
    const wrong = `${address}/p2p/${peerIdOf(members[2]!.info.peerKey)}`;
    const first = await startOne(members, 0, { bootstrap: [wrong], announce: [NOWHERE] });
    test.after(() => Promise.all([first.close(), second.close()]));
    const reasonOf = (index: number) => first.peerStatus().find((peer) => peer.index === index)?.reason ?? '';
    await eventually(async () => !['', 'no address known'].includes(reasonOf(2)), 'a reason');
    assert.deepEqual(first.connected(), []);
    assert.match(reasonOf(2), /expected|mismatch|match|identity|key/i);
  });

  it('N14: a name that does not resolve is a reason and no end: the other side still gets through', async (test) => {
    const first = await startOne(members, 0, {
      bootstrap: [`/dns4/nowhere.invalid/tcp/1/p2p/${peerIdOf(members[1]!.info.peerKey)}`],
    });
    test.after(() => first.close());
    const reason = () => first.peerStatus()[0]!.reason ?? '';
    await eventually(async () => !['', 'no address known'].includes(reason()), 'a reason');
    assert.doesNotMatch(reason(), /\n/);
    const second = await startOne(members, 1, { bootstrap: [bootstrapOf(first, members[0]!)] });
    test.after(() => second.close());
    await connectedTo(first, [1]);
  });
});
