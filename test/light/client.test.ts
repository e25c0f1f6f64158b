import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blockHash } from '../../ledger/block.ts';
import { handoffOf } from '../../ledger/bundle.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { type ForkEvidence, forkEvidenceCodec } from '../../ledger/fork.ts';
import { checkReplies, type Reply, type SignedReply } from '../../ledger/reply.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { faultsTolerated, quorum } from '../../ledger/validators.ts';
import { createLightClient, LightError } from '../../light/client.ts';
import { printForkEvidence, verifyBundle, verifyForkEvidence } from '../../light/index.ts';
import {
  ACCOUNTS,
  type Chain,
  encodeBundle,
  memberOf,
  register,
  rememberingVerify,
  smallChain,
} from '../support/chain.ts';
import { clientOf, fetchFrom, isError, lightNode, memoryStore, NOW, TABLE } from '../support/light-nodes.ts';

const verify = rememberingVerify();
const [ann] = ACCOUNTS;

/** Ends the epoch with the same set: only parameters changed. */
function nextEpoch(chain: Chain): void {
  chain.append();
  chain.handOver(chain.members);
  chain.append();
}

describe('the light client', () => {
  it('follows from genesis to the newest epoch, one certificate an epoch, and knows the set there', async () => {
    const chain = smallChain();
    chain.handOver([...chain.members, memberOf('node-4')]);
    chain.append();
    chain.handOver([...chain.members.slice(1), memberOf('node-5')]);
    chain.append();
    const client = clientOf([lightNode(chain)]);
    const { epoch, validators, certificate, ageMs } = await client.follow();
    assert.deepEqual([epoch, certificate.checkpoint.height], [2, 7]);
    assert.deepEqual(
      validators.map(({ name }) => name),
      chain.members.map(({ name }) => name),
    );
    assert.equal(ageMs, NOW - certificate.checkpoint.timestamp);
    assert.equal(client.position!.epoch, 2);
  });

  it('an epoch that only changed parameters is a hand-off too; years of them come page by page', async () => {
    const chain = smallChain(1);
    for (let epoch = 0; epoch < 130; epoch++) nextEpoch(chain);
    const node = lightNode(chain);
    const store = memoryStore();
    assert.equal((await clientOf([node], { store }).follow()).epoch, 130);
    assert.equal(node.asked.filter((path) => path.startsWith('light/updates')).length, 3);
    nextEpoch(chain);
    node.certified = chain.height;
    node.asked.length = 0;
    assert.equal((await clientOf([node], { store }).follow()).epoch, 131);
    assert.deepEqual(node.asked[0], 'light/updates?fromEpoch=129', 'it goes on where it was, one hand-off before');
  });

  it('what was stored is checked again: another chain, a changed byte', async () => {
    const chain = smallChain();
    nextEpoch(chain);
    const store = memoryStore();
    await clientOf([lightNode(chain)], { store }).follow();
    const kept = store.kept!;
    for (const at of [0, 40, 60, kept.length - 1]) {
      await store.save(kept.with(at, kept[at]! ^ 1));
      await assert.rejects(clientOf([lightNode(chain)], { store }).follow(), isError('store'), `byte ${at}`);
    }
    await store.save(kept);
    const other = smallChain(4, 'other-chain');
    await assert.rejects(clientOf([lightNode(other)], { store }).follow(), isError('store', /another chain/));
  });

  it('proves transactions, blocks, rows and their absence, and gives the proofs', async () => {
    const chain = smallChain();
    nextEpoch(chain);
    const client = clientOf([lightNode(chain)]);
    const { id } = chain.blocks[1]!.transactions[1]!;
    const transaction = await client.transaction(toHex(id));
    assert.equal(transaction!.value.receipt.status, 'ok');
    assert(verifyBundle(transaction!.proof, chain.genesis.text, { verify }).ok);
    assert.equal((await client.block(2))!.value.height, 2);
    assert((await client.state(TABLE, utf8Encode('deed 1'))).value !== undefined);
    const absent = await client.state(TABLE, utf8Encode('nothing'));
    assert.equal(absent.value, undefined);
    assert.equal(absent.facts.state!.table, TABLE);
    assert.equal(await client.transaction(new Uint8Array(32)), undefined);
    await assert.rejects(client.transaction('0x12'), RangeError);
  });

  it('a proof that a node showed unasked is checked like any other: if it is sound nobody is asked, else the others are', async () => {
    const chain = smallChain();
    const nodes = [lightNode(chain), lightNode(chain)];
    const client = clientOf(nodes);
    await client.follow();
    const asked = () => nodes.map((node) => node.asked.filter((path) => path.endsWith('proof')).length);
    const [wrong, { id }] = chain.blocks[1]!.transactions as [Transaction, Transaction];
    const sound = encodeBundle(chain.transactionBundle(1, 1));
    assert.equal((await client.transaction(id, { from: 1, proof: sound }))!.value.receipt.status, 'ok');
    assert.deepEqual(asked(), [0, 0]);
    assert.equal((await client.transaction(wrong.id, { from: 1, proof: sound }))!.value.receipt.status, 'failed');
    assert.deepEqual(asked(), [1, 0]);
    const alone = clientOf(nodes.slice(0, 1));
    await alone.follow();
    await assert.rejects(alone.transaction(wrong.id, { from: 0, proof: sound }), isError('unproven', /question/));
    assert.equal((await client.transaction(id, { from: 1, proof: sound.slice(1) }))!.value.receipt.status, 'ok');
    assert.deepEqual(asked(), [2, 0]);
    await assert.rejects(client.transaction(id, { from: 2, proof: sound }), RangeError);
  });

  it('Q12: a sound proof of something else is no answer; the next node is asked', async () => {
    const chain = smallChain();
    const [liar, honest] = [lightNode(chain), lightNode(chain)];
    const other = encodeBundle(chain.stateBundle({ name: TABLE, encodeKey: () => utf8Encode('nothing') } as never, []));
    const wrong = encodeBundle(chain.transactionBundle(2, 1));
    liar.lie = (path) => (path.startsWith('state') ? other : path.endsWith('proof') ? wrong : undefined);
    const client = clientOf([liar, honest]);
    assert((await client.state(TABLE, utf8Encode('deed 1'))).value !== undefined);
    assert.equal((await client.transaction(chain.blocks[1]!.transactions[0]!.id))!.value.receipt.status, 'failed');
    const alone = clientOf([liar]);
    await assert.rejects(alone.state(TABLE, utf8Encode('deed 1')), isError('unproven', /question/));
    await assert.rejects(alone.block(3), isError('unproven', /question/));
  });

  it('V17: says how old the newest certificate is, and refuses what is older than it may be', async () => {
    const chain = smallChain();
    const node = lightNode(chain);
    const age = NOW - chain.blocks.at(-1)!.header.timestamp;
    assert.equal((await clientOf([node]).follow()).ageMs, age);
    assert.equal((await clientOf([node], { maxAge: age }).follow()).ageMs, age);
    const strict = clientOf([node], { maxAge: age - 1 });
    await assert.rejects(strict.follow(), isError('stale'));
    await assert.rejects(strict.state(TABLE, utf8Encode('deed 1')), isError('stale'));
    // A node that goes back to an old certificate after the client has seen a fresh one.
    let now = NOW;
    const client = clientOf([node], { maxAge: age, now: () => now });
    await client.follow();
    now++;
    await assert.rejects(client.state(TABLE, utf8Encode('deed 1')), isError('stale'));
    assert(await client.transaction(chain.blocks[1]!.transactions[0]!.id), 'what was final stays final');
  });

  it('what nodes say can be anything: it is told which said what, and one honest node is enough', async () => {
    const chain = smallChain();
    const junk = (body: Uint8Array | Response) => {
      const node = lightNode(chain);
      node.lie = () => body;
      return node;
    };
    const endless = () =>
      new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(16 * 1024 * 1024)) }));
    const other = lightNode(smallChain(4, 'other-chain'));
    const nodes = [
      junk(Uint8Array.of(1, 2, 3)),
      junk(new Response('x', { status: 500 })),
      junk(endless()),
      other,
      lightNode(chain, 0, 0),
      lightNode(chain),
    ];
    const named = Object.fromEntries(nodes.map((node, i) => [`node-${i}`, node]));
    const urls = [...Object.keys(named), 'nobody'].map((name) => `http://${name}`);
    const client = createLightClient({ genesis: chain.genesis, urls, fetch: fetchFrom(named), now: () => NOW });
    const { sources, certificate } = await client.follow();
    assert.equal(certificate.checkpoint.height, 5);
    assert.deepEqual(
      sources.map(({ compared }) => compared),
      [false, false, false, false, false, true, false],
    );
    assert(sources.filter(({ problem }) => problem !== undefined).length === 6);
    const lost = createLightClient({ genesis: chain.genesis, urls: urls.slice(0, 3), fetch: fetchFrom(named) });
    await assert.rejects(lost.follow(), isError('unreachable'));
  });

  it('a genesis file that is not sound is refused before anything is asked', async () => {
    const node = lightNode(smallChain());
    const client = clientOf([node], { genesis: '{}' });
    await assert.rejects(client.follow(), isError('genesis'));
    assert.deepEqual(node.asked, []);
  });

  it('never goes back: a node that is behind is compared, and what is newest stays', async () => {
    const chain = smallChain();
    const [ahead, behind] = [lightNode(chain), lightNode(chain, 1, 3)];
    const client = clientOf([behind, ahead]);
    const { sources, certificate } = await client.follow();
    assert.equal(certificate.checkpoint.height, 5);
    assert.deepEqual(
      sources.map(({ height, compared }) => [height, compared]),
      [
        [3, true],
        [5, true],
      ],
    );
    ahead.certified = 4;
    const later = await client.follow();
    assert.deepEqual([later.certificate.checkpoint.height, later.continues], [5, true]);
    assert.deepEqual(
      later.sources.map(({ height }) => height),
      [3, 4],
    );
  });
});

