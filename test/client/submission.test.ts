import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { assets } from '../../ledger/modules/assets.ts';
import { verifyBundle } from '../../light/index.ts';
import { calls } from '../../light/ledger-client/connect.ts';
import type { QuorateError } from '../../light/ledger-client/errors.ts';
import { memorySigner } from '../../light/ledger-client/memory-signer.ts';
import { ACCOUNTS, encodeBundle, rememberingVerify } from '../support/chain.ts';
import { ClientNetwork, isClientError, isPost, type Script, silence } from '../support/client-network.ts';

const [ann, ben] = ACCOUNTS;
const toBen = (amount: bigint) => ({ asset: 'gold', to: ben.key, amount });

/** Answers what is posted with these one after the other, and the last one for ever; undefined: as a sound node. */
function posts(...answers: readonly (() => Response | Promise<Response> | undefined)[]): Script {
  let next = 0;
  return ({ path }) => (isPost(path) ? answers[Math.min(next++, answers.length - 1)]!() : undefined);
}

function asked(network: ClientNetwork): number[] {
  return network.nodes.map(({ received }) => received.length);
}

describe('a submission', () => {
  it('has its id before anything is sent, and a proof that verifies with the genesis file alone at the end', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const sent = ledger.assets.transfer({ asset: 'gold', to: toHex(ben.key) as `0x${string}`, amount: 7n });
    assert.match(sent.id, /^0x[0-9a-f]{64}$/);
    assert.deepEqual(asked(network), [0, 0, 0, 0], 'nothing is sent yet');
    const final = await sent.final();
    assert.equal(final.id, sent.id);
    assert.deepEqual(final.events(assets, 'transferred'), [{ asset: 'gold', from: ann.key, to: ben.key, amount: 7n }]);
    const report = verifyBundle(final.proof, network.chain.genesis, { verify: rememberingVerify() });
    assert(report.ok);
    assert.equal(report.facts!.block!.height, final.height);
    assert.equal(toHex(report.facts!.transaction!.id), sent.id);
    assert.equal(network.executions(sent.id), 1);
  });

  it('final takes the proof from the answer to the submission, and nobody is asked again', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    await ledger.light.follow();
    const requests: string[] = [];
    for (const node of network.nodes) node.script = ({ path }) => void requests.push(path);
    const { proof } = await ledger.assets.transfer(toBen(1n)).final();
    assert(verifyBundle(proof, network.chain.genesis, { verify: rememberingVerify() }).ok);
    assert.deepEqual(requests, ['transactions?wait=final&timeoutMs=10000']);
  });

  it('several calls are one transaction: all of them happen, with a memo and a nonce that make the same id again', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const two = [calls.assets.transfer(toBen(1n)), calls.records.register({ key: 'deed', digest: ben.key, note: '' })];
    const options = { memo: 'invoice', nonce: '0x0102030405060708', validUntil: ledger.now() + 5_000 } as const;
    const sent = ledger.send(two, options);
    assert.equal(ledger.send(two, options).id, sent.id);
    assert.notEqual(ledger.send(two, { ...options, nonce: '0x0102030405060709' }).id, sent.id);
    assert.notEqual(ledger.send(two, { ...options, memo: 'another' }).id, sent.id);
    const { facts } = await sent.final();
    assert.deepEqual(
      facts.transaction!.calls.map(({ action }) => action),
      ['transfer', 'register'],
    );
  });

  it('submit ends when a node has it, committed when f+1 validators signed that it is executed', async () => {
    const network = new ClientNetwork();
    network.isStopped = true;
    const ledger = await network.connect();
    const sent = ledger.assets.transfer(toBen(1n));
    assert.equal(await sent.submit(), 'pending');
    assert.deepEqual(asked(network), [1, 0, 0, 0]);
    network.isStopped = false;
    const { height, receipt } = await sent.committed();
    assert.equal(height, network.chain.height);
    assert.equal(receipt.status, 'ok');
    const asksProof = network.nodes.some((node) => node.asked.some((path) => path.endsWith('/proof')));
    assert(!asksProof, 'the replies are enough');
  });

  it('committed does not take the same words of f validators, and then waits for the proof', async () => {
    const network = new ClientNetwork(4);
    const ledger = await network.connect({ urls: network.urls.slice(0, 1) });
    const { height } = await ledger.assets.transfer(toBen(1n)).committed();
    assert.equal(height, network.chain.height);
    assert(network.nodes[0]!.asked.some((path) => path.endsWith('/proof')));
  });

  it('that the application refuses is `rejected`, with the reason and its proof', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const sent = ledger.assets.transfer(toBen(1_000_000n));
    let proof: Uint8Array | undefined;
    await assert.rejects(sent.final(), (error: unknown) => {
      isClientError('rejected', { retry: 'never', id: sent.id })(error);
      const { receipt } = error as QuorateError;
      assert.equal(receipt!.code, 'insufficient-balance');
      proof = (error as QuorateError).proof;
      return true;
    });
    const report = verifyBundle(proof!, network.chain.genesis, { verify: rememberingVerify() });
    assert.equal(report.facts!.transaction!.receipt.code, 'insufficient-balance');
    await assert.rejects(sent.committed(), isClientError('rejected', { proof: undefined }));
  });

  it('goes on from its bytes in another connection, and executes once', async () => {
    const network = new ClientNetwork();
    const sent = (await network.connect()).assets.transfer(toBen(3n));
    const bytes = await sent.bytes();
    await sent.final();
    const other = await network.connect({ signer: undefined, urls: network.urls.slice(2) });
    const again = other.resume(bytes);
    assert.equal(again.id, sent.id);
    assert.equal((await again.final()).id, sent.id);
    assert.equal(network.executions(sent.id), 1);
    assert.throws(() => other.resume(bytes.subarray(1)), isClientError('invalid-args'));
  });
});

