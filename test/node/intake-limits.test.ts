import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RoleLimits } from '../../ledger/modules/account-limits.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { idKey } from '../../node/id-key.ts';
import { Intake } from '../../node/intake.ts';
import { ADMITTED_MIN, NO_ROW_LIMITS } from '../../node/limits.ts';
import { Mempool } from '../../node/mempool.ts';
import type { Refusal } from '../../node/refusal.ts';
import { SENDS } from '../../node/senders.ts';
import { createVerifyPool } from '../../node/verify/pool.ts';
import { START_TIME, testGenesis } from '../support/genesis.ts';
import { hexKey } from '../support/members.ts';
import { NO_DISK } from '../support/no-disk.ts';
import { packed } from '../support/senders.ts';

const chain = testGenesis();
const keyOf = (name: string): Uint8Array => chain.account(name).publicKey;
const WIDE = { pending: 1_000_000, perSecond: 1_000_000, burst: 1_000_000 };

/** Member 0 of four; `ann` and `ben` have role writer, `admin` is an administrator. */
function setUp(writer: Partial<RoleLimits>, transactionsMax = 200_000) {
  const pool = new Mempool({ transactionsMax, bytesMax: 128 * 1024 * 1024 }, 4);
  const verifyPool = createVerifyPool({ workers: 0, onFatal: assert.fail });
  const clock = { now: 0, verified: 0, meanwhile: () => {}, refusal: undefined as Refusal | undefined };
  const account = (name: string) => ({ key: keyOf(name), sends: SENDS.account, roles: ['writer'] });
  const intake = new Intake({
    genesisId: chain.genesis.id,
    parameters: () => chain.genesis.parameters,
    application: quorateApplication,
    self: () => 0,
    pool,
    verifyPool: {
      ...verifyPool,
      async verify(checks) {
        clock.verified += checks.count;
        const bits = await verifyPool.verify(checks);
        clock.meanwhile();
        return bits;
      },
    },
    senders: packed([account('ann'), account('ben'), { key: keyOf('free'), sends: SENDS.account }], {
      writer: { ...WIDE, ...writer },
    }),
    chainNow: () => START_TIME,
    now: () => clock.now,
    body: (key) => pool.body(key),
    refusal: () => clock.refusal,
    recentlyExecuted: () => false,
    pendingLog: NO_DISK,
    executedTime: () => 0,
    executedAmong: async (ids) => new Uint8Array(Math.ceil(ids.length / 256)),
    added() {},
    blame: () => {},
  });
  /** What became of them, as `accepted accepted too-fast` in the order of submission: counted. */
  const submit = async (transactions: readonly Pick<Transaction, 'bytes'>[], viaNode?: boolean) => {
    const outcomes = await intake.fromClient(
      transactions.map(({ bytes }) => bytes),
      viaNode,
    );
    const found: Record<string, number> = {};
    for (const one of outcomes) {
      const name = one.kind === 'refused' ? one.code : one.kind;
      found[name] = (found[name] ?? 0) + 1;
    }
    return found;
  };
  const execute = (transactions: readonly Transaction[]) =>
    pool.executed(
      1,
      transactions.map(({ id }) => idKey(id)),
    );
  return { pool, intake, clock, submit, execute, account };
}

let nonce = 0;
function payments(by: string, count: number): Transaction[] {
  const args = { asset: 'gold', to: hexKey('bob'), amount: '1' };
  return Array.from({ length: count }, () => chain.sign(by, 'assets', 'transfer', args, { nonce: nonce++ }));
}

function badlySigned({ bytes }: Transaction): Pick<Transaction, 'bytes'> {
  return { bytes: bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1) };
}