describe('forks', () => {
  /** Two chains of one genesis that part after the small chain, with what it takes for each to go its way. */
  function parted(n = 4): [Chain, Chain] {
    const chains = [smallChain(n), smallChain(n)] as [Chain, Chain];
    for (const [i, chain] of chains.entries()) chain.append(register(chain, `fork ${i}`));
    return chains;
  }

  async function forkOf(client: ReturnType<typeof clientOf>): Promise<LightError> {
    const error = await client.follow().then(
      () => assert.fail('no fork was seen'),
      (thrown: unknown) => thrown,
    );
    assert(error instanceof LightError && error.code === 'fork', String(error));
    return error;
  }

  it('V18, V19: two certificates of one height name who signed both, at least f+1, for anybody to check', async () => {
    for (const n of [4, 7]) {
      const [a, b] = parted(n);
      const client = clientOf([lightNode(a), lightNode(b)]);
      const { evidence } = await forkOf(client);
      assert.equal(evidence!.conflict.kind, 'sameHeight');
      for (const form of [encode(forkEvidenceCodec, evidence!), printForkEvidence(evidence!)]) {
        const { ok, culprits } = verifyForkEvidence(form, a.genesis.text, { verify });
        assert(ok && culprits!.length > faultsTolerated(n));
        assert.deepEqual(
          culprits!.map(({ name }) => name),
          a.members.slice(0, quorum(n)).map(({ name }) => name),
        );
      }
      await assert.rejects(client.transaction(a.blocks[1]!.transactions[0]!.id), isError('fork'), 'it answers no more');
    }
  });

  it('V19: culprits are only those who signed both', async () => {
    const [a, b] = parted();
    const node = lightNode(b);
    node.certificate = () => b.certify(b.height, { signers: [1, 2, 3] });
    const { evidence } = await forkOf(clientOf([lightNode(a), node]));
    const { culprits } = verifyForkEvidence(encode(forkEvidenceCodec, evidence!), a.genesis, { verify });
    assert.deepEqual(
      culprits!.map(({ name }) => name),
      ['node-1', 'node-2'],
    );
  });

  it('V19: at different heights the newest history shows another block where the other certificate stands', async () => {
    const [a, b] = parted();
    b.append();
    b.append();
    const { evidence } = await forkOf(clientOf([lightNode(a), lightNode(b)]));
    assert.equal(evidence!.conflict.kind, 'otherHistory');
    assert(verifyForkEvidence(encode(forkEvidenceCodec, evidence!), a.genesis, { verify }).ok);
    // Without the link it says that it could not compare; nothing is accused.
    const mute = lightNode(b);
    mute.lie = (path) => (path.startsWith('blocks') ? new Response(null, { status: 404 }) : undefined);
    const { sources } = await clientOf([lightNode(a), mute]).follow();
    assert.deepEqual(
      sources.map(({ compared }) => compared),
      [false, true],
    );
  });

  it('V19: the own past is compared with what a node says later', async () => {
    const [a, b] = parted();
    const store = memoryStore();
    await clientOf([lightNode(a)], { store }).follow();
    b.append();
    const mute = lightNode(b);
    mute.lie = (path) => (path.startsWith('blocks') ? new Response(null, { status: 404 }) : undefined);
    const early = await clientOf([mute], { store: { ...store, save: async () => {} } }).follow();
    assert.equal(early.continues, false, 'nothing shows that it goes on where the client was');
    const { evidence } = await forkOf(clientOf([lightNode(b)], { store }));
    assert.equal(evidence!.first.checkpoint.height, a.height);
    a.append();
    assert.equal((await clientOf([lightNode(a)], { store }).follow()).continues, true);
  });

  it('V19: two ends of one epoch, and a certificate of an epoch above its end', async () => {
    const [a, b] = parted();
    a.handOver([...a.members.slice(1), memberOf('node-4')]);
    a.append();
    b.append();
    const { evidence } = await forkOf(clientOf([lightNode(a), lightNode(b)]));
    assert.equal(evidence!.conflict.kind, 'afterEnd');
    assert(verifyForkEvidence(encode(forkEvidenceCodec, evidence!), a.genesis, { verify }).ok);
    b.handOver(b.members);
    b.append();
    const ends = await forkOf(clientOf([lightNode(b), lightNode(a)]));
    assert.equal(ends.evidence!.conflict.kind, 'afterEnd');
    assert.deepEqual(
      [ends.evidence!.first, ends.evidence!.second].map(({ checkpoint }) => checkpoint.height),
      [a.handoffs[0]!.certificate.checkpoint.height, b.handoffs[0]!.certificate.checkpoint.height],
    );
  });

  it('V20: those who left long ago can not sign a past that the client does not have', async () => {
    const [a, b] = parted();
    a.handOver([0, 1, 2, 3].map((i) => memberOf(`new-${i}`)));
    a.append();
    // The old members, all of them bought, sign another block below the end of their epoch.
    const past = b.certify(b.height, { checkpoint: { nextEpoch: 0 } });
    const forged = encodeBundle(b.transactionBundle(b.height, 0, past));
    assert(verifyBundle(forged, a.genesis.text, { verify }).ok, 'the genesis file alone can not tell');
    const liar = lightNode(a);
    liar.lie = (path) => (path.startsWith('transactions') ? forged : undefined);
    const { id } = b.blocks.at(-1)!.transactions[0]!;
    const error = await clientOf([liar])
      .transaction(id)
      .then(
        () => assert.fail('a past that is not there'),
        (thrown: unknown) => thrown as LightError,
      );
    assert.deepEqual([error.code, error.evidence?.conflict.kind], ['fork', 'sameHeight']);
    liar.lie = (path) =>
      path.startsWith('transactions') ? forged : path.startsWith('blocks') ? Uint8Array.of(0) : undefined;
    a.append();
    const old = b.certify(3, { checkpoint: { blockHash: new Uint8Array(32).fill(7) } });
    const deeper = encodeBundle(b.transactionBundle(2, 0, old));
    liar.certified = a.height;
    liar.lie = (path) =>
      path.startsWith('transactions') ? deeper : path.startsWith('blocks/3') ? Uint8Array.of(0) : undefined;
    await assert.rejects(
      clientOf([liar]).transaction(b.blocks[2]!.transactions[0]!.id),
      isError('unproven', /old epoch/),
    );
  });

  it('evidence that shows no fork is refused at the step that shows it', async () => {
    const [a, b] = parted();
    b.append();
    a.append();
    const [low, high] = [a.certify(a.height - 1), b.certify(b.height)];
    const genesisId = a.genesis.id;
    const proof = (chain: Chain) => chain.historyProof(low.checkpoint.height, high.checkpoint.height);
    const hashOf = (chain: Chain) => blockHash(chain.blocks[low.checkpoint.height]!.header);
    const history = (blockHash: Uint8Array, historyProof: Uint8Array[]) =>
      ({ kind: 'otherHistory', value: { blockHash, historyProof } }) as const;
    const same = { kind: 'sameHeight', value: {} } as const;
    const end = { kind: 'afterEnd', value: {} } as const;
    const base = { format: 'quorate-fork-1', genesisId, handoffs: [], first: low, second: high } as const;
    const sound: ForkEvidence = { ...base, conflict: history(hashOf(b), proof(b)) };
    const bad: readonly [string, ForkEvidence][] = [
      ['conflict', { ...base, conflict: same }],
      ['conflict', { ...base, second: low, conflict: same }],
      ['conflict', { ...base, conflict: end }],
      ['conflict', { ...sound, second: a.certify(a.height), conflict: history(hashOf(a), proof(a)) }],
      ['conflict', { ...base, conflict: history(hashOf(b), proof(a)) }],
      ['conflict', { ...base, conflict: history(new Uint8Array(32), proof(b)) }],
      ['conflict', { ...sound, first: high, second: low }],
      ['chain', { ...sound, genesisId: new Uint8Array(32) }],
      ['first', { ...sound, first: a.certify(low.checkpoint.height, { signers: [0, 1] }) }],
      ['first', { ...sound, first: a.certify(low.checkpoint.height, { genesisId: new Uint8Array(32) }) }],
      ['second', { ...sound, second: b.certify(b.height, { signers: [2, 3] }) }],
      ['second', { ...sound, second: b.certify(b.height, { checkpoint: { epoch: 1, nextEpoch: 1 } }) }],
      ['epochs', { ...sound, handoffs: [handoffOf(low, a.genesis.validators)] }],
    ];
    const stepOf = (evidence: Uint8Array | string) =>
      verifyForkEvidence(evidence, a.genesis.text, { verify }).steps.find(({ status }) => status === 'failed')?.name;
    assert.equal(stepOf(encode(forkEvidenceCodec, sound)), undefined);
    for (const [i, [step, evidence]] of bad.entries()) {
      assert.equal(stepOf(encode(forkEvidenceCodec, evidence)), step, `case ${i}`);
    }
    const text = printForkEvidence(sound);
    for (const same of [text, text.trimEnd(), JSON.stringify(JSON.parse(text))]) assert.equal(stepOf(same), undefined);
    for (const changed of [` ${text}`, text.replace('{', '{"format":"quorate-fork-1",')]) {
      assert.equal(stepOf(changed), 'format', changed.slice(0, 40));
    }
    assert.equal(stepOf('{'), 'format');
    assert.equal(stepOf(Uint8Array.of(1)), 'format');
    assert.equal(verifyForkEvidence('{}', '{}', { verify }).steps[0]!.status, 'failed');
  });
});

