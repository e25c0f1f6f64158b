import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { verifyBundle } from '../../light/index.ts';
import { assets, balances, entries, type Hex } from '../../light/ledger-client/index.ts';
import { ACCOUNTS, encodeBundle, rememberingVerify } from '../support/chain.ts';
import { ClientNetwork, isClientError } from '../support/client-network.ts';

const [ann, ben] = ACCOUNTS;
const GOLD_OF_BEN = [ben.key, 'gold'] as const;
const isRow = (path: string): boolean => path.startsWith('state/');

describe('the state as a connection reads it', () => {
  it('gives values by the type of their table, proven absence, and the proof itself', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    assert.deepEqual(await ledger.state.get(balances, GOLD_OF_BEN), { amount: 15n });
    assert.deepEqual(await ledger.state.get(balances, [toHex(ben.key) as Hex, 'gold']), { amount: 15n });
    assert.equal(await ledger.state.get(balances, [ben.key, 'silver']), undefined);
    const row = await ledger.state.prove(entries, ['deed 1']);
    assert.deepEqual(row.value!.owner, ann.key);
    assert.equal(row.height, network.chain.height);
    const report = verifyBundle(row.proof, network.chain.genesis, { verify: rememberingVerify() });
    assert.equal(report.facts!.state!.table, 'records.entries');
  });

  it('a node that lies about a row, or has another row, is passed over; when all do, nothing is believed', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const { chain } = network;
    const sound = chain.stateBundle(balances, GOLD_OF_BEN);
    assert(sound.fact.kind === 'state');
    const richer = { kind: 'present' as const, value: new Uint8Array(16).fill(1) };
    const forged = encodeBundle({ ...sound, fact: { kind: 'state', value: { ...sound.fact.value, value: richer } } });
    network.nodes[0]!.lie = (path) => (isRow(path) ? forged : undefined);
    const other = encodeBundle(chain.stateBundle(balances, [ann.key, 'gold']));
    network.nodes[1]!.lie = (path) => (isRow(path) ? other : undefined);
    assert.deepEqual(await ledger.state.get(balances, GOLD_OF_BEN), { amount: 15n });
    for (const i of [0, 1]) assert(network.nodes[i]!.asked.some(isRow), `node ${i} was asked`);
    for (const node of network.nodes) node.lie = (path) => (isRow(path) ? forged : undefined);
    await assert.rejects(ledger.state.get(balances, GOLD_OF_BEN), isClientError('unproven'));
  });

  it('never goes back behind what it has seen to be final: other nodes are asked, and waited for', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    await ledger.assets.transfer({ asset: 'gold', to: ben.key, amount: 5n }).final();
    const { height } = network.chain;
    for (const i of [0, 1, 2]) network.nodes[i]!.certified = height - 1;
    assert.deepEqual(await ledger.state.get(balances, GOLD_OF_BEN), { amount: 20n });
    network.nodes[3]!.certified = height - 1;
    network.timers.slept.length = 0;
    let reads = 0;
    network.nodes[2]!.script = ({ path }) => {
      // It is as far as the others were, a moment later.
      if (isRow(path) && ++reads === 3) network.nodes[2]!.certified = height;
      return undefined;
    };
    assert.deepEqual(await ledger.state.get(balances, GOLD_OF_BEN), { amount: 20n });
    assert(network.timers.slept.length > 0);
    for (const node of network.nodes) node.certified = height - 1;
    network.nodes[2]!.script = () => undefined;
    await assert.rejects(ledger.state.get(balances, GOLD_OF_BEN), isClientError('stale', { retry: 'later' }));
    // Nobody else has to wait: a new connection has seen nothing.
    assert.deepEqual(await (await network.connect()).state.get(balances, GOLD_OF_BEN), { amount: 15n });
  });

  it('does not take a key that is none of the table', async () => {
    const network = new ClientNetwork();
    const { state } = await network.connect();
    const invalid = isClientError('invalid-args');
    await assert.rejects(state.get(balances, ['0x12', 'gold']), invalid);
    await assert.rejects(state.get(balances, ['0xnothex', 'gold']), invalid);
    await assert.rejects(state.get(balances, [ben.key, '']), invalid);
    // @ts-expect-error: a part is missing.
    await assert.rejects(state.get(balances, [ben.key]), invalid);
    // @ts-expect-error: a number is no asset.
    await assert.rejects(state.get(balances, [ben.key, 5]), invalid);
  });

  it('a proof of a transaction by its id, also of one that was rejected, and undefined where no node has one', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect({ signer: undefined });
    const [failed, issued] = network.chain.blocks[1]!.transactions;
    const proven = await ledger.proof(issued!.id);
    assert.deepEqual(proven!.events(assets, 'issued'), [{ asset: 'gold', by: ann.key, to: ann.key, amount: 1000n }]);
    assert.equal((await ledger.proof(toHex(failed!.id) as Hex))!.receipt.status, 'failed');
    assert.equal(await ledger.proof(new Uint8Array(32)), undefined);
    await assert.rejects(ledger.proof('0x00'), isClientError('invalid-args'));
  });
});
