import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { type Batch, batchCodec, headerCodec } from '../../ledger/block.ts';
import { bundleCodec, updatesCodec } from '../../ledger/bundle.ts';
import { equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { type GovernanceChange, governanceProposalCodec } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { verifyBundle } from '../../light/sync.ts';
import { idKey } from '../../node/id-key.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { NO_ROW_LIMITS } from '../../node/limits.ts';
import type { Executed, Head, OpenedLedger } from '../../node/ports.ts';
import { Senders, unpackEntries } from '../../node/senders.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { type Database, KINDS, Store } from '../../node/store/store.ts';
import { blocksAbove } from '../support/answering.ts';
import { certificateOf, register, START_TIME, type TestGenesis, testGenesis } from '../support/genesis.ts';
import { decision, proposalOf } from '../support/governance.ts';
import { approvalOf, change, memberKey, sendersOf } from '../support/members.ts';

const MARK = { group: 3, chain: sha256(Uint8Array.of(3)) };
const { verify } = chooseSignatures();

describe('ledger', () => {
  let folder: string;
  let chain: TestGenesis;
  const open: Ledger[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-ledger-'));
    chain = testGenesis();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((ledger) => ledger.close()));
    await rm(folder, { recursive: true, force: true });
  });

  async function start(name = 'a', genesis = chain, index = 0): Promise<{ ledger: Ledger; opened: OpenedLedger }> {
    const ledger = new Ledger({
      directory: join(folder, name),
      genesis: genesis.genesis,
      application: quorateApplication,
      peerKey: genesis.genesis.validators[index]!.peerKey,
    });
    const opened = await ledger.open();
    open.push(ledger);
    return { ledger, opened };
  }

  async function stop(ledger: Ledger): Promise<void> {
    open.splice(open.indexOf(ledger), 1);
    await ledger.close();
  }

  function batchOf(height: number, transactions: readonly Transaction[]): [Uint8Array, Uint8Array] {
    const batch: Batch = {
      height,
      timestamp: START_TIME + 1_000 * height,
      transactions: transactions.map(({ id }) => id),
    };
    return [encode(batchCodec, batch), packTransactions(transactions.map(({ bytes }) => bytes))];
  }

  const execute = async (ledger: Ledger, height: number, ...transactions: Transaction[]): Promise<Executed> => {
    const ordered = { epoch: 0, digest: sha256(Uint8Array.of(height)), view: 3 };
    return (await ledger.execute(...batchOf(height, transactions), ordered, MARK))!;
  };

  const certify = (head: Head): Uint8Array => encode(certificateCodec, certificateOf(chain, head));

  it('executes, remembers and reopens with the same head, roots, ids and journal mark (I21)', async () => {
    const { ledger, opened } = await start();
    assert.equal(opened.head.height, 0);
    assert.equal(opened.mark, undefined);
    assert.equal([...unpackEntries(opened.senders.entries)].length, 8);
    const [a, b] = [register(chain, 'a'), register(chain, 'b')];
    await execute(ledger, 1, a);
    const executed = await execute(ledger, 2, b);
    assert.deepEqual([...executed.outcomes], [0]);
    await stop(ledger);
    const again = await start();
    const { outcomes: _, senders: __, membership: ___, ...head } = executed;
    assert.deepEqual(again.opened.head, head);
    assert.deepEqual(again.opened.mark, MARK);
    assert.deepEqual(
      again.opened.uncertified.map(({ height }) => height),
      [1, 2],
    );
    assert.deepEqual(again.opened.recentIds, new Uint8Array(Buffer.concat([a.id, b.id])));
    const third = await execute(again.ledger, 3, register(chain, 'c'));
    assert.equal(third.height, 3);
  });

  it('K01, Q05: an executed id is skipped ever after, also after a restart, up to the exact edge of its lifetime', async () => {
    chain = testGenesis(4, { maxLifetimeMs: 10_000 });
    const { ledger } = await start();
    const one = register(chain, 'a', { validUntil: START_TIME + 11_000 });
    assert.deepEqual([...(await execute(ledger, 1, one)).outcomes], [0]);
    assert.deepEqual([...(await execute(ledger, 2, one)).outcomes], [2]);
    await stop(ledger);
    const again = await start();
    for (let height = 3; height <= 13; height++) {
      assert.deepEqual([...(await execute(again.ledger, height, one)).outcomes], [2], `height ${height}`);
    }
    const known = await again.ledger.query('executedAmong', { ids: Buffer.concat([one.id, sha256(one.id)]) });
    assert.equal(known[0]! & 2, 0);
  });

  it('a certificate that was handed over is there for whoever asks after it, also while a block is being written', async () => {
    const { ledger } = await start();
    const one = register(chain, 'a');
    const certificate = certify(await execute(ledger, 1, one));
    const asked: Promise<unknown>[] = [];
    const writing = execute(ledger, 2, register(chain, 'b'));
    const storing = ledger.storeCertificate(certificate);
    asked.push(ledger.query('certificate', { height: 1 }));
    asked.push(ledger.query('transactionBundle', { id: one.id }));
    asked.push(ledger.query('blockBundle', { height: 1, under: undefined }));
    const [found, ...bundles] = await Promise.all(asked);
    assert.deepEqual(found, certificate);
    for (const bundle of bundles) assert(verifyBundle(bundle as Uint8Array, chain.genesis.text, { verify }).ok);
    await Promise.all([writing, storing]);
    assert.equal(await ledger.query('certificate', { height: 2 }), undefined);
  });

  it('H12: rows are those of the height that is said with them, also when the next block is in the store already', async () => {
    const written = Promise.withResolvers<void>();
    const confirmed = Promise.withResolvers<void>();
    let isHeld = false;
    const database = new ClassicLevel<Uint8Array, Uint8Array>(join(folder, 'held'), {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    const held: Database = {
      getSync: (key) => database.getSync(key),
      get: (key) => database.get(key),
      iterator: (options) => database.iterator(options),
      close: () => database.close(),
      batch() {
        const batch = database.batch();
        return {
          put: (key, value) => batch.put(key, value),
          del: (key) => batch.del(key),
          async write(options) {
            await batch.write(options);
            if (!isHeld) return;
            written.resolve();
            await confirmed.promise;
          },
        };
      },
    };
    const ledger = new Ledger({
      directory: join(folder, 'held'),
      openStore: async () => {
        await database.open();
        return new Store(held);
      },
      genesis: chain.genesis,
      application: quorateApplication,
      peerKey: chain.genesis.validators[0]!.peerKey,
    });
    await ledger.open();
    open.push(ledger);
    await execute(ledger, 1, register(chain, 'a'));
    isHeld = true;
    const executing = execute(ledger, 2, register(chain, 'b'));
    await written.promise;
    const asked = ledger.query('stateRows', {
      table: 'records.entries',
      prefix: new Uint8Array(0),
      after: undefined,
      limit: 10,
    });
    // Long enough for an answer that does not wait.
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 50))]);
    confirmed.resolve();
    await executing;
    const { height, rows } = await asked;
    assert.equal(rows.length, height, `${rows.length} rows at height ${height}`);
  });

  it('gives bundles of transactions, of rows and of absence that verify with the genesis file alone', async () => {
    const { ledger } = await start();
    const [a, b, c] = [register(chain, 'a'), register(chain, 'b'), register(chain, 'c')];
    await execute(ledger, 1, a, b);
    const head = await execute(ledger, 2, c);
    assert.equal(await ledger.query('transactionBundle', { id: a.id }), undefined, 'nothing is final yet');
    await ledger.storeCertificate(certify(head));
    for (const { id } of [a, b, c]) {
      const bundle = await ledger.query('transactionBundle', { id });
      const report = verifyBundle(bundle!, chain.genesis.text, { verify });
      assert(report.ok, JSON.stringify(report.steps));
    }
    // State as certified, while a later block has changed the row already.
    await execute(ledger, 3, chain.sign('writer', 'records', 'revoke', { key: 'a' }));
    for (const key of ['a', 'nothing']) {
      const args = { table: 'records.entries', key: utf8Encode(key), at: 'final', proof: true } as const;
      const { height, value, bundle } = (await ledger.query('state', args))!;
      assert.equal(height, 2);
      const report = verifyBundle(bundle!, chain.genesis.text, { verify });
      assert(report.ok, JSON.stringify(report.steps));
      assert.deepEqual(report.facts!.state!.value, value);
      assert.equal(value === undefined, key === 'nothing');
    }
    const latest = await ledger.query('state', {
      table: 'records.entries',
      key: utf8Encode('a'),
      at: 'latest',
      proof: false,
    });
    assert.equal(latest!.height, 3);
    const final = await ledger.query('state', {
      table: 'records.entries',
      key: utf8Encode('a'),
      at: 'final',
      proof: false,
    });
    assert(!equalBytes(latest!.value!, final!.value!));
  });

  it('keeps the end of each epoch with the next set, and puts them into the bundles of later ones (V03)', async () => {
    const { ledger } = await start();
    const store = (head: Head, epochs: Parameters<typeof certificateOf>[2]): Promise<void> =>
      ledger.storeCertificate(encode(certificateCodec, certificateOf(chain, head, epochs)));
    const [a, b] = [register(chain, 'a'), register(chain, 'b')];
    const first = await execute(ledger, 1, a);
    await assert.rejects(store(first, { nextEpoch: 1, nextValidatorsHash: sha256(Uint8Array.of(1)) }), {
      code: 'DIVERGED',
    });
    await store(first, { nextEpoch: 1 });
    await store(await execute(ledger, 2, b), { epoch: 1, nextEpoch: 1 });
    await store(await execute(ledger, 3), { epoch: 1, nextEpoch: 2 });
    await store(await execute(ledger, 4), { epoch: 2, nextEpoch: 2 });
    const { handoffs } = decode(updatesCodec, await ledger.query('handoffs', { from: 0 }));
    assert.deepEqual(
      handoffs.map(({ certificate: { checkpoint } }) => [checkpoint.epoch, checkpoint.height]),
      [
        [0, 1],
        [1, 3],
      ],
    );
    assert.equal(decode(updatesCodec, await ledger.query('handoffs', { from: 1 })).handoffs.length, 1);
    assert.equal(decode(updatesCodec, await ledger.query('handoffs', { from: 2 })).handoffs.length, 0);
    const table = 'records.entries';
    for (const bundle of [
      await ledger.query('transactionBundle', { id: a.id }),
      await ledger.query('blockBundle', { height: 2, under: undefined }),
      await ledger.query('blockBundle', { height: 2, under: 3 }),
      (await ledger.query('state', { table, key: utf8Encode('b'), at: 'final', proof: true }))!.bundle,
    ]) {
      const report = verifyBundle(bundle!, chain.genesis.text, { verify });
      assert(report.ok, JSON.stringify(report.steps));
    }
    const { certificate } = decode(bundleCodec, (await ledger.query('blockBundle', { height: 2, under: 3 }))!);
    assert.equal(certificate.checkpoint.height, 3);
    assert.equal(await ledger.query('blockBundle', { height: 2, under: 1 }), undefined);
    assert.equal(await ledger.query('blockBundle', { height: 9, under: undefined }), undefined);
  });

  it('a second ledger that is given the blocks gets the same roots, over a certificate at any height', async () => {
    const { ledger } = await start();
    const heads: Head[] = [];
    for (let height = 1; height <= 6; height++)
      heads.push(await execute(ledger, height, register(chain, `k${height}`)));
    await ledger.storeCertificate(certify(heads[2]!));
    await ledger.storeCertificate(certify(heads[5]!));
    const behind = await start('b');
    const answer = await blocksAbove(ledger, 0, 1);
    assert.deepEqual(
      [answer.headers.length, answer.transactions.length],
      [6, 1],
      'one block at least, however small the limit',
    );
    const whole = await blocksAbove(ledger, 0);
    for (const [i, header] of whole.headers.entries()) {
      const expected = i === 5 ? decode(certificateCodec, whole.certificate).checkpoint : undefined;
      await behind.ledger.executeSynced({ header, transactions: whole.transactions[i]! }, expected, MARK);
    }
    assert.deepEqual(behind.ledger.head, ledger.head);
    assert.equal(await ledger.blocksAbove(6, 1_000), undefined);
  });

  it('K07, T9: says with each block whose right to send has changed, also one that it was given, and all at a start', async () => {
    const names = ['alice', 'alice 2', 'zoe', 'admin org0', 'new admin', 'admin org1'];
    const { enrol, revoke, rotate, administrators } = change;
    const { ledger, opened } = await start();
    const all = { alice: 1, 'admin org0': 2, 'admin org1': 2 };
    assert.deepEqual(sendersOf(opened.senders, ...names), all);
    const blocks: readonly (readonly [transactions: readonly Transaction[], senders: object | undefined])[] = [
      [[register(chain, 'a')], undefined],
      [[approvalOf(chain, 'org0', enrol('zoe'))], { zoe: 1 }],
      [[approvalOf(chain, 'org1', revoke('zoe'))], undefined],
      [
        [approvalOf(chain, 'org0', revoke('zoe')), approvalOf(chain, 'org0', rotate('alice', 'alice 2'))],
        { alice: 0, 'alice 2': 1, zoe: 0 },
      ],
      [[approvalOf(chain, 'org0', administrators(1, 'new admin'))], { 'admin org0': 0, 'new admin': 2 }],
      // In one block there and back again.
      [
        [
          approvalOf(chain, 'org1', enrol('eve')),
          approvalOf(chain, 'org1', revoke('eve'), { nonce: 1 }),
          register(chain, 'b'),
        ],
        { eve: 0 },
      ],
    ];
    for (const [i, [transactions, senders]] of blocks.entries()) {
      const executed = await execute(ledger, i + 1, ...transactions);
      assert.deepEqual(executed.senders && sendersOf(executed.senders, ...names, 'eve'), senders, `block ${i + 1}`);
    }
    await ledger.storeCertificate(certify(ledger.head));
    const whole = await blocksAbove(ledger, 0);
    const behind = await start('b');
    for (const [i, header] of whole.headers.entries()) {
      const given = { header, transactions: whole.transactions[i]! };
      const { senders } = await behind.ledger.executeSynced(given, undefined, MARK);
      assert.deepEqual(senders && sendersOf(senders, ...names, 'eve'), blocks[i]![1], `block ${i + 1}`);
    }
    await stop(ledger);
    const now = { 'alice 2': 1, 'new admin': 2, 'admin org1': 2 };
    assert.deepEqual(sendersOf((await start()).opened.senders, ...names, 'eve'), now);
  });

  it('K07: says of everybody in an expelled organisation that it may send no more, also at the next start', async () => {
    const names = ['alice', 'zoe', 'admin new'];
    const admit = decision.admit('new', 'admin new');
    const expel = decision.expel('new');
    const approvals = (change: GovernanceChange, nonce: number): Transaction[] => {
      const args = governanceProposalCodec.toJson(proposalOf(change, { expires: START_TIME + 86_400_000 }));
      return [0, 1, 2, 3].map((i) => chain.sign(`admin org${i}`, 'governance', 'approve', args, { nonce }));
    };
    const { ledger } = await start();
    for (const [i, [transactions, senders]] of (
      [
        [approvals(admit, 1), { 'admin new': 2 }],
        [[approvalOf(chain, 'new', change.enrol('zoe'))], { zoe: 1 }],
        [approvals(expel, 2), { zoe: 0, 'admin new': 0 }],
        [[approvalOf(chain, 'org0', change.enrol('zoe 2'))], {}],
      ] as const
    ).entries()) {
      const executed = await execute(ledger, i + 1, ...transactions);
      assert.deepEqual(executed.senders && sendersOf(executed.senders, ...names), senders, `block ${i + 1}`);
    }
    await stop(ledger);
    assert.deepEqual(sendersOf((await start()).opened.senders, ...names), { alice: 1 });
  });

  it('T9: says with each block which limits and roles have changed, and all at a start', async () => {
    const writer = { pending: 10, perSecond: 1, burst: 5 };
    const others = { pending: 100, perSecond: 10, burst: 50 };
    const approvals = (change: GovernanceChange, nonce: number): Transaction[] => {
      const args = governanceProposalCodec.toJson(proposalOf(change, { nonce, expires: START_TIME + 86_400_000 }));
      return [0, 1, 2].map((i) => chain.sign(`admin org${i}`, 'governance', 'approve', args, { nonce }));
    };
    const { ledger, opened } = await start();
    const senders = new Senders(opened.senders);
    const limitsOf = (of: Senders) =>
      ['alice', 'alice 2', 'writer'].map((name) => {
        const sender = of.of(memberKey(name));
        return sender && [sender.account === idKey(memberKey('alice')), sender.limits.pending];
      });
    const free = NO_ROW_LIMITS.pending;
    for (const [i, [transactions, expected]] of (
      [
        [[], [[true, free], undefined, [false, free]]],
        [approvals(decision.limits('writer', writer), 1), [[true, free], undefined, [false, 10]]],
        [approvals(decision.limits('*', others), 2), [[true, 100], undefined, [false, 10]]],
        [
          [
            approvalOf(chain, 'org0', change.grant('alice', 'writer')),
            approvalOf(chain, 'org0', change.rotate('alice', 'alice 2'), { nonce: 1 }),
          ],
          [undefined, [true, 10], [false, 10]],
        ],
        [approvals(decision.limits('writer', undefined), 3), [undefined, [true, 100], [false, 100]]],
        [approvals(decision.limits('writer', writer), 4), [undefined, [true, 10], [false, 10]]],
      ] as const
    ).entries()) {
      const executed = await execute(ledger, i + 1, register(chain, `record ${i}`), ...transactions);
      assert.equal(executed.senders === undefined, transactions.length === 0);
      if (executed.senders !== undefined) senders.apply(executed.senders);
      assert.deepEqual(limitsOf(senders), expected, `block ${i + 1}`);
    }
    await stop(ledger);
    const again = await start();
    assert.deepEqual(limitsOf(new Senders(again.opened.senders)), [undefined, [true, 10], [false, 10]]);
    assert.deepEqual(again.opened.senders.limits, [
      { role: '*', limits: others },
      { role: 'writer', limits: writer },
    ]);
  });

  it('R17: a block whose header, transactions or roots were changed is refused and changes nothing', async () => {
    const { ledger } = await start();
    const head = await execute(ledger, 1, register(chain, 'a'));
    await ledger.storeCertificate(certify(head));
    const { headers, transactions } = await blocksAbove(ledger, 0, 1_000);
    const header = decode(headerCodec, headers[0]!);
    const other = packTransactions([register(chain, 'b').bytes]);
    const behind = await start('b');
    const before = behind.ledger.head;
    const cases: readonly [string, object, Uint8Array, Partial<Head>, string][] = [
      ['height', { height: 2 }, transactions[0]!, {}, 'BAD_BLOCK'],
      ['parent', { parent: sha256(header.parent) }, transactions[0]!, {}, 'BAD_BLOCK'],
      ['other transactions', {}, other, {}, 'BAD_BLOCK'],
      ['none', {}, new Uint8Array(0), {}, 'BAD_BLOCK'],
      ['receiptsRoot', { receiptsRoot: sha256(header.parent) }, transactions[0]!, {}, 'DIVERGED'],
      ['stateRoot', {}, transactions[0]!, { stateRoot: sha256(header.parent) }, 'DIVERGED'],
    ];
    for (const [what, fields, bodies, roots, code] of cases) {
      const block = { header: encode(headerCodec, { ...header, ...fields }), transactions: bodies };
      const fresh = await start(`c ${what}`);
      await assert.rejects(fresh.ledger.executeSynced(block, { ...head, ...roots }, MARK), { code }, what);
      assert.deepEqual(fresh.ledger.head, before, what);
      await stop(fresh.ledger);
      assert.deepEqual((await start(`c ${what}`)).opened.head, before, `${what}, after a restart`);
    }
  });

  it('executes heights in order and no height twice (S4)', async () => {
    const { ledger } = await start();
    await execute(ledger, 1, register(chain, 'a'));
    await assert.rejects(execute(ledger, 1, register(chain, 'b')), { code: 'BAD_INPUT' });
    await assert.rejects(execute(ledger, 3, register(chain, 'b')), { code: 'BAD_INPUT' });
  });

  it('D12: the directory of another chain or another node is refused', async () => {
    const { ledger } = await start();
    await stop(ledger);
    await assert.rejects(start('a', testGenesis(4, { heartbeatMs: 5_000 })), { code: 'OTHER_CHAIN' });
    await assert.rejects(start('a', chain, 1), { code: 'OTHER_VALIDATOR', message: /is of the node with peer key 0x/ });
  });

  it('O01: a second process can not open the same directory', async () => {
    await start();
    await assert.rejects(start(), /another process uses it/);
  });

  it('D07, D17: a changed byte, or a record under another key, is found out and never served', async () => {
    const { ledger } = await start();
    const a = register(chain, 'a');
    await execute(ledger, 1, a);
    await execute(ledger, 2, register(chain, 'b'));
    await stop(ledger);
    const damage = async (change: (db: ClassicLevel<Uint8Array, Uint8Array>) => Promise<void>): Promise<void> => {
      const db = new ClassicLevel<Uint8Array, Uint8Array>(join(folder, 'a'), {
        keyEncoding: 'view',
        valueEncoding: 'view',
      });
      await db.open();
      await change(db);
      await db.close();
    };
    const blockKey = Uint8Array.of(KINDS.block, 0, 0, 0, 0, 0, 0, 0, 1);
    const secondKey = blockKey.with(8, 2);
    let good: Uint8Array;
    await damage(async (db) => {
      good = (await db.get(blockKey))!;
      await db.put(blockKey, (await db.get(secondKey))!);
    });
    await assert.rejects(start(), { code: 'STORE_CORRUPTION' }, 'block 2 under the key of block 1');
    await damage(async (db) => {
      await db.put(blockKey, good);
      for await (const [key, value] of db.iterator({
        gte: Uint8Array.of(KINDS.state),
        lt: Uint8Array.of(KINDS.state + 1),
        limit: 1,
      })) {
        await db.put(key, value.with(value.length - 1, value.at(-1)! ^ 1));
      }
    });
    await assert.rejects(start(), { code: 'STORE_CORRUPTION' }, 'one bit of a state row');
  });

  it('a row that is missing as a whole is found out by the state root', async () => {
    const { ledger } = await start();
    await execute(ledger, 1, register(chain, 'a'));
    await stop(ledger);
    const db = new ClassicLevel<Uint8Array, Uint8Array>(join(folder, 'a'), {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    await db.open();
    const [key] = await db.keys({ gte: Uint8Array.of(KINDS.state), limit: 1 }).all();
    await db.del(key!);
    await db.close();
    await assert.rejects(start(), { code: 'STATE_DAMAGED' });
  });

  it('bundles are canonical bytes', async () => {
    const { ledger } = await start();
    const a = register(chain, 'a');
    await ledger.storeCertificate(certify(await execute(ledger, 1, a)));
    const bundle = (await ledger.query('transactionBundle', { id: a.id }))!;
    assert.deepEqual(encode(bundleCodec, decode(bundleCodec, bundle)), new Uint8Array(bundle));
  });
});
