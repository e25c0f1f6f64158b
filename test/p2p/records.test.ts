import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { equalBytes } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { signBytes } from '../../ledger/sign-bytes.ts';
import { chooseSignatures, createSigner } from '../../node/signatures.ts';
import { helloCodec, helloProblem, protocolProblem, recordsTopic, replicaProtocol } from '../../p2p/hello.ts';
import { ADDRESSES_MAX } from '../../p2p/limits.ts';
import { peerRecordCodec, Records } from '../../p2p/records.ts';
import { type Identity, identity } from '../support/networks.ts';
import { connectedOf, meshed, startNode, startNodes, update } from '../support/peer-nodes.ts';
import { eventually } from '../support/processes.ts';

const { verify } = chooseSignatures();
const GENESIS = sha256(Uint8Array.of(9));
const OTHER_GENESIS = sha256(Uint8Array.of(8));
const [A, B, C, D] = [0, 1, 2, 3].map(identity) as [Identity, Identity, Identity, Identity];
const ADDRESS = '/ip4/10.0.0.1/tcp/4001';

/** The records that one node keeps, which admits some others, and how many signatures it has checked. */
function recordsOf(own: Identity, admitted: Set<Identity>, genesisId = GENESIS) {
  const signer = createSigner(own.peerSecret);
  const message = (body: Uint8Array) => signBytes('peerRecord', genesisId, body);
  const seen = { checked: 0 };
  const records = new Records({
    ownKey: own.info.peerKey,
    admits: (key) => [own, ...admitted].some(({ info }) => equalBytes(info.peerKey, key)),
    signRecord: (body) => signer.sign(message(body)),
    verifyRecord: (signature, body, key) => {
      seen.checked++;
      return verify(signature, message(body), key);
    },
  });
  return { records, seen };
}

describe('signed peer records', () => {
  it('name their key and are signed by it: good for everybody who admits it, whatever else is in the set', () => {
    const record = recordsOf(A, new Set()).records.make([ADDRESS]);
    for (const admitted of [new Set([A]), new Set([C, A, D])]) {
      const { records } = recordsOf(B, admitted);
      assert.deepEqual(records.receive(record), { kind: 'new', peerKey: A.info.peerKey });
      assert.deepEqual(records.addressesOf(A.info.peerKey), [ADDRESS]);
    }
  });

  it('of a key that is not admitted are refused before they are looked into, whatever they are', () => {
    const { records, seen } = recordsOf(B, new Set([C]));
    const record = recordsOf(A, new Set()).records.make([ADDRESS]);
    assert.deepEqual(records.receive(record), { kind: 'stranger' });
    const garbage = new Uint8Array(1 << 20);
    garbage.set(A.info.peerKey);
    assert.deepEqual(records.receive(garbage), { kind: 'stranger' });
    assert.deepEqual([seen.checked, records.count], [0, 0]);
  });

  it('that are older, the same, or not signed by their key change nothing', () => {
    const { records, seen } = recordsOf(B, new Set([A, C]));
    const { records: own } = recordsOf(A, new Set());
    const first = own.make([ADDRESS]);
    const second = own.make([]);
    assert.equal(records.receive(second).kind, 'new');
    for (const old of [first, second]) assert.equal(records.receive(old).kind, 'old');
    assert.equal(seen.checked, 1, 'before a signature is checked');
    const body = { peerKey: A.info.peerKey, sequence: Number.MAX_SAFE_INTEGER, addresses: [ADDRESS] };
    const forged = encode(peerRecordCodec, { body, signature: new Uint8Array(64).fill(1) });
    const received = records.receive(forged);
    assert(received.kind === 'bad' && /is not signed by it/.test(received.problem));
    // Newer for sure: both clocks may show one millisecond.
    const others = recordsOf(A, new Set(), OTHER_GENESIS).records;
    for (let i = 0; i < 5; i++) others.make([ADDRESS]);
    assert.equal(records.receive(others.make([ADDRESS])).kind, 'bad', 'a record of another chain');
    assert.deepEqual(records.addressesOf(A.info.peerKey), []);
  });

  it('out of form or too long are refused with a reason', () => {
    const { records, seen } = recordsOf(B, new Set([A]));
    const record = recordsOf(A, new Set()).records.make(Array(ADDRESSES_MAX + 5).fill('x'.repeat(256)));
    const cases: readonly [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /expected/],
      [record.subarray(0, 31), /expected/],
      [record.subarray(0, 100), /expected/],
      [Uint8Array.of(...record, 0), /record of 4234 bytes, at most 4233/],
    ];
    for (const [bytes, problem] of cases) {
      const received = records.receive(bytes);
      assert(received.kind === 'bad');
      assert.match(received.problem, problem);
    }
    assert.equal(seen.checked, 0);
    assert.equal(records.receive(record).kind, 'new', 'the longest that there is');
  });

  it('go with their key: those of who is removed are dropped, those of who stays are kept', () => {
    const admitted = new Set([A, C]);
    const { records } = recordsOf(B, admitted);
    for (const who of [A, C]) records.receive(recordsOf(who, new Set()).records.make([ADDRESS]));
    records.make([ADDRESS]);
    admitted.delete(C);
    records.retain();
    assert.deepEqual(records.addressesOf(A.info.peerKey), [ADDRESS]);
    assert.deepEqual(records.addressesOf(B.info.peerKey), [ADDRESS]);
    assert.deepEqual(records.addressesOf(C.info.peerKey), []);
    assert.equal(records.count, 2);
  });

  it('are made anew with a higher number, also after our own came back from somebody who had a later one', () => {
    const { records } = recordsOf(A, new Set());
    const { records: earlier } = recordsOf(A, new Set());
    for (let i = 0; i < 5_000; i++) earlier.make([]);
    const late = earlier.make([ADDRESS]);
    records.make([]);
    assert.equal(records.receive(late).kind, 'new');
    const { records: other } = recordsOf(B, new Set([A]));
    other.receive(late);
    assert.equal(other.receive(records.make([])).kind, 'new');
  });
});

