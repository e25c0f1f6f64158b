import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TransactionOutcome } from '../../api/ports.ts';
import { sha256 } from '../../ledger/hash.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { idKey } from '../../node/id-key.ts';
import { WAITERS_MAX } from '../../node/limits.ts';
import { register, testGenesis } from '../support/genesis.ts';
import { LoneNode } from '../support/lone-node.ts';

const chain = testGenesis();
const LONG_MS = 60_000;
const UNKNOWN = sha256(Uint8Array.of(1));

const idsOf = (transactions: readonly Transaction[]): Uint8Array[] => transactions.map(({ id }) => id);
const shown = (outcomes: readonly TransactionOutcome[]): string[] =>
  outcomes.map(({ status, block }) => (block === undefined ? status : `${status} ${block.height}/${block.index}`));

describe('where many transactions are', () => {
  let folder: string;
  let node: LoneNode;
  let height = 0;
  const { signal } = new AbortController();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-outcomes-'));
    node = await new LoneNode(chain, folder).start();
  });
  after(async () => {
    await node.close();
    await rm(folder, { recursive: true, force: true });
  });

  const hold = (transactions: readonly Transaction[]): void => {
    for (const one of transactions) node.pool.set(idKey(one.id), one);
  };
  /** Signed in the name of a test, so that no two are alike. */
  const made = (test: string, count: number): Transaction[] =>
    Array.from({ length: count }, (_, i) => register(chain, `${test} ${i}`));

  it('is said when all are executed, and when all are final; the ledger is asked twice for all', async () => {
    const many = made('all', 50);
    hold(many);
    node.queries.length = 0;
    const committed = node.port.outcomes(idsOf(many), 'committed', LONG_MS, signal);
    let done = false;
    void committed.then(() => {
      done = true;
    });
    const final = node.port.outcomes(idsOf(many), 'final', LONG_MS, signal);
    await node.execute(++height, ...many.slice(0, 20));
    await node.port.outcomes(idsOf(many.slice(0, 20)), 'committed', LONG_MS, signal);
    assert.equal(done, false);
    await node.execute(++height, ...many.slice(20));
    const places = many.map((_, i) => (i < 20 ? `${height - 1}/${i}` : `${height}/${i - 20}`));
    assert.deepEqual(
      shown(await committed),
      places.map((place) => `committed ${place}`),
    );
    node.finish();
    assert.deepEqual(
      shown(await final),
      places.map((place) => `final ${place}`),
    );
    assert.deepEqual(node.queries, ['outcomes', 'outcomes', 'outcomes', 'outcomes', 'outcomes']);
  });

  it('is said of each by itself: failed ones are rejected, what is not known stops nobody, and one may be asked for twice', async () => {
    const [good, again] = made('each', 2) as [Transaction, Transaction];
    // The key is taken.
    const bad = register(chain, 'each 0', { nonce: 99 });
    hold([good, bad, again]);
    const ids = [good.id, UNKNOWN, bad.id, again.id, good.id];
    const final = node.port.outcomes(ids, 'final', LONG_MS, signal);
    await node.execute(++height, good, bad, again);
    node.finish();
    assert.deepEqual(shown(await final), [
      `final ${height}/0`,
      'unknown',
      `rejected ${height}/1`,
      `final ${height}/2`,
      `final ${height}/0`,
    ]);
  });

  it('is said at once of what is executed already, though it came again and waits in the pool', async () => {
    const [late, other] = made('late', 2) as [Transaction, Transaction];
    await node.execute(++height, late);
    hold([late, other]);
    assert.deepEqual(shown(await node.port.outcomes([late.id], 'committed', LONG_MS, signal)), [
      `committed ${height}/0`,
    ]);
    const { status } = await node.port.transaction(late.id, 'committed', LONG_MS, signal);
    assert.equal(status, 'committed');
    const both = node.port.outcomes(idsOf([late, other]), 'committed', LONG_MS, signal);
    await node.execute(++height, other);
    assert.deepEqual(shown(await both), [`committed ${height - 1}/0`, `committed ${height}/0`]);
    node.pool.clear();
  });

  it('is pending when the time is over or nobody listens any more, and expired when it never executes', async () => {
    const [one, gone] = made('time', 2) as [Transaction, Transaction];
    hold([one, gone]);
    assert.deepEqual(shown(await node.port.outcomes([one.id], 'committed', 0, signal)), ['pending']);
    assert.deepEqual(shown(await node.port.outcomes([one.id], 'committed', 20, signal)), ['pending']);
    const leaves = new AbortController();
    const left = node.port.outcomes([one.id], 'final', LONG_MS, leaves.signal);
    leaves.abort();
    assert.deepEqual(shown(await left), ['pending']);
    const expired = node.port.outcomes(idsOf([one, gone]), 'committed', LONG_MS, signal);
    node.expire(gone);
    await node.execute(++height, one);
    assert.deepEqual(shown(await expired), [`committed ${height}/0`, 'expired']);
    const [open] = shown(await node.port.outcomes([one.id], 'final', 20, signal));
    assert.equal(open, `committed ${height}/0`);
  });

  it('is said at once where more wait than may, in one question', async () => {
    const [one] = made('full', 1) as [Transaction];
    const leaves = new AbortController();
    const ids = Array.from({ length: WAITERS_MAX }, (_, i) => Buffer.alloc(32, `${i} `));
    for (const id of ids) node.pool.set(idKey(id), one);
    const many = node.port.outcomes(ids, 'committed', LONG_MS, leaves.signal);
    hold([one]);
    node.queries.length = 0;
    assert.deepEqual(shown(await node.port.outcomes([one.id], 'committed', LONG_MS, signal)), ['pending']);
    assert.equal((await node.port.transaction(one.id, 'final', LONG_MS, signal)).status, 'pending');
    assert.deepEqual(node.queries, ['outcomes', 'transaction']);
    leaves.abort();
    assert.equal((await many).length, WAITERS_MAX);
    node.pool.clear();
  });

  it('of one comes with its receipt and its bytes, and without the rest of its block', async () => {
    const many = made('one', 30);
    const { id, bytes } = many[17]!;
    hold(many);
    node.queries.length = 0;
    const final = node.port.transaction(id, 'final', LONG_MS, signal);
    await node.execute(++height, ...many);
    node.finish();
    const status = await final;
    assert.deepEqual(node.queries, ['transaction', 'transaction']);
    assert.deepEqual([status.status, status.block, status.receipt?.id], ['final', { height, index: 17 }, id]);
    assert.deepEqual(status.transaction, bytes);
    // As it goes to another thread.
    assert.equal(status.transaction?.buffer.byteLength, bytes.length);
  });
});
