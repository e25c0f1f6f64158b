import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { balances, type CallOptions, type Ledger } from '../../light/ledger-client/index.ts';
import { ACCOUNTS } from '../support/chain.ts';
import { ClientNetwork, type ClientRequest, isClientError, isPost, silence } from '../support/client-network.ts';

const [, ben] = ACCOUNTS;
const ONE = { asset: 'gold', to: ben.key, amount: 1n };

/** A network that orders nothing any more, and a transaction of five seconds that a node has. */
async function stopped(network: ClientNetwork, urls = network.urls) {
  network.isStopped = true;
  const ledger = await network.connect({ urls, lifetimeMs: 5_000 });
  const sent = ledger.assets.transfer(ONE);
  assert.equal(await sent.submit(), 'pending');
  return { ledger, sent };
}

/** Every node refuses what is too late, and says nothing of the time. */
function refuseLate(network: ClientNetwork): void {
  const body = JSON.stringify({ code: 'expired', retry: 'never', detail: 'certified time is past' });
  for (const node of network.nodes) {
    node.script = ({ path }) => (isPost(path) ? Promise.resolve(new Response(body, { status: 422 })) : undefined);
  }
}

/** Blocks until certified time is past. */
function growPast(network: ClientNetwork, time: number): void {
  while (network.chain.blocks.at(-1)!.header.timestamp <= time) network.append();
}

describe('the end of a transaction that is not executed', () => {
  it('is `expired` when f+1 validators signed it and certified time is past validUntil', async () => {
    const network = new ClientNetwork();
    const { sent } = await stopped(network);
    refuseLate(network);
    growPast(network, sent.validUntil);
    network.reply = () => ({ status: 'expired', height: 0 });
    for (const method of ['submit', 'committed', 'final'] as const)
      await assert.rejects(sent[method](), isClientError('expired', { retry: 'never', id: sent.id }), method);
    assert(network.timers.now() < 5_000_000 + 5_000, 'nobody has to wait for it');
  });

  it('is not `expired` because nodes say so without signatures: `unknown`, and not before the time is over', async () => {
    const network = new ClientNetwork();
    const { ledger, sent } = await stopped(network);
    refuseLate(network);
    const unknown = isClientError('unknown', { retry: 'same', id: sent.id });
    await assert.rejects(sent.final(), unknown);
    assert(ledger.now() > sent.validUntil + 30_000, `${ledger.now() - sent.validUntil} ms behind validUntil`);
    assert(ledger.now() < sent.validUntil + 45_000);
    // Time is over now: each asks everybody once more.
    await assert.rejects(sent.submit(), unknown);
    await assert.rejects(sent.committed(), unknown);
  });

  it('is not `expired` by f+1 signatures under a certificate that is older than validUntil', async () => {
    const network = new ClientNetwork();
    const { sent } = await stopped(network);
    refuseLate(network);
    network.reply = () => ({ status: 'expired', height: 0 });
    await assert.rejects(sent.final(), isClientError('unknown'));
  });

  it('is not `expired` by the signature of one validator of four', async () => {
    const network = new ClientNetwork();
    const { sent } = await stopped(network, network.urls.slice(0, 1));
    refuseLate(network);
    growPast(network, sent.validUntil);
    network.reply = () => ({ status: 'expired', height: 0 });
    await assert.rejects(sent.final(), isClientError('unknown'));
  });

  it('nodes say expired of what is executed: its proof is found all the same', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect({ lifetimeMs: 5_000 });
    const sent = ledger.assets.transfer(ONE);
    const { height } = await sent.final();
    refuseLate(network);
    assert.equal((await sent.final()).height, height);
    assert.equal((await sent.committed()).height, height);
  });

  it('all nodes are gone: `unknown` after validUntil, as long as nobody gives up before', async () => {
    const network = new ClientNetwork();
    const { sent } = await stopped(network);
    for (const node of network.nodes) node.script = () => Promise.reject(new TypeError('fetch failed'));
    await assert.rejects(sent.final(), isClientError('unknown'));
  });

  it('one node of four that lies about the time neither ends a wait nor makes validUntil unfit', async () => {
    const network = new ClientNetwork();
    for (const [i, lie] of [
      [1, 999_999_999_999_999],
      [2, 1],
    ] as const) {
      network.nodes[i]!.script = ({ path }) =>
        path === 'chain'
          ? Promise.resolve(
              new Response(JSON.stringify({ ...chainOf(network), time: lie }), {
                headers: { 'quorate-time': String(lie) },
              }),
            )
          : undefined;
    }
    const ledger = await network.connect();
    assert(Math.abs(ledger.now() - network.time) < 5_000);
  });
});

function chainOf(network: ClientNetwork) {
  const { id, parameters } = network.chain.genesis;
  return {
    genesisId: `0x${Buffer.from(id).toString('hex')}`,
    time: network.time,
    maxLifetimeMs: parameters.maxLifetimeMs,
  };
}