describe('what nodes refuse', () => {
  it('same: the same bytes go to the same node, after the time that it said', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    network.timers.slept.length = 0;
    let refusals = 2;
    network.nodes[0]!.script = ({ path, body }) => {
      if (!isPost(path) || refusals-- <= 0) return undefined;
      network.nodes[0]!.received.push(body!);
      return Promise.resolve(network.problem(429, 'too-fast', 'same', { 'retry-after': '3' }));
    };
    const sent = ledger.assets.transfer(toBen(1n));
    await sent.final();
    assert.deepEqual(network.timers.slept, [3_000, 3_000]);
    assert.deepEqual(asked(network), [3, 0, 0, 0]);
    const [first, second, third] = network.nodes[0]!.received;
    assert.deepEqual([second, third], [first, first]);
    assert.equal(network.executions(sent.id), 1);
  });

  it('same, for ever: the next node is asked after three times, and a Retry-After of years is not obeyed', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    let asks = 0;
    network.nodes[0]!.script = ({ path }) => {
      if (!isPost(path)) return undefined;
      asks++;
      return Promise.resolve(network.problem(503, 'busy', 'same', { 'retry-after': asks === 1 ? '999999' : '1' }));
    };
    const waiting = ledger.assets.transfer(toBen(1n)).submit();
    while (asks === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    network.timers.expire();
    assert.equal(await waiting, 'final');
    assert(network.timers.limits.includes(30_000), 'half a minute in place of eleven days');
    assert(Math.max(...network.timers.limits) <= 30_000);
    assert.deepEqual([asks, ...asked(network)], [3, 0, 1, 0, 0]);
  });

  it('later: it is tried again after a while, until the nodes take it', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const early = () => network.problem(422, 'expiry-too-far', 'later');
    for (const node of network.nodes) node.script = posts(early, early, () => undefined);
    const sent = ledger.assets.transfer(toBen(1n));
    await sent.final();
    assert.equal(network.executions(sent.id), 1);
    assert.deepEqual(
      asked(network),
      [1, 0, 0, 0].map((_, i) => (i === asked(network).indexOf(1) ? 1 : 0)),
    );
    assert(network.timers.slept.filter((ms) => ms === 1_000).length >= 8);
  });

  it('elsewhere: the next node is asked at once', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    network.nodes[0]!.script = posts(() => network.problem(503, 'syncing', 'elsewhere'));
    network.nodes[1]!.script = posts(() => network.problem(500, 'internal', 'elsewhere'));
    network.timers.slept.length = 0;
    await ledger.assets.transfer(toBen(1n)).final();
    assert.deepEqual(asked(network), [0, 0, 1, 0]);
    assert.deepEqual(network.timers.slept, []);
  });

  it('elsewhere, everywhere and twice, about the sender: that is the end', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    for (const node of network.nodes) node.script = posts(() => network.problem(403, 'not-permitted', 'elsewhere'));
    await assert.rejects(
      ledger.assets.transfer(toBen(1n)).submit(),
      isClientError('not-permitted', { retry: 'elsewhere' }),
    );
  });

  it('never, by all of them: the refusal with its code', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    for (const node of network.nodes) node.script = posts(() => network.problem(400, 'unknown-action', 'never'));
    const sent = ledger.assets.transfer(toBen(1n));
    const wanted = isClientError('unknown-action', {
      retry: 'never',
      id: sent.id,
      detail: 'because of unknown-action',
    });
    await assert.rejects(sent.final(), wanted);
  });

  it('never, by one of them: the others take it', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    network.nodes[0]!.script = posts(() => network.problem(400, 'bad-signature', 'never'));
    await ledger.assets.transfer(toBen(1n)).final();
    assert.deepEqual(asked(network), [0, 1, 0, 0]);
  });

  it('never, by all but one that has no room yet: that one is waited for', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const full = () => network.problem(429, 'overloaded', 'same');
    network.nodes[0]!.script = posts(full, full, full, () => undefined);
    for (const node of network.nodes.slice(1)) node.script = posts(() => network.problem(400, 'malformed', 'never'));
    await ledger.assets.transfer(toBen(1n)).final();
    assert.deepEqual(asked(network), [1, 0, 0, 0]);
  });

  it('elsewhere, everywhere, because of the nodes themselves: no opinion, however often', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const syncing = () => network.problem(503, 'syncing', 'elsewhere');
    for (const node of network.nodes) node.script = posts(syncing, syncing, syncing, syncing, () => undefined);
    const sent = ledger.assets.transfer(toBen(1n));
    await sent.final();
    assert.equal(network.executions(sent.id), 1);
  });

  it('never, but an answer was lost before: nobody is told that a new transaction would be the only one', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    network.nodes[0]!.script = posts(() => Promise.reject(new TypeError('fetch failed')));
    for (const node of network.nodes.slice(1)) node.script = posts(() => network.problem(400, 'malformed', 'never'));
    await assert.rejects(ledger.assets.transfer(toBen(1n)).final(), isClientError('malformed', { retry: 'same' }));
    const unsent = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    network.nodes[0]!.script = posts(() => Promise.reject(new TypeError('fetch failed', { cause: unsent })));
    await assert.rejects(ledger.assets.transfer(toBen(1n)).final(), isClientError('malformed', { retry: 'never' }));
  });
});

