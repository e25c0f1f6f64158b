import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { idKey } from '../../node/id-key.ts';
import { Intake } from '../../node/intake.ts';
import { Mempool } from '../../node/mempool.ts';
import type { PendingLog } from '../../node/pending-log.ts';
import { NO_MEMBER } from '../../node/pool-entry.ts';
import type { PackedSenders } from '../../node/ports.ts';
import { SENDS } from '../../node/senders.ts';
import { createVerifyPool } from '../../node/verify/pool.ts';
import { register, START_TIME, type TestGenesis, testGenesis } from '../support/genesis.ts';
import { approvalOf, change, hexKey } from '../support/members.ts';
import { NO_DISK } from '../support/no-disk.ts';
import { packed as packSenders } from '../support/senders.ts';

const chain = testGenesis();
const verifyPool = createVerifyPool({ workers: 0, onFatal: assert.fail });

/** The intake of member 0, on a chain whose time stands still. */
function setUp({ transactionsMax = 80, pendingLog = NO_DISK, executedAmong = 0, executedTime = 0 } = {}) {
  const pool = new Mempool({ transactionsMax, bytesMax: 1_000_000 }, 4);
  const executed = new Set<string>();
  const blamed: string[] = [];
  let inForce = chain.genesis.parameters;
  const intake = new Intake({
    genesisId: chain.genesis.id,
    parameters: () => inForce,
    application: quorateApplication,
    self: () => 0,
    pool,
    verifyPool,
    senders: packed(
      ['writer', SENDS.account],
      ['admin org0', SENDS.administrator],
      ['issuer', SENDS.account | SENDS.administrator],
    ),
    chainNow: () => START_TIME,
    now: () => 0,
    body: (key) => pool.body(key),
    refusal: () => undefined,
    recentlyExecuted: (key) => executed.has(key),
    pendingLog,
    executedTime: () => executedTime,
    executedAmong: async () => Uint8Array.of(executedAmong),
    added() {},
    blame: (member, reason) => void blamed.push(`${member}: ${reason}`),
  });
  const submit = async ({ bytes }: Pick<Transaction, 'bytes'>): Promise<string> => {
    const [outcome] = await intake.fromClient([bytes]);
    return outcome!.kind === 'refused' ? outcome!.code : outcome!.kind;
  };
  /** What member 2 gives when asked for `wanted`. */
  const fetched = (wanted: readonly Transaction[], ...given: readonly Pick<Transaction, 'bytes'>[]) => {
    const keys = new Set(wanted.map(({ id }) => idKey(id)));
    return intake.forBatch(2, packTransactions(given.map(({ bytes }) => bytes)), keys);
  };
  /** An epoch with other parameters begins. */
  const begin = (change: Partial<typeof inForce>): void => {
    inForce = { ...chain.genesis.parameters, ...change };
  };
  return { pool, intake, blamed, executed, senders: intake.senders, submit, fetched, begin };
}

function packed(...entries: readonly (readonly [name: string, sends: number])[]): PackedSenders {
  return packSenders(entries.map(([name, sends]) => ({ key: chain.account(name).publicKey, sends })));
}

function badlySigned({ bytes }: Transaction): Pick<Transaction, 'bytes'> {
  const changed = bytes.slice();
  changed[changed.length - 1]! ^= 1;
  return { bytes: changed };
}

/** Signed as it should be, with a body that no correct member admits. */
function signedWith(change: Partial<Transaction['body']>, of: TestGenesis = chain): Transaction {
  const { body } = register(of, 'a');
  const signer = of.account('writer');
  return signTransaction(of.genesis.id, { ...body, ...change }, (message) => signer.sign(message));
}