describe('connect', () => {
  it('refuses a genesis file that is not sound, nodes of another chain, and no node at all', async () => {
    const network = new ClientNetwork();
    await assert.rejects(network.connect({ genesis: '{}' }), isClientError('genesis'));
    await assert.rejects(network.connect({ urls: [] }), isClientError('invalid-args'));
    const other = { ...chainOf(network), genesisId: `0x${'00'.repeat(32)}` };
    for (const node of network.nodes) node.script = () => Promise.resolve(network.json(other));
    await assert.rejects(network.connect(), isClientError('wrong-chain'));
    for (const node of network.nodes) node.script = () => Promise.reject(new TypeError('fetch failed'));
    await assert.rejects(network.connect(), isClientError('unreachable', { retry: 'later' }));
  });

  it('takes the time of those that are there, and of none that is of another chain', async () => {
    const network = new ClientNetwork();
    const other = { genesisId: '0x00', time: 1, maxLifetimeMs: 1 };
    for (const i of [0, 1])
      network.nodes[i]!.script = () => Promise.resolve(network.json(other, 200, { 'quorate-time': '1' }));
    network.nodes[2]!.script = () => Promise.reject(new TypeError('fetch failed'));
    const ledger = await network.connect();
    assert(Math.abs(ledger.now() - network.time) < 5_000);
    // They are asked all the same, and say it again.
    await ledger.assets.transfer(ONE).final();
    assert(network.nodes.slice(0, 2).some(({ asked }) => asked.length === 0));
    assert(Math.abs(ledger.now() - network.time) < 5_000, `${ledger.now()}`);
  });

  it('does not sign what nodes would refuse for its lifetime, and nothing at all without a signer', async () => {
    const network = new ClientNetwork();
    const ledger = await network.connect();
    const { maxLifetimeMs } = network.chain.genesis.parameters;
    const tooFar = { validUntil: ledger.now() + maxLifetimeMs + 120_000 };
    assert.throws(() => ledger.assets.transfer(ONE, tooFar), isClientError('invalid-args'));
    assert.throws(() => ledger.assets.transfer(ONE, { memo: 'x'.repeat(257) }), isClientError('invalid-args'));
    assert.throws(() => ledger.send([]), isClientError('invalid-args'));
    const reader = await network.connect({ signer: undefined });
    assert.throws(() => reader.assets.transfer(ONE), isClientError('invalid-args'));
  });
});

type Method = keyof typeof METHODS;
const METHODS = {
  submit: (ledger: Ledger, options: CallOptions): Promise<unknown> => ledger.assets.transfer(ONE).submit(options),
  committed: (ledger: Ledger, options: CallOptions) => ledger.assets.transfer(ONE).committed(options),
  final: (ledger: Ledger, options: CallOptions) => ledger.assets.transfer(ONE).final(options),
  proof: (ledger: Ledger, options: CallOptions) => ledger.proof(ledger.assets.transfer(ONE).id, options),
  state: (ledger: Ledger, options: CallOptions) => ledger.state.get(balances, [ben.key, 'gold'], options),
  events: (ledger: Ledger, options: CallOptions) => ledger.events(options).next(),
};

describe('an AbortSignal', () => {
  /** Where the client waits, by the path that nobody answers, and the methods that come there. */
  const places: readonly (readonly [string, (path: string) => boolean, readonly Method[]])[] = [
    ['for the submission', isPost, ['submit', 'committed', 'final']],
    ['for hand-offs', (path) => path.startsWith('light/updates'), ['committed', 'final', 'state']],
    ['for a certificate', (path) => path.startsWith('light/latest'), ['committed', 'final', 'state']],
    ['for a proof', (path) => path.endsWith('/proof'), ['final', 'proof']],
    ['for signed replies', (path) => path.startsWith('transactions/status'), ['committed']],
    ['for a row', (path) => path.startsWith('state/'), ['state']],
    ['for events', (path) => path.startsWith('events'), ['events']],
  ];
  for (const [where, isHere, methods] of places) {
    for (const method of methods) {
      it(`ends ${method} at once while it waits ${where}`, async () => {
        const network = new ClientNetwork();
        network.showsProofs = false;
        const ledger = await network.connect();
        const begun = Promise.withResolvers<void>();
        for (const node of network.nodes) {
          node.script = (request) => {
            if (!isHere(request.path)) return undefined;
            begun.resolve();
            return silence(request);
          };
        }
        const abort = new AbortController();
        const reason = new Error('enough');
        const done = METHODS[method](ledger, { signal: abort.signal });
        await Promise.race([begun.promise, done]);
        abort.abort(reason);
        await assert.rejects(done, isClientError('aborted', { cause: reason, retry: 'same' }));
      });
    }
  }

  it('ends the wait for a signer, a pause, and connect; one that is aborted before begins nothing', async () => {
    const network = new ClientNetwork();
    const aborted = { signal: AbortSignal.abort('now') };
    await assert.rejects(network.connect(aborted), isClientError('aborted', { cause: 'now' }));
    const ledger = await network.connect();
    await assert.rejects(ledger.assets.transfer(ONE).final(aborted), isClientError('aborted', { cause: 'now' }));
    assert.deepEqual(
      network.nodes.map(({ received }) => received.length),
      [0, 0, 0, 0],
    );

    const signing = new AbortController();
    const sign = () => new Promise<Uint8Array>(() => setImmediate(() => signing.abort()));
    const slow = await network.connect({ signer: { publicKey: ACCOUNTS[0].key, sign } });
    await assert.rejects(slow.assets.transfer(ONE).bytes({ signal: signing.signal }), isClientError('aborted'));

    const pausing = new AbortController();
    for (const node of network.nodes) {
      node.script = () => {
        setImmediate(() => pausing.abort());
        return Promise.resolve(network.problem(503, 'busy', 'same', { 'retry-after': '30' }));
      };
    }
    await assert.rejects(ledger.assets.transfer(ONE).final({ signal: pausing.signal }), isClientError('aborted'));

    const connecting = new AbortController();
    const hang = (request: ClientRequest) => {
      setImmediate(() => connecting.abort());
      return silence(request);
    };
    for (const node of network.nodes) node.script = hang;
    await assert.rejects(network.connect({ signal: connecting.signal }), isClientError('aborted'));
  });
});
