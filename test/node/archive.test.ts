import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { batchCodec } from '../../ledger/block.ts';
import { utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import type { StateChange } from '../../ledger/overlay.ts';
import { rootFromStateProof, statePath } from '../../ledger/state-proof.ts';
import { StateTree } from '../../ledger/state-tree.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { verifyBundle } from '../../light/sync.ts';
import { Archive } from '../../node/ledger/archive.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { type Database, Store, stateKey } from '../../node/store/store.ts';
import { certificateOf, register, START_TIME, testGenesis } from '../support/genesis.ts';
import { randomFrom } from '../support/mutate.ts';

const MARK = { group: 1, chain: sha256(Uint8Array.of(1)) };
const TABLE = 'records.entries';
const { verify } = chooseSignatures();

describe('an archive', () => {
  let folder: string;
  const closing: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-archive-'));
  });

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await rm(folder, { recursive: true, force: true });
  });

  it('proves presence and absence of every row at every height, whatever was added, changed and removed', async () => {
    const store = await Store.open(folder);
    closing.push(() => store.close());
    const tree = new StateTree();
    const archive = new Archive(store);
    const below = randomFrom(7);
    const random = (): number => below(1_000) / 1_000;
    const keys = Array.from({ length: 120 }, (_, i) => utf8Encode(`key ${i}`));
    const rows = new Map<number, Uint8Array>();
    const versions: { readonly root: Uint8Array; readonly rows: ReadonlyMap<number, Uint8Array> }[] = [];
    await archive.begin('state', tree, 0);
    versions.push({ root: tree.root(), rows: new Map() });
    for (let height = 1; height <= 60; height++) {
      // Grows, then shrinks to one row and to none: pages come, change and go.
      const share = height > 50 ? 1 : height > 30 ? 0.4 : 0.05;
      const changes: StateChange[] = [];
      for (const [i, key] of keys.entries()) {
        const value = random() < share ? null : Uint8Array.of(height, i);
        if (height % 7 === 0 || random() > (height > 50 ? 0.5 : 0.1) || (height === 60 && i > 0)) continue;
        if (value === null && !rows.has(i)) continue;
        changes.push({ table: TABLE, key, value });
        if (value === null) rows.delete(i);
        else rows.set(i, value);
      }
      tree.apply(
        changes.map(({ table, key, value }) => ({ path: statePath(table, key), valueHash: value && sha256(value) })),
      );
      const batch = store.batch();
      archive.add(batch, tree, changes, height);
      await batch.write({ sync: false });
      versions.push({ root: tree.root(), rows: new Map(rows) });
    }
    assert(
      versions.some((one) => one.rows.size > 60) && versions.some((one, height) => height > 50 && one.rows.size < 3),
    );
    for (const [height, version] of versions.entries()) {
      for (const [i, key] of keys.entries()) {
        const { value, proof } = await archive.row(TABLE, key, height);
        assert.deepEqual(value, version.rows.get(i), `row ${i} at ${height}`);
        const root = rootFromStateProof(statePath(TABLE, key), value && sha256(value), proof);
        assert.deepEqual(root, version.root, `proof of row ${i} at ${height}`);
      }
    }
  });

  it('D02: is complete although a power cut takes every write that was not synced by itself', async () => {
    // LevelDB goes on to another log now and then: what was not synced in the one before can be lost, and the rest not.
    const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' });
    await level.open();
    closing.push(() => level.close());
    const database: Database = {
      getSync: (key) => level.getSync(key),
      get: (key) => level.get(key),
      iterator: (options) => level.iterator(options),
      batch() {
        const batch = level.batch();
        return {
          put: (key, value) => batch.put(key, value),
          del: (key) => batch.del(key),
          write: ({ sync }) => (sync ? batch.write({ sync }) : batch.close()),
        };
      },
      close: () => level.close(),
    };
    const store = new Store(database);
    const keys = Array.from({ length: 5_000 }, (_, i) => utf8Encode(`key ${i}`));
    const rows = store.batch();
    for (const key of keys) rows.put('state', stateKey(TABLE, key), key);
    await rows.write({ sync: true });
    const tree = new StateTree();
    tree.apply(keys.map((key) => ({ path: statePath(TABLE, key), valueHash: sha256(key) })));
    const archive = new Archive(store);
    await archive.begin('state', tree, 7);
    for (const key of keys.filter((_, i) => i % 50 === 0)) {
      const { value, proof } = await archive.row(TABLE, key, 7);
      assert.deepEqual(value, key);
      assert.deepEqual(rootFromStateProof(statePath(TABLE, key), sha256(key), proof), tree.root());
    }
  });

  it('makes bundles of any final state value, across restarts, and from where it is turned on', async () => {
    const chain = testGenesis();
    const open = async (archive: boolean): Promise<Ledger> => {
      const { genesis } = chain;
      const { peerKey } = genesis.validators[0]!;
      const ledger = new Ledger({ directory: folder, genesis, application: quorateApplication, peerKey, archive });
      await ledger.open();
      return ledger;
    };
    let height = 0;
    const grow = async (ledger: Ledger, transaction: Transaction): Promise<void> => {
      height++;
      const batch = { height, timestamp: START_TIME + 1_000 * height, transactions: [transaction.id] };
      const digest = sha256(Uint8Array.of(height));
      const packed = packTransactions([transaction.bytes]);
      const executed = await ledger.execute(encode(batchCodec, batch), packed, { epoch: 0, digest, view: 0 }, MARK);
      await ledger.storeCertificate(encode(certificateCodec, certificateOf(chain, executed!)));
    };
    const shows = async (ledger: Ledger, key: string, at: number): Promise<string | undefined> => {
      const answer = await ledger.query('state', { table: TABLE, key: utf8Encode(key), at, proof: true });
      if (answer === undefined) return undefined;
      const report = verifyBundle(answer.bundle!, chain.genesis.text, { verify });
      assert(report.ok, JSON.stringify(report.steps));
      assert.equal(report.facts!.certified.height, at);
      return report.facts!.state!.value === undefined ? 'absent' : 'present';
    };

    const first = await open(true);
    await grow(first, register(chain, 'a'));
    await grow(first, register(chain, 'b'));
    await first.close();
    const second = await open(true);
    await grow(second, register(chain, 'c'));
    await grow(second, chain.sign('writer', 'records', 'revoke', { key: 'a' }));
    const seen = await Promise.all([1, 2, 3, 4].map((at) => shows(second, 'b', at)));
    assert.deepEqual(seen, ['absent', 'present', 'present', 'present']);
    const now = await second.query('state', { table: TABLE, key: utf8Encode('a'), at: 4, proof: false });
    const before = await second.query('state', { table: TABLE, key: utf8Encode('a'), at: 3, proof: false });
    assert.notDeepEqual(now!.value, before!.value);
    assert.deepEqual([now!.bundle, before!.bundle], [undefined, undefined], 'no proof was asked for');
    assert.equal(await shows(second, 'a', 5), undefined, 'not executed');
    await second.close();

    const off = await open(false);
    await grow(off, register(chain, 'd'));
    await grow(off, register(chain, 'e'));
    assert.equal(await shows(off, 'b', 3), undefined, 'not kept');
    await off.close();
    const again = await open(true);
    closing.push(() => again.close());
    await grow(again, register(chain, 'f'));
    await grow(again, register(chain, 'g'));
    assert.deepEqual(
      await Promise.all([4, 5, 6, 7].map((at) => shows(again, 'f', at))),
      [undefined, undefined, 'absent', 'present'],
      'complete from the height at which it was turned on again',
    );
  });
});
