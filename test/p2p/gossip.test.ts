import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { sha256 } from '../../ledger/hash.ts';
import { GossipPrice } from '../../p2p/gossip.ts';
import { recordsTopic } from '../../p2p/hello.ts';
import { GOSSIP_RPC_BYTES_MAX, GOSSIP_UNIT_BYTES, GOSSIP_UNITS_BURST } from '../../p2p/limits.ts';
import { bootstrapOf, type Identity, identity } from '../support/networks.ts';
import { closings, meshed, type PeerNode, reasonsOf, startNode, update } from '../support/peer-nodes.ts';
import { eventually } from '../support/processes.ts';
import { rawHost } from '../support/raw-host.ts';

const [A, B, X] = [0, 1, 5].map(identity) as [Identity, Identity, Identity];

describe('gossip, where a byte can be a message', { timeout: 60_000 }, () => {
  it('is among members: the streams of a guest are refused, and those of one that has become a guest end', async (test) => {
    const b = await startNode(test, B, [B], { guests: [X] });
    const attacker = await rawHost(X, test);
    const connection = await attacker.dial(multiaddr(bootstrapOf(b.network, B)));
    const gossiping = async () => (await b.network.counts()).gossiping;
    const open = () => connection.newStream('/meshsub/1.1.0');
    const refused = await open();
    refused.send(new Uint8Array(1));
    await eventually(async () => refused.status !== 'open', 'it is refused');
    assert.equal(await gossiping(), 0);
    const early = await open();
    update(b, [B, X], 1);
    assert.equal(await gossiping(), 1, 'over the connection that there is');
    early.send(subscription(recordsTopic(sha256(Uint8Array.of(9)))));
    await eventually(async () => (await b.network.counts()).listening === 1, 'one that was opened before is taken');
    const taken = await open();
    taken.send(new Uint8Array(100));
    // Another stream has come and gone, so the bytes have come too.
    await attacker.services.identify.identify(connection);
    assert.equal(taken.status, 'open');
    update(b, [B], 2, [X]);
    assert.equal(await gossiping(), 0);
    await eventually(async () => taken.status !== 'open', 'it ends');
  });

  it('begins when a guest becomes a member, in both directions, over the connection that there is; whoever changes first', async (test) => {
    const a = await startNode(test, A, [A, B], { guests: [X] });
    const b = await startNode(test, B, [A, B], { guests: [X], first: a });
    const x = await startNode(test, X, [A, B], { first: a });
    const nodes = [a, b, x];
    await meshed([a, b], [A, B]);
    await meshed([x], [A, B]);
    /** How many listen to each of the nodes; a guest may not know that it is not heard. */
    const listening = async (who: readonly PeerNode[], count: number): Promise<void> => {
      const are = async ({ network }: PeerNode) => (await network.counts()).listening === count;
      await eventually(async () => (await Promise.all(who.map(are))).every(Boolean), `${count} listen`);
    };
    const closed = nodes.map(closings);
    for (const [epoch, order] of [nodes, [x, b, a], [b, x, a]].entries()) {
      await listening([a, b], 1);
      for (const node of order) {
        update(node, [A, X, B], 2 * epoch + 1);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await listening(nodes, 2);
      for (const node of order) update(node, [A, B], 2 * epoch + 2, [X]);
    }
    assert.deepEqual(
      closed.map((count) => count()),
      [0, 0, 0],
    );
  });

  it('R28: of a member that floods it with messages of no byte little is looked at, and others are served meanwhile', async (test) => {
    const b = await startNode(test, B, [A, B, X]);
    const a = await startNode(test, A, [A, B, X], { first: b });
    await meshed([a, b], [A, B]);
    b.network.onRequest(async (_, body) => body);
    const attacker = await rawHost(X, test);
    const connection = await attacker.dial(multiaddr(bootstrapOf(b.network, B)));
    const sawFlood = () => b.lines.filter(({ message }) => message === 'too much gossip').length;
    const stream = await connection.newStream('/meshsub/1.1.0');
    for (let sent = 0; sawFlood() === 0; sent++) {
      assert(sent < 1_000, 'no end of it');
      if (stream.status === 'open') stream.send(new Uint8Array(60_000));
      assert.deepEqual(await a.network.request(1, Uint8Array.of(1), { timeoutMs: 10_000 }), Uint8Array.of(1));
    }
    await eventually(async () => stream.status !== 'open', 'its stream has ended');
    const again = await connection.newStream('/meshsub/1.1.0');
    again.send(new Uint8Array(1));
    await eventually(async () => again.status !== 'open', 'another one is refused');
    assert.deepEqual(reasonsOf(b, 'too much gossip', X.info.name), [undefined]);
    assert.equal(connection.status, 'open');
    // What others publish still comes.
    const addresses = b.network.peerStatus()[0]!.addresses;
    await a.network.close();
    const moved = await startNode(test, A, [A, B, X], { first: b });
    await meshed([moved], [B]);
    await eventually(async () => b.network.peerStatus()[0]!.addresses[0] !== addresses[0], 'a new record');
  });
});

/** As gossipsub sends it: RPC { subscriptions: [{ subscribe: true, topic }] } behind its length. */
function subscription(topic: string): Uint8Array {
  const name = new TextEncoder().encode(topic);
  const inner = Uint8Array.of(0x08, 1, 0x12, name.length, ...name);
  return Uint8Array.of(inner.length + 2, 0x0a, inner.length, ...inner);
}

describe('what gossip costs', () => {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
  const messages = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 30 });

  it('is one for each message and one for each 16 bytes, however the bytes are cut', () => {
    fc.assert(
      fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (lengths, cuts) => {
        const bytes = Uint8Array.from(lengths.flatMap((length) => [...varint(length), ...Array(length).fill(255)]));
        const price = new GossipPrice();
        let units = 0;
        for (let at = 0; at < bytes.length; ) {
          const end = at + cuts.next().value;
          units += price.of(bytes.subarray(at, end));
          at = end;
        }
        assert(Math.abs(units - lengths.length - bytes.length / GOSSIP_UNIT_BYTES) < 1e-6, `${units}`);
      }),
    );
  });

  it('is all that a member has if a message is too long, or has no length', () => {
    assert.equal(new GossipPrice().of(Uint8Array.from(varint(GOSSIP_RPC_BYTES_MAX + 1))), GOSSIP_UNITS_BURST);
    assert.equal(new GossipPrice().of(new Uint8Array(20).fill(255)), GOSSIP_UNITS_BURST);
    assert(new GossipPrice().of(Uint8Array.from(varint(GOSSIP_RPC_BYTES_MAX))) < 2);
  });
});
