import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Application } from '../../ledger/application.ts';
import { batchCodec, type Receipt, receiptCodec } from '../../ledger/block.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { KINDS, type Kind, Store } from '../../node/store/store.ts';
import { register, START_TIME, type TestGenesis, testGenesis } from '../support/genesis.ts';

const MARK = { group: 3, chain: sha256(Uint8Array.of(3)) };

describe('a dry-run at the ledger', () => {
  let folder: string;
  let chain: TestGenesis;
  let ledger: Ledger;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-dry-run-'));
    chain = testGenesis();
  });
  afterEach(async () => {
    await ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(application: Application = quorateApplication): Promise<void> {
    const { peerKey } = chain.genesis.validators[0]!;
    ledger = new Ledger({ directory: folder, genesis: chain.genesis, application, peerKey });
    await ledger.open();
  }

  const execute = async (height: number, ...transactions: Transaction[]): Promise<Receipt[]> => {
    const batch = { height, timestamp: START_TIME + 1_000 * height, transactions: transactions.map(({ id }) => id) };
    const packed = packTransactions(transactions.map(({ bytes }) => bytes));
    await ledger.execute(encode(batchCodec, batch), packed, { epoch: 0, digest: sha256(packed), view: 0 }, MARK);
    const block = await ledger.query('block', { at: height });
    return block!.receipts.map((receipt) => decode(receiptCodec, receipt));
  };
  const run = async ({ bytes }: Transaction, timestamp = START_TIME + 10_000) => {
    const { height, time, receipt } = await ledger.query('dryRun', { transaction: bytes, timestamp });
    return { height, time, receipt: receipt && decode(receiptCodec, receipt) };
  };
  /** Everything that is on the disk, and what the next block builds on. */
  async function everything(): Promise<unknown> {
    const { head } = ledger;
    await ledger.close();
    const store = await Store.open(folder);
    const records: string[] = [];
    for (const kind of Object.keys(KINDS) as Kind[]) {
      for await (const { key, value } of store.range(kind)) {
        records.push(`${kind} ${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`);
      }
    }
    await store.close();
    await open();
    return { head, records };
  }

  it('gives the receipt that executing gives next, with its height, and without a valid signature', async () => {
    await open();
    const [first, second] = [register(chain, 'a', { nonce: 1 }), register(chain, 'a', { nonce: 2 })];
    const unsigned = { ...first, bytes: first.bytes.with(first.bytes.length - 1, 255 - first.bytes.at(-1)!) };
    const foreseen = await run(unsigned);
    assert.deepEqual([foreseen.height, foreseen.time], [0, START_TIME + 10_000]);
    assert.equal(foreseen.receipt!.status, 'ok');
    assert.deepEqual([foreseen.receipt], await execute(1, first));
    const refused = await run(second);
    assert.deepEqual([refused.height, refused.receipt!.status], [1, 'failed'], 'the key is taken now');
    assert.deepEqual([refused.receipt], await execute(2, second));
  });

  it('of what has a receipt gives none (N9)', async () => {
    await open();
    const one = register(chain, 'a', { nonce: 1 });
    await execute(1, one);
    assert.deepEqual(await run(one), { height: 1, time: START_TIME + 10_000, receipt: undefined });
  });

  it('changes nothing, whatever the transaction does', async () => {
    await open();
    await execute(1, register(chain, 'a', { nonce: 1 }));
    const before = await everything();
    const tryAll = async () => {
      for (const key of ['a', 'b', 'b']) await run(register(chain, key, { nonce: 2 }));
    };
    await tryAll();
    assert.deepEqual(await everything(), before);
    await tryAll();
    // What is in memory makes the next block: it must be that of a ledger on which nothing was tried.
    await execute(2, register(chain, 'b', { nonce: 3 }));
    const { head } = ledger;
    await ledger.close();
    await rm(folder, { recursive: true });
    await open();
    await execute(1, register(chain, 'a', { nonce: 1 }));
    await execute(2, register(chain, 'b', { nonce: 3 }));
    assert.deepEqual(ledger.head, head);
  });

  it('changes nothing when the handler throws in the middle of it (N10)', async () => {
    const throwing: Application = {
      ...quorateApplication,
      action(module, name) {
        const action = quorateApplication.action(module, name);
        if (action === undefined) return undefined;
        return {
          ...action,
          run(context, args) {
            action.run(context, args);
            throw new Error('after its writes');
          },
        };
      },
    };
    await open(throwing);
    const { stateRoot } = ledger.head;
    const { receipt } = await run(register(chain, 'a', { nonce: 1 }));
    assert.deepEqual([receipt!.status, receipt!.code, receipt!.events], ['failed', 'internal', []]);
    await ledger.close();
    await open();
    assert.deepEqual(ledger.head.stateRoot, stateRoot);
    assert.equal((await run(register(chain, 'a', { nonce: 1 }))).receipt!.status, 'ok', 'the key is still free');
  });

  it('runs between two blocks: on the state before or after one, never in the middle', async () => {
    await open();
    const [one, other] = [register(chain, 'a', { nonce: 1 }), register(chain, 'a', { nonce: 2 })];
    const [before, , after] = await Promise.all([run(other), execute(1, one), run(other)]);
    assert.deepEqual([before.height, before.receipt!.status], [0, 'ok']);
    assert.deepEqual([after.height, after.receipt!.status], [1, 'failed']);
  });
});