describe('Q16, C5: what f+1 validators say', () => {
  const chain = smallChain(7);
  const { id } = smallChain(4, 'elsewhere').blocks[1]!.transactions[0]!;
  const expired: Reply = {
    id,
    status: 'expired',
    epoch: 0,
    height: 0,
    blockHash: new Uint8Array(32),
    receipt: { kind: 'none', value: {} },
  };
  const trust = { genesisId: chain.genesis.id, epoch: 0, validators: chain.genesis.validators };
  const judged = (replies: readonly SignedReply[], by = trust) => {
    const checked = checkReplies(replies, id, by, verify);
    return checked.ok ? checked.signers : checked.problem;
  };
  const said = (members: readonly number[], change: Partial<Reply> = {}) =>
    members.map((member) => chain.signReply(member, { ...expired, ...change }));

  it('f+1 equal answers of distinct members are enough, f are not', () => {
    assert.deepEqual(judged(said([5, 0, 3])), [0, 3, 5]);
    assert.equal(judged(said([0, 1])), '2 of 7 validators say the same, 3 are needed');
    assert.equal(judged([]), '0 of 7 validators say the same, 3 are needed');
  });

  it('a forged one, one twice, one of nobody, of another epoch, chain or id does not count', () => {
    const two = said([0, 1]);
    const [third] = said([2]);
    const other = smallChain(7, 'other-chain');
    for (const [what, bad] of [
      ['forged', { ...third!, signature: third!.signature.with(3, third!.signature[3]! ^ 1) }],
      ['under another name', { ...third!, sender: 3 }],
      ['the same member twice', two[0]!],
      ['of nobody', { ...third!, sender: 7 }],
      ['of another epoch', said([2], { epoch: 1 })[0]!],
      ['about another id', said([2], { id: new Uint8Array(32) })[0]!],
      ['of another chain', other.signReply(2, expired)],
      ['that says another thing', said([2], { status: 'committed' })[0]!],
      ['at another height', said([2], { height: 1 })[0]!],
    ] as const) {
      assert.equal(judged([...two, bad]), '2 of 7 validators say the same, 3 are needed', what);
      assert.deepEqual(judged([bad, ...two, third!]), [0, 1, 2], `${what}, beside enough`);
    }
  });

  it('f+1 of an old set are nothing in the new one', () => {
    const next = { ...trust, epoch: 1, validators: chain.members.slice(1) };
    assert.match(String(judged(said([0, 1, 2]), next)), /^0 of/);
  });

  it('through the client: asked of all nodes, by the set of the newest certificate', async () => {
    const nodes = [0, 1, 2].map((member) => lightNode(smallChain(7), member));
    const stranger = smallChain(7, 'test-chain');
    const { bytes } = stranger.transaction(ann, stranger.call('records', 'revoke', { key: 'deed 1' }));
    const enough = await clientOf(nodes, { genesis: nodes[0]!.chain.genesis }).replies(bytes);
    assert(enough.ok && enough.reply.status === 'expired' && enough.signers.length === 3);
    const few = await clientOf(nodes.slice(1), { genesis: nodes[0]!.chain.genesis }).replies(bytes);
    assert(!few.ok);
    nodes[0]!.lie = (path) => (path.startsWith('transactions/status') ? Uint8Array.of(123) : undefined);
    assert(!(await clientOf(nodes).replies(bytes)).ok);
  });
});
