import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { chooseCipher } from '../../node/cipher.ts';
import type { Cipher, Network } from '../../p2p/index.ts';
import { bootstrapOf, connectedTo, identity, startOne } from '../support/networks.ts';

const FRAMES = 200;
const chosen = chooseCipher()!;
const used = { encrypt: 0, decrypt: 0 };
const cipher: Cipher = {
  name: 'counted',
  encrypt(...args) {
    used.encrypt++;
    return chosen.encrypt(...args);
  },
  decrypt(...args) {
    used.decrypt++;
    return chosen.decrypt(...args);
  },
};
/** Gossip and the sign of life may write meanwhile. */
const OTHER_WRITES_MAX = 20;

describe('libp2p as nodes use it', { timeout: 60_000 }, () => {
  const members = [0, 1].map(identity);
  let networks: Network[];

  before(async () => {
    // The other has libp2p's own cipher.
    const first = await startOne(members, 0, { cipher });
    networks = [first, await startOne(members, 1, { bootstrap: [bootstrapOf(first, members[0]!)] })];
    await Promise.all([connectedTo(networks[0]!, [1]), connectedTo(networks[1]!, [0])]);
  });

  after(() => Promise.all(networks.map((network) => network.close())));

  it('writes a frame at once, and nothing back', async (t) => {
    const writes = t.mock.method(Socket.prototype, 'write');
    for (const [from, to] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const before = writes.mock.callCount();
      await sendEach(networks, from, to, new Uint8Array(200));
      const count = writes.mock.callCount() - before;
      assert(count >= FRAMES, `${count} writes for ${FRAMES} frames: this test does not see them`);
      assert(count <= FRAMES + OTHER_WRITES_MAX, `${count} writes for ${FRAMES} frames`);
    }
  });

  it('uses the cipher that it is given, and whoever has another understands it', async () => {
    for (const [from, to, what] of [
      [0, 1, 'encrypt'],
      [1, 0, 'decrypt'],
    ] as const) {
      const before = used[what];
      await sendEach(networks, from, to, new Uint8Array(200));
      assert(used[what] > before);
    }
  });

  it('renews the window of a stream as often as it is needed', async () => {
    // 12.8 MB, and the window is 2 MiB.
    await sendEach(networks, 0, 1, new Uint8Array(64_000));
  });

  it('carries what is more than a window both ways at once, unchanged and in order', async () => {
    const sent = [0, 1].map((self) => Array.from({ length: 5 }, (_, i) => numbers(3_000_000, 10 * self + i)));
    const received = networks.map((network, self) => {
      const frames: Uint8Array[] = [];
      return new Promise<readonly Uint8Array[]>((resolve) => {
        network.onFrame((_, frame) => {
          frames.push(frame);
          if (frames.length === sent[1 - self]!.length) resolve(frames);
        });
      });
    });
    for (const [self, frames] of sent.entries()) for (const one of frames) assert(networks[self]!.send(1 - self, one));
    for (const [self, frames] of (await Promise.all(received)).entries()) {
      assert(frames.every((frame, i) => Buffer.compare(frame, sent[1 - self]![i]!) === 0));
    }
  });
});

/** Bytes that are nowhere the same for long. */
function numbers(length: number, seed: number): Uint8Array {
  const bytes = new Uint32Array(length / 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i + 1, 2_654_435_761 + 2 * seed);
  return new Uint8Array(bytes.buffer);
}

/** One frame after the other, each when the one before has come. */
async function sendEach(networks: readonly Network[], from: number, to: number, frame: Uint8Array): Promise<void> {
  let received = 0;
  networks[to]!.onFrame((_, { length }) => {
    assert.equal(length, frame.length);
    received++;
  });
  for (let sent = 1; sent <= FRAMES; sent++) {
    assert(networks[from]!.send(to, frame));
    while (received < sent) await turn();
  }
}