describe('faults on the way', () => {
  it('the answer is lost behind the submission: the same bytes go to another node, and execute once', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    network.nodes[0]!.script = ({ path, body }) => {
      if (!isPost(path)) return undefined;
      // It got them, and they execute.
      network.nodes[0]!.received.push(body!);
      const chained = network.fetch('http://node-3/v1/transactions', {
        method: 'POST',
        body: body as Uint8Array<ArrayBuffer>,
      });
      return chained.then(() => Promise.reject(new TypeError('fetch failed')));
    };
    const sent = ledger.assets.transfer(toBen(1n));
    const { id } = await sent.final();
    assert.equal(network.executions(id), 1);
    assert.deepEqual(network.nodes[1]!.received, network.nodes[0]!.received);
  });

  it('a node that never answers is left when its time is over', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const begun = Promise.withResolvers<void>();
    network.nodes[0]!.script = (request) => {
      if (!isPost(request.path)) return undefined;
      begun.resolve();
      return silence(request);
    };
    const final = ledger.assets.transfer(toBen(1n)).final();
    await begun.promise;
    network.timers.expire();
    await final;
    assert.deepEqual(asked(network), [0, 1, 0, 0]);
  });

  it('a proof of something else in the answer is nothing: others are asked for it', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const forged = encodeBundle(network.chain.transactionBundle(1, 1));
    const headers = { 'content-type': 'application/octet-stream' };
    network.nodes[0]!.script = posts(() => new Response(forged as BodyInit, { headers }));
    const sent = ledger.assets.transfer(toBen(1n));
    const { facts } = await sent.final();
    assert.equal(toHex(facts.transaction!.id), sent.id);
    assert.deepEqual(asked(network), [0, 1, 0, 0]);
  });

  it('a node that says final and has no proof, and one with a proof of another block, are passed over', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    network.nodes[0]!.script = posts(() => network.json({ status: 'final' }));
    network.nodes[0]!.lie = (path) => (path.endsWith('/proof') ? new Response(null, { status: 404 }) : undefined);
    const forged = network.chain.transactionBundle(1, 1);
    network.nodes[1]!.lie = (path) => (path.endsWith('/proof') ? encodeBundle(forged) : undefined);
    const sent = ledger.assets.transfer(toBen(1n));
    const { facts } = await sent.final();
    assert.equal(toHex(facts.transaction!.id), sent.id);
    assert(
      network.nodes[1]!.asked.some((path) => path.endsWith('/proof')),
      'the forged one was looked at',
    );
  });

  it('a signer whose signature does not fit: nothing is sent, and a signer that was away may be there the next time', async () => {
    const network = new ClientNetwork();
    const sound = memorySigner(ann.seed);
    let turn = 0;
    const sign = (message: Uint8Array) => {
      turn++;
      if (turn === 1) throw new Error('the HSM is away');
      return sound.sign(turn === 2 ? message.slice(1) : message);
    };
    const ledger = await network.connect({ signer: { publicKey: sound.publicKey, sign } });
    const sent = ledger.assets.transfer(toBen(1n));
    await assert.rejects(sent.final(), isClientError('signer', { detail: 'the HSM is away' }));
    await assert.rejects(sent.final(), isClientError('signer', { retry: 'never', id: undefined }));
    assert.deepEqual(asked(network), [0, 0, 0, 0]);
    await sent.final();
  });
});