describe('records across changes of the set (real sockets)', { timeout: 60_000 }, () => {
  it('find a member that moved while the set changed twice, through one that knows it', async (test) => {
    const nodes = await startNodes(test, [A, B, C]);
    const [a, b, c] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];
    await meshed(nodes, [A, B, C]);
    const known = () => a.network.peerStatus().find(({ name }) => name === C.info.name)?.addresses ?? [];
    const before = known();
    assert(before.length > 0);
    for (const node of nodes) update(node, [C, B, A, D], 1);
    assert.deepEqual(known(), before, 'kept under its new index');
    for (const node of nodes) update(node, [B, A], 2, [C]);
    assert.deepEqual(a.network.guests()[0]!.addresses, before, 'also as a guest');
    await c.network.close();
    for (const node of [a, b]) update(node, [C, A, B], 3);
    // It knows the address of b only; a learns the new one from b, whoever then dials.
    const again = await startNode(test, C, [C, A, B], { first: b });
    await meshed([a, b, again], [A, B, C]);
    assert.notDeepEqual(known(), before);
    update(a, [A, B], 4);
    assert.deepEqual(a.network.guests(), []);
    assert.equal((await a.network.counts()).records, 2);
    assert.deepEqual(connectedOf(a), [B]);
  });

  it('of members reach guests, who have no part in gossip', async (test) => {
    const a = await startNode(test, A, [A, B], { guests: [D] });
    const d = await startNode(test, D, [A, B], { first: a });
    await meshed([d], [A]);
    const b = await startNode(test, B, [A, B], { first: a, guests: [D] });
    await eventually(async () => connectedOf(d).includes(B), 'the guest has dialed whom it heard of');
    await meshed([a, b], [A, B]);
  });
});

describe('what a peer says first', () => {
  const chain = `0x${Buffer.from(GENESIS).toString('hex')}`;
  const other = `0x${Buffer.from(OTHER_GENESIS).toString('hex')}`;

  it('G02: another chain or version is refused with both named, however the rest looks', () => {
    const hello = (version: number, genesisId: Uint8Array) => encode(helloCodec, { version, genesisId });
    assert.equal(helloProblem(hello(1, GENESIS), GENESIS), undefined);
    assert.equal(helloProblem(hello(1, OTHER_GENESIS), GENESIS), `it is on genesis ${other}, we are on ${chain}`);
    assert.equal(helloProblem(hello(2, GENESIS), GENESIS), 'it speaks version 2, we speak 1');
    assert.equal(helloProblem(Uint8Array.of(1, 0, 7), GENESIS), 'it speaks version 256, we speak 1');
    for (const bytes of [[], [0], [0, 1], [0, 1, 7], [...hello(1, GENESIS), 0, 0]]) {
      assert.match(helloProblem(Uint8Array.from(bytes), GENESIS)!, /^hello: /);
    }
  });

  it('G02: its protocols tell the same', () => {
    const ours = replicaProtocol(GENESIS);
    assert.equal(protocolProblem(['/x', ours], GENESIS), undefined);
    assert.equal(protocolProblem(['/x', replicaProtocol(OTHER_GENESIS), ours], GENESIS), undefined);
    assert.equal(protocolProblem(['/x', recordsTopic(OTHER_GENESIS)], GENESIS), undefined, 'nothing to say');
    const elsewhere = protocolProblem(['/x', replicaProtocol(OTHER_GENESIS)], GENESIS);
    assert.equal(elsewhere, `it is on genesis ${other}, we are on ${chain}`);
    const later = ours.replace('/quorate/1/', '/quorate/2/');
    assert.equal(protocolProblem([later], GENESIS), 'it speaks version 2, we speak 1');
  });
});
