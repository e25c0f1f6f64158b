import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { after, before, describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { toHex } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { encodeFrame } from '../../p2p/framing.ts';
import { HELLO_VERSION, helloCodec } from '../../p2p/hello.ts';
import type { Host } from '../../p2p/host.ts';
import type { Network } from '../../p2p/index.ts';
import { STREAMS_PER_PROTOCOL_MAX } from '../../p2p/limits.ts';
import { bootstrapOf, connectedTo, identity, startOne } from '../support/networks.ts';
import { rawHost } from '../support/raw-host.ts';

const GENESIS = sha256(Uint8Array.of(9));
const PROTOCOL = `/quorate/1/${toHex(GENESIS).slice(2)}/replica`;
const members = [0, 1, 2, 3].map(identity);
const STREAMS = 500;

/** Three validators that work, and the key of member 0 in the hands of somebody who only opens streams. */
describe('a member that holds streams open (real sockets)', { timeout: 60_000 }, () => {
  let networks: Network[];
  let attacker: Host;

  before(async () => {
    const first = await startOne(members, 1);
    const bootstrap = [bootstrapOf(first, members[1]!)];
    networks = [first, ...(await Promise.all([2, 3].map((self) => startOne(members, self, { bootstrap }))))];
    await Promise.all(
      networks.map((network) =>
        connectedTo(
          network,
          [1, 2, 3].filter((index) => index !== network.self),
        ),
      ),
    );
    networks[1]!.onRequest(async (_from, body) => body);
    attacker = await rawHost(members[0]!);
  });

  after(async () => {
    await Promise.all(networks.map((network) => network.close()));
    await attacker.stop();
  });

  /** Median time in ms of questions from member 1 to member 2. */
  async function latency(count: number): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      const answer = await networks[0]!.request(2, Uint8Array.of(i & 255), { timeoutMs: 10_000 });
      assert.deepEqual(answer, Uint8Array.of(i & 255));
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[count >> 1]!;
  }

  /** Opens this many streams to member 1, over a new connection whenever it ends the old one. */
  async function openStreams(count: number, then: (stream: Stream) => void): Promise<Stream[]> {
    const opened: Stream[] = [];
    while (opened.length < count) {
      try {
        const connection = await attacker.dial(multiaddr(networks[0]!.addresses()[0]!));
        const stream = await connection.newStream(PROTOCOL, { maxOutboundStreams: count });
        opened.push(stream);
        then(stream);
      } catch {
        // Refused, or the connection has just been ended: dialed again.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return opened;
  }

  it('L31: a frame that comes byte by byte holds nothing up, and arrives whole', async () => {
    const usual = await latency(200);
    const frame = encodeFrame('frame', new Uint8Array(3_000).fill(7));
    const received = new Promise<Uint8Array>((resolve) => {
      networks[0]!.onFrame((from, payload) => from === 0 && resolve(payload));
    });
    const hello = encodeFrame('hello', encode(helloCodec, { version: HELLO_VERSION, genesisId: GENESIS }));
    const [stream] = await openStreams(1, (one) => one.send(hello));
    let sent = 0;
    const drip = (): void => {
      if (sent === frame.length || stream!.status !== 'open') return;
      stream!.send(frame.slice(sent, ++sent));
      setImmediate(drip);
    };
    drip();
    const during = await latency(200);
    assert(during < 2 * usual + 5, `${during} ms, ${usual} ms without it`);
    assert.equal((await received).length, 3_000);
  });

  it(`R28: ${STREAMS} streams without a word leave room for honest traffic, and few of them stay`, async () => {
    const usual = await latency(200);
    const attack = openStreams(STREAMS, () => {});
    const during: number[] = [];
    let opened: Stream[] | undefined;
    attack.then((streams) => {
      opened = streams;
    });
    while (opened === undefined) during.push(await latency(20));
    const median = during.sort((a, b) => a - b)[during.length >> 1]!;
    // The attacker lives on the same thread here, and takes most of it.
    assert(median < 2 * usual + 20, `${median} ms, ${usual} ms without them`);
    const alive = opened.filter(({ status }) => status === 'open');
    assert(alive.length <= STREAMS_PER_PROTOCOL_MAX, `${alive.length} streams stay open`);
    assert.deepEqual(networks[0]!.connected(), [2, 3], 'no word, no channel');
  });
});