describe('what may enter the pool (N4, N13)', () => {
  const [call] = register(chain, 'a').body.calls;
  const invalid: Readonly<Record<string, Transaction>> = {
    'an unknown module': signedWith({ calls: [{ ...call!, module: 'nothing' }] }),
    'an unknown action': signedWith({ calls: [{ ...call!, action: 'nothing' }] }),
    'malformed arguments': signedWith({ calls: [{ ...call!, args: Uint8Array.of(1, 2, 3) }] }),
    'too many bytes': signedWith({
      calls: Array.from({ length: 3 }, () => ({ ...call!, args: new Uint8Array(16_000) })),
    }),
  };
  for (const [what, transaction] of Object.entries(invalid)) {
    it(`L14, Q01: a body with ${what} makes its whole batch invalid, although its signature is good`, async () => {
      const { pool, fetched, blamed, submit } = setUp();
      assert.match((await fetched([transaction], transaction))!, /^transaction in the batch: /);
      assert.deepEqual([pool.size, blamed.length], [0, 1]);
      assert.match(await submit(transaction), /unknown-action|invalid-args|too-large/);
      assert.equal(pool.size, 0);
    });
  }

  it('E1, N4: what an epoch allows is judged by the one that began while the signature was verified', async () => {
    const { pool, fetched, blamed, begin } = setUp();
    const one = register(chain, 'a');
    const tooLarge = fetched([one], one);
    begin({ transactionBytesMax: one.bytes.length - 1 });
    assert.match((await tooLarge)!, /^transaction in the batch: transaction of \d+ bytes, at most \d+$/);
    assert.deepEqual([pool.size, blamed.length], [0, 1]);
    const fits = fetched([one], one);
    begin({});
    assert.equal(await fits, undefined);
    assert.deepEqual([pool.size, blamed.length], [1, 1]);
  });

  it('E1: a body from who is no member any more, when its signature is verified, is in nobody’s share', async () => {
    const { pool, fetched } = setUp();
    const one = register(chain, 'a');
    const fetching = fetched([one], one);
    pool.enterEpoch(
      2,
      () => NO_MEMBER,
      () => true,
    );
    await fetching;
    assert.equal(pool.body(idKey(one.id))?.origin, NO_MEMBER);
  });

  it('L14, Q01: a body with a bad signature is none: the batch stays without it, and its giver is blamed', async () => {
    const { pool, fetched, blamed } = setUp();
    const wanted = register(chain, 'a');
    assert.equal(await fetched([wanted], badlySigned(wanted)), undefined, 'another member may have the right one');
    assert.deepEqual([pool.size, blamed], [0, ['2: a transaction with a bad signature']]);
    assert.equal(await fetched([wanted], wanted), undefined);
    assert.equal(pool.size, 1);
  });

  it('L05: fetched bytes are hashed again: what has another id than was asked for is not taken', async () => {
    const { pool, fetched } = setUp();
    const [wanted, other] = [register(chain, 'a'), register(chain, 'b')];
    await fetched([wanted], other);
    await fetched([wanted], signedWith({ nonce: new Uint8Array(8).fill(9) }));
    assert.equal(pool.size, 0);
    await fetched([wanted], other, wanted);
    assert.deepEqual([pool.has(idKey(wanted.id)), pool.has(idKey(other.id))], [true, false]);
  });

  it('R07, R26: a transaction of another chain has another id here, and its signature is none', async () => {
    const { pool, intake, submit } = setUp();
    const elsewhere = register(testGenesis(5), 'a');
    assert.equal(await submit(elsewhere), 'bad-signature');
    await intake.fromPeer(1, packTransactions([elsewhere.bytes]));
    assert.equal(pool.size, 0);
  });

  it('trap: transaction first seen with a bad signature, from anybody, is taken when it comes with a good one', async () => {
    const { pool, intake, blamed, submit, fetched } = setUp();
    const transaction = register(chain, 'a');
    const bad = badlySigned(transaction);
    assert.equal(await submit(bad), 'bad-signature');
    await intake.fromPeer(1, packTransactions([bad.bytes]));
    await fetched([transaction], bad);
    assert.deepEqual(blamed, ['1: a transaction with a bad signature', '2: a transaction with a bad signature']);
    assert.equal(pool.size, 0);
    assert.equal(await submit(transaction), 'accepted');
    assert.equal(await submit(bad), 'known', 'the id is known by now');
    assert.equal(pool.size, 1);
    assert.deepEqual(pool.body(idKey(transaction.id))!.bytes, transaction.bytes);
  });

  it('Q03: the same body with a second signature is the same transaction', async () => {
    const { pool, intake, submit } = setUp();
    const transaction = register(chain, 'a');
    assert.equal(await submit(transaction), 'accepted');
    const other = { ...transaction, bytes: transaction.bytes.slice() };
    other.bytes.fill(7, other.bytes.length - 64);
    assert.equal(await submit(other), 'known');
    await intake.fromPeer(1, packTransactions([other.bytes]));
    assert.equal(pool.size, 1);
  });

  it('Q04: admission ends with the chain time and begins a lifetime before, and only the admitting node judges it', async () => {
    const life = chain.genesis.parameters.maxLifetimeMs;
    for (const [validUntil, expected] of [
      [START_TIME - 1, 'expired'],
      [START_TIME, 'accepted'],
      [START_TIME + life, 'accepted'],
      [START_TIME + life + 1, 'expiry-too-far'],
    ] as const) {
      const { pool, intake, submit } = setUp();
      const transaction = register(chain, 'a', { validUntil });
      assert.equal(await submit(transaction), expected, `${validUntil - START_TIME}`);
      // A receiver with another clock does not refuse: block time decides at execution.
      if (expected === 'accepted') continue;
      await intake.fromPeer(1, packTransactions([transaction.bytes]));
      assert.equal(pool.size, 1);
    }
  });

  it('T9: a node admits what its executed state lets a sender run: accounts their actions, administrators theirs', async () => {
    const { intake, pool, submit } = setUp();
    const approve = (by: string) => {
      return approvalOf(chain, 'org0', change.revoke('bob'), { signer: chain.account(by) });
    };
    const transfer = (by: string) => {
      const args = { asset: 'gold', to: hexKey('bob'), amount: '1' };
      return chain.sign(by, 'assets', 'transfer', args);
    };
    const both = (by: string) => {
      const calls = [...approve(by).body.calls, ...transfer(by).body.calls];
      const body = { ...approve(by).body, calls };
      return signTransaction(chain.genesis.id, body, (message) => chain.account(by).sign(message));
    };
    for (const [by, expected] of [
      ['writer', ['not-permitted', 'accepted', 'not-permitted']],
      ['admin org0', ['accepted', 'not-permitted', 'not-permitted']],
      ['issuer', ['accepted', 'accepted', 'accepted']],
      ['alice', ['not-permitted', 'not-permitted', 'not-permitted']],
    ] as const) {
      const sent = [approve(by), transfer(by), both(by)];
      for (const [i, one] of sent.entries()) assert.equal(await submit(one), expected[i], `${by}, ${i}`);
    }
    // A receiver refuses nothing of it: whether it may, the state says at execution.
    const before = pool.size;
    await intake.fromPeer(1, packTransactions([transfer('alice').bytes]));
    assert.equal(pool.size, before + 1);
  });

  it('K07: whoever is revoked is refused from the block on; what of it waits already stays, and is ordered', async () => {
    const { pool, senders, submit, fetched } = setUp();
    const waiting = register(chain, 'a');
    assert.equal(await submit(waiting), 'accepted');
    senders.apply(packed(['writer', 0], ['alice', SENDS.account]));
    assert.equal(await submit(register(chain, 'b')), 'not-permitted');
    assert.equal(await submit(waiting), 'known');
    assert(pool.has(idKey(waiting.id)));
    assert.deepEqual(
      pool.choose(START_TIME, 10, 1_000_000).map(({ id }) => id),
      [waiting.id],
    );
    const needed = register(chain, 'c');
    assert.equal(await fetched([needed], needed), undefined, 'a proposal with more of it is a valid one');
    assert.equal(pool.size, 2);
    const args = { asset: 'gold', to: hexKey('bob'), amount: '1' };
    assert.equal(await submit(chain.sign('alice', 'assets', 'transfer', args)), 'accepted', 'enrolled since');
    senders.replace(packed(['bob', SENDS.account]));
    assert.equal(await submit(chain.sign('alice', 'assets', 'transfer', args, { nonce: 2 })), 'not-permitted');
    assert.equal(await submit(chain.sign('bob', 'assets', 'transfer', args)), 'accepted');
  });

  it('K01: what was executed is known, and enters no pool again by any way', async () => {
    const { pool, intake, executed, submit } = setUp();
    const transaction = register(chain, 'a');
    executed.add(idKey(transaction.id));
    assert.equal(await submit(transaction), 'known');
    await intake.fromPeer(1, packTransactions([transaction.bytes]));
    assert.equal(pool.size, 0);
  });

  it('trap: a full pool refuses its own clients first, never what an origin may still send, and has room again', async () => {
    const { pool, intake, submit } = setUp({ transactionsMax: 16 });
    // Four members: a share of four each, of which an origin admits two.
    const named = (name: string) => register(chain, name);
    assert.deepEqual(
      [await submit(named('a')), await submit(named('b')), await submit(named('c'))],
      ['accepted', 'accepted', 'overloaded'],
    );
    for (const member of [1, 2, 3]) {
      const sent = ['1', '2', '3', '4', '5'].map((name) => named(`${member} ${name}`).bytes);
      await intake.fromPeer(member, packTransactions(sent));
    }
    assert.equal(pool.size, 2 + 3 * 4, 'four of each origin, and nobody takes the share of another');
    // Bodies that a batch needs are taken all the same (V10: no pool rule evicts them).
    const needed = named('needed');
    await intake.forBatch(1, packTransactions([needed.bytes]), new Set([idKey(needed.id)]));
    assert(pool.has(idKey(needed.id)));
    pool.executed(1, [idKey(named('a').id), idKey(named('b').id)]);
    assert.equal(await submit(named('c')), 'accepted');
  });
});