describe('T9: what one account may send to one node', () => {
  it('K10: one that floods is refused beyond its limit, the others are served, and it goes on when it was executed', async () => {
    // A pool with less room than the flood would take: without limits the others find it full.
    const { pool, submit, execute } = setUp({ pending: 300 }, 8 * 1_000);
    const flood = payments('ann', 3_000);
    const few = payments('ben', 12);
    const answered: Record<string, number>[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        await submit(flood.slice(250 * i, 250 * (i + 1)));
        answered.push(await submit([few[i]!]));
      }),
    );
    assert.deepEqual(
      answered,
      few.map(() => ({ accepted: 1 })),
    );
    assert.deepEqual([pool.pendingOf(idKey(keyOf('ann'))), pool.size], [300, 312]);
    const held = flood.filter(({ id }) => pool.has(idKey(id)));
    assert.deepEqual(await submit(held.slice(0, 5)), { known: 5 }, 'what it has here is no news and no more');
    execute(held.slice(0, 100));
    const rest = flood.filter((one) => !held.includes(one));
    assert.deepEqual(await submit(rest.slice(0, 150)), { accepted: 100, 'too-many-pending': 50 });
  });

  it('is judged one by one in a batch, which it may share with others', async () => {
    const { intake } = setUp({ pending: 2 });
    const [a, b, c] = payments('ann', 3);
    const [d, e] = payments('ben', 2);
    const outcomes = await intake.fromClient([a!, d!, b!, c!, e!].map(({ bytes }) => bytes));
    assert.deepEqual(
      outcomes.map((one) => (one.kind === 'refused' ? one.code : one.kind)),
      ['accepted', 'accepted', 'accepted', 'too-many-pending', 'accepted'],
    );
    assert.deepEqual(outcomes[3], {
      kind: 'refused',
      id: c!.id,
      code: 'too-many-pending',
      detail: '2 transactions of this account are pending at this node, at most 2',
      retryAfter: 1,
    });
  });

  it('is slowed down to its rate, and nothing is verified for what has no room', async () => {
    const { clock, submit } = setUp({ perSecond: 5, burst: 20 });
    const sent = payments('ann', 60);
    assert.deepEqual(await submit(sent.slice(0, 30)), { accepted: 20, 'too-fast': 10 });
    assert.equal(clock.verified, 20);
    assert.deepEqual(await submit(sent.slice(20)), { 'too-fast': 40 });
    assert.equal(clock.verified, 20);
    clock.now = 1_000;
    assert.deepEqual(await submit(sent.slice(20)), { accepted: 5, 'too-fast': 35 });
    assert.deepEqual(await submit(payments('ben', 20)), { accepted: 20 });
  });

  it('is nobody else’s to use up: with bad signatures in its name nothing is counted', async () => {
    const { clock, pool, submit } = setUp({ pending: 10, perSecond: 1, burst: 10 });
    const sent = payments('ann', 10);
    for (let i = 0; i < 5; i++) await submit(payments('ann', 10).map(badlySigned));
    assert.equal(pool.size, 0);
    assert.deepEqual(await submit(sent), { accepted: 10 });
    assert.equal(clock.verified, 60);
  });

  it('holds when many calls are verified at the same time', async () => {
    const { pool, submit } = setUp({ pending: 10, perSecond: 1, burst: 8 });
    const calls = await Promise.all(Array.from({ length: 6 }, () => submit(payments('ann', 5))));
    assert.equal(
      calls.reduce((sum, { accepted = 0 }) => sum + accepted, 0),
      8,
    );
    assert.equal(pool.size, 8);
  });

  it('is of the account, whichever key it has: another key is no other burst and no other place', async () => {
    const { intake, account, submit, execute, pool } = setUp({ pending: 10, perSecond: 1, burst: 15 });
    const before = payments('ann', 10);
    assert.deepEqual(await submit(before), { accepted: 10 });
    intake.senders.apply(
      packed([
        { key: keyOf('ann'), sends: 0 },
        { ...account('ann 2'), account: keyOf('ann') },
      ]),
    );
    assert.deepEqual(await submit(payments('ann', 1)), { 'not-permitted': 1 });
    assert.deepEqual(await submit(payments('ann 2', 1)), { 'too-many-pending': 1 });
    execute(before);
    assert.deepEqual(await submit(payments('ann 2', 10)), { accepted: 5, 'too-fast': 5 });
    assert.equal(pool.pendingOf(idKey(keyOf('ann'))), 5);
  });

  it('is that of the newest block, also if that came while its signatures were verified', async () => {
    const { intake, clock, submit } = setUp({ pending: 10 });
    clock.meanwhile = () => intake.senders.apply(packed([], { writer: { ...WIDE, pending: 3 } }));
    assert.deepEqual(await submit(payments('ann', 5)), { accepted: 3, 'too-many-pending': 2 });
    clock.meanwhile = () => intake.senders.apply(packed([{ key: keyOf('ben'), sends: 0 }]));
    assert.deepEqual(await submit(payments('ben', 2)), { 'not-permitted': 2 });
  });

  it('is the default where no row says anything, however many come', async () => {
    const { submit } = setUp({ pending: 1 });
    assert.deepEqual(await submit(payments('free', 100)), { accepted: 100 });
    assert(NO_ROW_LIMITS.pending > 100);
  });

  it('fills no more than half of what a node has room for, limits or not, and the others find room', async () => {
    const { submit, execute, intake, clock } = setUp({ pending: 1_000_000 });
    const flood = payments('free', ADMITTED_MIN);
    assert.deepEqual(await submit(flood), { accepted: ADMITTED_MIN / 2, 'too-many-pending': ADMITTED_MIN / 2 });
    assert.equal(intake.overload(), undefined);
    assert.deepEqual(await submit(payments('ann', ADMITTED_MIN / 2 + 7)), {
      accepted: ADMITTED_MIN / 2,
      'too-many-pending': 7,
    });
    assert.equal(intake.overload()?.code, 'overloaded');
    clock.refusal = { code: 'no-quorum', detail: 'alone', retryAfter: 1 };
    assert.equal(intake.overload(), undefined, 'a full node that can order nothing says that');
    assert.deepEqual(await submit(payments('ben', 2)), { 'no-quorum': 2 });
    clock.refusal = undefined;
    const { verified } = clock;
    assert.deepEqual(await submit(payments('ben', 3)), { overloaded: 3 });
    assert.equal(clock.verified, verified, 'nothing is verified for what has no room');
    execute(flood);
    assert.deepEqual(await submit(payments('ben', 3)), { accepted: 3 });
  });

  it('finds room beside a flood whose signatures are still being verified, and are bad', async () => {
    const { submit, pool } = setUp({ pending: 1_000_000 });
    const bad = payments('ann', ADMITTED_MIN).map(badlySigned);
    const flood = submit(bad);
    assert.deepEqual(await submit(payments('ben', 20)), { accepted: 20 });
    await flood;
    assert.equal(pool.size, 20);
  });

  it('is refused, not kept, where others took the room while it was verified', async () => {
    const { submit, pool } = setUp({ pending: 1_000_000 });
    const [ann, ben] = ['ann', 'ben'].map((by) => payments(by, ADMITTED_MIN / 2)) as [Transaction[], Transaction[]];
    const answers = await Promise.all([ann, ben, payments('free', 500)].map((sent) => submit(sent)));
    assert.equal(pool.size, ADMITTED_MIN);
    assert.equal(
      answers.reduce((sum, { overloaded = 0 }) => sum + overloaded, 0),
      500,
    );
  });

  it('concerns no peer: what members forward and what a batch needs is never refused, and takes no place', async () => {
    const { intake, pool, submit } = setUp({ pending: 2, perSecond: 1, burst: 2 });
    const [forwarded, needed] = [payments('ann', 20), payments('ann', 20)];
    await intake.fromPeer(1, packTransactions(forwarded.map(({ bytes }) => bytes)));
    const keys = new Set(needed.map(({ id }) => idKey(id)));
    assert.equal(await intake.forBatch(2, packTransactions(needed.map(({ bytes }) => bytes)), keys), undefined);
    assert.equal(pool.size, 40);
    assert.deepEqual(await submit(payments('ann', 5)), { accepted: 2, 'too-many-pending': 3 });
  });

  it('of clients of a node without a vote is asked for there by the rate, here by the place', async () => {
    const { clock, submit, execute } = setUp({ pending: 30, perSecond: 1, burst: 10 });
    const handed = payments('ann', 40);
    assert.deepEqual(await submit(handed, true), { accepted: 30, 'too-many-pending': 10 });
    execute(handed.slice(0, 30));
    assert.deepEqual(await submit(handed.slice(30), true), { accepted: 10 }, 'sent again, it has a place');
    clock.now = 100;
    assert.deepEqual(await submit(payments('ann', 12)), { accepted: 10, 'too-fast': 2 });
  });
});
