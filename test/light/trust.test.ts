import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { handoffOf, updatesCodec } from '../../ledger/bundle.ts';
import { utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { historyRoot } from '../../ledger/history.ts';
import { HANDOFFS_MAX } from '../../ledger/limits.ts';
import { entries } from '../../ledger/modules/records.ts';
import type { LightError } from '../../light/client.ts';
import { printForkEvidence, verifyBundle, verifyForkEvidence } from '../../light/index.ts';
import { CERTIFICATE_BYTES_MAX, UPDATES_BYTES_MAX } from '../../light/source.ts';
import {
  type Chain,
  encodeBundle,
  GENESIS_TIME,
  memberOf,
  register,
  rememberingVerify,
  smallChain,
} from '../support/chain.ts';
import { clientOf, isError, type LightNode, lightNode, memoryStore, NOW, TABLE } from '../support/light-nodes.ts';
import { randomFrom } from '../support/mutate.ts';

const verify = rememberingVerify();

/** The same first blocks: of a chain that goes on in a new epoch with another set, and as its old set has them. */
function newEpoch(): { chain: Chain; old: Chain } {
  const [chain, old] = [smallChain(), smallChain()];
  for (const one of [chain, old]) for (let i = 0; i < 2; i++) one.append();
  chain.handOver([0, 1, 2, 3].map((i) => memberOf(`new-${i}`)));
  for (let i = 0; i < 2; i++) chain.append();
  return { chain, old };
}

describe('V20: an old set, all of it bought, and a client that knows the epoch after it', () => {
  /** What the old set would have liked to happen in block 6. */
  function wished(): Chain {
    const chain = smallChain();
    chain.append(register(chain, 'mine'));
    return chain;
  }

  it('signs the true block with another state: the state is not believed', async () => {
    const { chain, old } = newEpoch();
    const other = wished();
    const { stateRoot } = other.blocks[6]!;
    const forged = encodeBundle(
      other.stateBundle(entries, ['mine'], old.certify(6, { checkpoint: { stateRoot, timestamp: NOW } })),
    );
    assert(verifyBundle(forged, chain.genesis, { verify }).ok, 'the genesis file alone can not tell');
    const liar = lightNode(chain);
    liar.lie = (path) => (path.startsWith('state') ? forged : undefined);
    await assert.rejects(clientOf([liar]).state(TABLE, utf8Encode('mine')), isError('unproven', /old epoch/));
    const honest = lightNode(chain);
    assert.equal((await clientOf([liar, honest]).state(TABLE, utf8Encode('mine'))).value, undefined);
  });

  it('signs the true block with another history: what was never ordered is not believed', async () => {
    const { chain, old } = newEpoch();
    const other = wished();
    const root = historyRoot(other.blocks[6]!.history);
    const forged = old.certify(6, { checkpoint: { historyRoot: root } });
    const transaction = encodeBundle(other.transactionBundle(6, 0, forged));
    const block = encodeBundle(other.blockBundle(6, forged));
    assert(verifyBundle(transaction, chain.genesis, { verify }).ok, 'the genesis file alone can not tell');
    const liar = lightNode(chain);
    liar.lie = (path) =>
      path.startsWith('transactions') ? transaction : path === 'blocks/6/proof' ? block : undefined;
    const { id } = other.blocks[6]!.transactions[0]!;
    await assert.rejects(clientOf([liar]).transaction(id), isError('unproven', /old epoch/));
    await assert.rejects(clientOf([liar]).block(6), isError('unproven', /old epoch/));
  });

  it('signs the true block with another time: the time is not believed', async () => {
    const { chain, old } = newEpoch();
    const liar = lightNode(chain);
    const of = (timestamp: number) =>
      encodeBundle(old.transactionBundle(1, 1, old.certify(6, { checkpoint: { timestamp } })));
    let said = of(NOW);
    liar.lie = (path) => (path.startsWith('transactions') ? said : undefined);
    const { id } = old.blocks[1]!.transactions[1]!;
    await assert.rejects(clientOf([liar]).transaction(id), isError('unproven', /old epoch/));
    said = of(old.blocks[6]!.header.timestamp);
    assert.equal((await clientOf([liar]).transaction(id))!.facts.certified.height, 6, 'what is true is proven');
  });

  it('shows the client a past with a new time: neither the position nor the set goes back', async () => {
    const { chain, old } = newEpoch();
    const store = memoryStore();
    await clientOf([lightNode(chain)], { store }).follow();
    const liar = lightNode(old, 0, 3);
    liar.certificate = () => old.certify(3, { checkpoint: { timestamp: NOW } });
    const client = clientOf([liar], { store });
    const { epoch, certificate, validators, ageMs, sources } = await client.follow();
    assert.deepEqual([epoch, certificate.checkpoint.height], [1, 9]);
    assert.deepEqual(validators, chain.handoffs[0]!.next);
    assert.equal(ageMs, NOW - chain.blocks[9]!.header.timestamp);
    assert.deepEqual([sources[0]!.height, sources[0]!.compared], [3, false]);
    await assert.rejects(clientOf([liar], { store, maxAge: 60_000 }).follow(), isError('stale'));
    const liars = [0, 1].map((member) => ({ ...liar, member }));
    const { bytes } = register(wished(), 'never');
    assert(!(await clientOf(liars, { store }).replies(bytes)).ok, 'f+1 of the old set say nothing');
    assert((await clientOf(liars).replies(bytes)).ok, 'whoever knows no other set believes them');
  });
});

describe('following', () => {
  it('an epoch that has ended is followed by the next, also while no block of that is final', async () => {
    const chain = smallChain();
    const next = [...chain.members.slice(1), memberOf('node-4')];
    chain.append();
    chain.handOver(next);
    const node = lightNode(chain);
    const [end] = chain.handoffs;
    node.certificate = () => end!.certificate;
    const store = memoryStore();
    for (const client of [
      clientOf([node], { store }),
      clientOf([node], { store }),
      clientOf([node, lightNode(smallChain())]),
    ]) {
      const { epoch, validators, certificate, sources } = await client.follow();
      assert.deepEqual([epoch, validators, certificate], [1, end!.next, end!.certificate]);
      for (const { compared, problem } of sources) assert(compared, problem);
      assert((await client.state(TABLE, utf8Encode('deed 1'))).value !== undefined);
      assert.equal((await client.block(2))!.facts.certified.height, end!.certificate.checkpoint.height);
    }
    chain.append();
    const { epoch, continues } = await clientOf([lightNode(chain)], { store }).follow();
    assert.deepEqual([epoch, continues], [1, true]);
  });

  it('nodes that are epochs behind are compared', async () => {
    const { chain, old } = newEpoch();
    const middle = lightNode(newEpoch().chain, 0, 8);
    chain.handOver(chain.members);
    chain.append();
    const store = memoryStore();
    await clientOf([lightNode(chain)], { store }).follow();
    const nodes = [lightNode(chain), lightNode(old, 0, 4), middle];
    const { sources, epoch, continues } = await clientOf(nodes, { store }).follow();
    assert.deepEqual([epoch, continues], [2, true]);
    assert.deepEqual(
      sources.map(({ height, compared }) => [height, compared]),
      [
        [10, true],
        [4, true],
        [8, true],
      ],
    );
  });

  it('V18: two nodes that differ are found out, also when the newest is of no help', async () => {
    const chains = ['a', 'b', 'c'].map((key) => {
      const chain = smallChain();
      chain.append(register(chain, key));
      return chain;
    }) as [Chain, Chain, Chain];
    const [ahead, ...others] = chains;
    for (let i = 0; i < 3; i++) ahead.append();
    const mute = lightNode(ahead);
    mute.lie = (path) => (path.startsWith('blocks') ? new Response(null, { status: 404 }) : undefined);
    const forkOf = (client: ReturnType<typeof clientOf>): Promise<LightError> =>
      client.follow().then(
        () => assert.fail('no fork was seen'),
        (error: unknown) => error as LightError,
      );
    const nodes = [mute, ...others.map((chain) => lightNode(chain))];
    const same = await forkOf(clientOf(nodes));
    assert.deepEqual([same.code, same.evidence?.conflict.kind], ['fork', 'sameHeight']);
    others[1]!.append();
    nodes[2]!.certified++;
    const error = await forkOf(clientOf(nodes));
    assert.deepEqual([error.code, error.evidence?.conflict.kind], ['fork', 'otherHistory']);
    assert(verifyForkEvidence(printForkEvidence(error.evidence!), ahead.genesis, { verify }).ok);
  });

  for (const seed of [1, 2, 3, 4]) {
    it(`honest nodes, each at a stage of one chain: nobody is accused or unheard, nothing goes back (seed ${seed})`, async () => {
      const below = randomFrom(seed);
      const ends = Array.from({ length: 12 }, () => below(3) === 0);
      const stages = ends.map((_, last) => {
        const chain = smallChain();
        for (const [i, isEnd] of ends.slice(0, last + 1).entries()) {
          chain.append();
          if (isEnd) chain.handOver(i % 2 === 0 ? chain.members : [...chain.members.slice(1), memberOf(`new ${i}`)]);
        }
        return chain;
      });
      const at = [0, 0, 0];
      const nodes: LightNode[] = [];
      const move = (i: number): void => {
        // Forward mostly; sometimes another node answers at this address.
        at[i] = Math.min(stages.length - 1, below(5) === 0 ? below(stages.length) : at[i]! + below(3));
        const node = lightNode(stages[at[i]!]!);
        const end = node.chain.handoffs.at(-1)?.certificate;
        if (end?.checkpoint.height === node.certified) node.certificate = () => end;
        const isMute = below(4) === 0;
        node.lie = (path) => (isMute && path.startsWith('blocks') ? new Response(null, { status: 404 }) : undefined);
        if (nodes[i] === undefined) nodes[i] = node;
        else Object.assign(nodes[i], node);
      };
      for (const i of at.keys()) move(i);
      const store = memoryStore();
      let client = clientOf(nodes, { store });
      let before: readonly [number, number] = [-1, -1];
      for (let round = 0; round < 12; round++) {
        for (const i of at.keys()) move(i);
        if (below(4) === 0) client = clientOf(nodes, { store });
        const { epoch, certificate, sources } = await client.follow();
        const now = [epoch, certificate.checkpoint.height] as const;
        assert(now[0] >= before[0] && now[1] >= before[1], `round ${round}: from ${before} to ${now}`);
        for (const { chain } of nodes)
          assert(now[0] >= chain.epoch && now[1] >= chain.height, `round ${round}: ${now}`);
        for (const { problem } of sources) assert.equal(problem, undefined);
        before = now;
      }
    });
  }

  it('V19: a node that shows the end of an epoch and a certificate of it above shows a fork by itself', async () => {
    const { chain, old } = newEpoch();
    old.append();
    const node = lightNode(chain);
    node.certificate = () => old.certify(8);
    await assert.rejects(clientOf([node]).follow(), (error: unknown) => {
      assert(isError('fork')(error), String(error));
      assert.equal((error as LightError).evidence!.conflict.kind, 'afterEnd');
      return true;
    });
  });
});

describe('what a light client is given', () => {
  it('a store that is not sound is refused each time, and so is one that fails', async () => {
    const { chain, old } = newEpoch();
    const store = memoryStore();
    await clientOf([lightNode(chain)], { store }).follow();
    const kept = (await store.load())!;
    const bad = kept.with(60, kept[60]! ^ 1);
    await store.save(bad);
    const past = lightNode(old, 0, 3);
    const client = clientOf([past], { store });
    for (let i = 0; i < 2; i++) await assert.rejects(client.follow(), isError('store'), `call ${i}`);
    assert.deepEqual(await store.load(), bad, 'nothing is saved over it');
    await store.save(kept);
    assert.equal((await client.follow()).epoch, 1, 'what is sound again counts');
    const fails = () => Promise.reject(new Error('the disk is full'));
    for (const broken of [
      { load: fails, save: store.save },
      { load: store.load, save: fails },
    ]) {
      chain.append();
      await assert.rejects(clientOf([lightNode(chain)], { store: broken }).follow(), isError('store', /disk is full/));
    }
  });

  it('what the store does with its bytes later changes nothing that was checked', async () => {
    const { chain } = newEpoch();
    const store = memoryStore();
    await clientOf([lightNode(chain)], { store }).follow();
    const kept = (await store.load())!;
    const client = clientOf([lightNode(chain)], { store: { load: async () => kept, save: async () => {} } });
    await client.follow();
    kept.fill(0);
    const { epoch, certificate } = client.position!;
    assert.deepEqual([epoch, certificate.checkpoint.blockHash], [1, chain.checkpoint(9).blockHash]);
  });

  it('a clock or an age that is no number is never fresh', async () => {
    const nodes = [lightNode(smallChain())];
    const nan = Number.NaN;
    await assert.rejects(clientOf(nodes, { maxAge: nan }).follow(), isError('stale'));
    await assert.rejects(clientOf(nodes, { maxAge: 1e12, now: () => nan }).follow(), isError('stale'));
    const bundle = encodeBundle(nodes[0]!.chain.blockBundle(2));
    for (const freshness of [
      { nowMs: nan, maxAgeMs: 1e12 },
      { nowMs: NOW, maxAgeMs: nan },
    ]) {
      const { steps } = verifyBundle(bundle, nodes[0]!.chain.genesis, { verify, freshness });
      assert.equal(steps.find(({ status }) => status === 'failed')?.name, 'certificate');
    }
  });

  it('V17: with a clock that is behind, what is older than what is known is as old as that at least', async () => {
    const chain = smallChain();
    const node = lightNode(chain);
    const client = clientOf([node], { maxAge: 1_500, now: () => GENESIS_TIME - 86_400_000 });
    assert((await client.follow()).ageMs < 0, 'the clock shows that it is behind');
    const { height } = chain;
    assert((await client.state(TABLE, utf8Encode('deed 1'))).ageMs < 0);
    chain.append();
    node.certified = height + 1;
    await client.follow();
    chain.append();
    node.certified = height + 2;
    await client.follow();
    node.certified = height;
    await assert.rejects(client.state(TABLE, utf8Encode('deed 1')), isError('stale'));
  });

  it('hand-offs without end are refused where no proof could hold them', async () => {
    const chain = smallChain(1);
    for (let epoch = 0; epoch <= HANDOFFS_MAX; epoch++) chain.handOver(chain.members);
    chain.append();
    const endless = lightNode(chain);
    const { sources } = await clientOf([endless, lightNode(smallChain(1))]).follow();
    assert.match(sources[0]!.problem!, /hand-offs/);
    assert.equal(endless.asked.length, HANDOFFS_MAX / 64 + 1);
  });

  it('no more is read of an answer than it can have', async () => {
    const chain = smallChain();
    for (const [path, most] of [
      ['light/latest', CERTIFICATE_BYTES_MAX],
      ['light/updates', UPDATES_BYTES_MAX],
    ] as const) {
      let read = 0;
      const node = lightNode(chain);
      node.lie = (asked) =>
        asked.startsWith(path)
          ? new Response(
              new ReadableStream({
                pull(controller) {
                  read += 16_384;
                  controller.enqueue(new Uint8Array(16_384));
                },
              }),
            )
          : undefined;
      const { sources } = await clientOf([node, lightNode(chain)]).follow();
      assert.match(sources[0]!.problem!, /more than/);
      assert(read <= most + 65_536, `${path}: ${read} bytes`);
    }
    const name = 'x'.repeat(32);
    const next = Array.from({ length: 128 }, () => ({ ...chain.genesis.validators[0]!, name, organisation: name }));
    const proof = { signers: new Uint8Array(16), signatures: next.map(() => new Uint8Array(64)) };
    const certificate = { ...chain.certify(), proof };
    assert(encode(certificateCodec, certificate).length <= CERTIFICATE_BYTES_MAX);
    const handoffs = Array.from({ length: 64 }, () => handoffOf(certificate, next));
    assert(encode(updatesCodec, { handoffs }).length <= UPDATES_BYTES_MAX);
  });
});