describe('R11: what was acknowledged before a start', () => {
  const kept: string[] = [];
  const pendingLog: PendingLog = {
    ...NO_DISK,
    begin: async (entries) => void kept.push(...entries.map(({ key }) => key)),
  };

  it('is pending again, but for what is executed, past its time or not what was signed', async () => {
    const [executed, pending, broken] = ['a', 'b', 'c'].map((key) => register(chain, key)) as [
      Transaction,
      Transaction,
      Transaction,
    ];
    const past = signedWith({ validUntil: START_TIME - 1 });
    const { pool, intake, blamed } = setUp({ pendingLog, executedAmong: 1, executedTime: START_TIME });
    const stored = [executed, pending, past, pending, badlySigned(broken), { bytes: Uint8Array.of(1, 2, 3) }];
    assert.equal(await intake.restore(stored.map(({ bytes }) => bytes)), 1);
    assert.deepEqual(
      [...pool.entries()].map(({ key }) => key),
      [idKey(pending.id)],
    );
    assert.deepEqual(kept, [idKey(pending.id)], 'and nothing else stays on the disk');
    assert.deepEqual(blamed, [], 'nobody else is to blame for what is on the own disk');
  });

  it('stays although the parameters of this epoch exclude it: it waits for another one', async () => {
    const { pool, intake } = setUp({ pendingLog });
    const unfit = signedWith({
      calls: Array.from({ length: 3 }, () => ({
        ...register(chain, 'a').body.calls[0]!,
        args: new Uint8Array(16_000),
      })),
    });
    assert.equal(await intake.restore([unfit.bytes]), 1);
    assert.equal(pool.isFit(idKey(unfit.id)), false);
    assert.deepEqual(pool.choose(START_TIME, 10, 1_000_000), [], 'no leader may order it');
    assert.equal(pool.view(10, 1_000_000).orderable, 0);
  });

  it('stays although its sender may send no more: that is decided where it executes', async () => {
    const { pool, intake, senders } = setUp({ pendingLog });
    const one = register(chain, 'b');
    senders.apply(packed(['writer', 0]));
    assert.equal(await intake.restore([one.bytes]), 1);
    assert.equal(pool.size, 1);
  });

  it('is not answered for before it is on the disk', async () => {
    let sync: (() => void) | undefined;
    const slow: PendingLog = {
      ...NO_DISK,
      keep: async (entries) => {
        if (entries.length > 0) await new Promise<void>((resolve) => (sync = resolve));
      },
    };
    const { submit, pool } = setUp({ pendingLog: slow });
    let answer: string | undefined;
    const submitted = submit(register(chain, 'a')).then((one) => (answer = one));
    while (sync === undefined) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([answer, pool.size], [undefined, 1]);
    sync();
    assert.equal(await submitted, 'accepted');
    sync = undefined;
    const again = submit(register(chain, 'a'));
    while (sync === undefined) await new Promise((resolve) => setImmediate(resolve));
    (sync as () => void)();
    assert.equal(await again, 'known', 'nor is whoever sends the same bytes');
  });
});
