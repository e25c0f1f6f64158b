import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import { type Network, P2pError } from '../../p2p/index.ts';
import { bootstrapOf, connectedTo, identity, quietLog, startOne } from '../support/networks.ts';

const members = [0, 1, 2, 3].map(identity);

describe('four validators and one bootstrap address', { timeout: 60_000 }, () => {
  let networks: Network[];
  let bootstrap: string;

  before(async () => {
    const first = await startOne(members, 0);
    bootstrap = bootstrapOf(first, members[0]!);
    const others = await Promise.all([1, 2, 3].map((self) => startOne(members, self, { bootstrap: [bootstrap] })));
    networks = [first, ...others];
    await Promise.all(
      networks.map((network, self) =>
        connectedTo(
          network,
          [0, 1, 2, 3].filter((i) => i !== self),
        ),
      ),
    );
  });

  after(() => Promise.all(networks.map((network) => network.close())));

  it('find each other and exchange frames in order', async () => {
    const [a, , c] = networks;
    const received: number[] = [];
    const done = new Promise<void>((resolve) => {
      c!.onFrame((from, frame) => {
        if (from === 0) received.push(frame[0]!);
        if (received.length === 100) resolve();
      });
    });
    for (let i = 0; i < 100; i++) assert(a!.send(2, Uint8Array.of(i)));
    await done;
    assert.deepEqual(
      received,
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.equal(a!.send(0, Uint8Array.of(1)), false, 'nobody has a channel to itself');
  });

  it('carry a frame larger than any buffer of the stream', async () => {
    const [, b, , d] = networks;
    const large = new Uint8Array(6 * 1024 * 1024).map((_, i) => i * 7);
    const received = new Promise<Uint8Array>((resolve) => {
      d!.onFrame((from, frame) => from === 1 && resolve(frame));
    });
    assert(b!.send(3, large));
    assert.deepEqual(sha256(await received), sha256(large));
    assert.throws(() => b!.send(3, new Uint8Array(9 * 1024 * 1024)), /at most/);
  });

  it('answer requests, refuse without a reason when the handler throws, and time out', async () => {
    const [a, b] = networks;
    b!.onRequest(async (from, body) => {
      if (body[0] === 1) throw new Error('a secret of b');
      if (body[0] === 2) return new Promise(() => {});
      return Uint8Array.of(from, ...body);
    });
    const options = { timeoutMs: 5_000 };
    assert.deepEqual(await a!.request(1, Uint8Array.of(7), options), Uint8Array.of(0, 7));
    await assert.rejects(a!.request(1, Uint8Array.of(1), options), { code: 'REFUSED', message: 'the peer refused' });
    await assert.rejects(a!.request(1, Uint8Array.of(2), { timeoutMs: 20 }), { code: 'TIMEOUT' });
    const abort = new AbortController();
    const aborted = a!.request(1, Uint8Array.of(2), { ...options, signal: abort.signal });
    abort.abort();
    await assert.rejects(aborted, { code: 'ABORTED' });
    await assert.rejects(
      a!.request(0, Uint8Array.of(2), options),
      (error) => error instanceof P2pError && error.code === 'NO_CHANNEL',
    );
  });

  it('find a validator again that restarted at another address', async () => {
    const lost = new Promise<void>((resolve) =>
      networks[0]!.onChannel((index, open) => index === 3 && !open && resolve()),
    );
    await networks[3]!.close();
    await lost;
    networks[3] = await startOne(members, 3, { bootstrap: [bootstrap] });
    await connectedTo(networks[3]!, [0, 1, 2]);
    await connectedTo(networks[1]!, [0, 2, 3]);
  });

  it('refuse a peer that is no validator', async () => {
    const stranger = identity(9);
    const outside = await startOne([members[0]!, stranger], 1, { bootstrap: [bootstrap] });
    try {
      const before = networks[0]!.connected();
      await untilReason(outside, 0);
      assert.deepEqual(outside.connected(), []);
      assert.deepEqual(networks[0]!.connected(), before);
    } finally {
      await outside.close();
    }
  });
});

describe('an address that is taken', { timeout: 60_000 }, () => {
  it('N14: is one clear error', async () => {
    const first = await startOne(members, 0);
    const [address] = first.addresses();
    const listen = [address!.replace(/\/p2p\/.*$/, '')];
    try {
      await assert.rejects(startOne(members, 1, { listen }), (error) => {
        assert(error instanceof P2pError && error.code === 'LISTEN');
        assert.match(error.message, /^can't listen on .*EADDRINUSE/);
        return !error.message.includes('\n');
      });
    } finally {
      await first.close();
    }
  });
});

describe('another chain', { timeout: 60_000 }, () => {
  it('G02: is refused with a reason that names both', async () => {
    const warnings: object[] = [];
    const log = { ...quietLog, warn: (fields: object) => void warnings.push(fields) };
    const first = await startOne(members, 0, { log });
    const other = await startOne(members, 1, {
      genesisId: sha256(Uint8Array.of(8)),
      bootstrap: [bootstrapOf(first, members[0]!)],
    });
    try {
      // Whoever opens the channel, both ends know.
      for (const [network, index] of [
        [first, 1],
        [other, 0],
      ] as const) {
        await untilReason(network, index, /on genesis 0x/);
        const { reason } = network.peerStatus()[0]!;
        assert.match(reason!, /it is on genesis 0x[0-9a-f]{64}, we are on 0x[0-9a-f]{64}/);
      }
      assert.deepEqual([first.connected(), other.connected()], [[], []]);
      assert(warnings.length > 0);
    } finally {
      await Promise.all([first.close(), other.close()]);
    }
  });
});

/** Until the network knows why it has no channel to a member. */
async function untilReason(network: Network, index: number, pattern = /./): Promise<void> {
  for (;;) {
    const reason = network.peerStatus().find((peer) => peer.index === index)?.reason;
    if (reason !== undefined && reason !== 'no address known' && pattern.test(reason)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
