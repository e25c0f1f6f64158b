import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { type Batch, batchCodec } from '../../ledger/block.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { verifyBundle } from '../../light/sync.ts';
import { HEADER_BYTES } from '../../node/journal/format.ts';
import { openJournal } from '../../node/journal/journal.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { KINDS } from '../../node/store/store.ts';
import { blocksAbove } from '../support/answering.ts';
import { certificateOf, register, START_TIME, type TestGenesis, testGenesis } from '../support/genesis.ts';
import { MemoryFiles } from '../support/memory-files.ts';

const { verify } = chooseSignatures();
const MARK = { group: 3, chain: sha256(Uint8Array.of(3)) };
const HEIGHTS = 30;
/** Blocks older than this many are behind the horizon of executed ids: opening does not read them. */
const LIFETIME_MS = 10_000;

describe('a LevelDB whose files are not what they were', () => {
  let folder: string;
  let directory: string;
  let chain: TestGenesis;
  let sent: Transaction[];
  let good: Uint8Array[];

  const make = (): Ledger =>
    new Ledger({
      directory,
      genesis: chain.genesis,
      application: quorateApplication,
      peerKey: chain.genesis.validators[0]!.peerKey,
    });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-damage-'));
    directory = join(folder, 'ledger');
    chain = testGenesis(4, { maxLifetimeMs: LIFETIME_MS });
    sent = [];
    const ledger = make();
    await ledger.open();
    for (let height = 1; height <= HEIGHTS; height++) {
      const time = START_TIME + 1_000 * height;
      const transaction = register(chain, `key ${height}`, { validUntil: time + 5_000 });
      sent.push(transaction);
      const batch: Batch = { height, timestamp: time, transactions: [transaction.id] };
      const ordered = { epoch: 0, digest: sha256(Uint8Array.of(height)), view: 0 };
      const head = await ledger.execute(
        encode(batchCodec, batch),
        packTransactions([transaction.bytes]),
        ordered,
        MARK,
      );
      await ledger.storeCertificate(encode(certificateCodec, certificateOf(chain, head!)));
    }
    good = await served(ledger);
    await ledger.close();
    // Opening moves what is in LevelDB's log into a table.
    const again = make();
    await again.open();
    await again.close();
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Blocks, rows and proofs, as the API gets them. */
  async function served(ledger: Ledger): Promise<Uint8Array[]> {
    const parts: Uint8Array[] = [];
    for (let height = 0; height <= HEIGHTS; height++) {
      const block = await ledger.query('block', { at: height });
      if (block === undefined) throw new Error('not found');
      parts.push(block.hash, block.header, ...block.receipts, ...block.transactions);
    }
    for (const { id } of sent) {
      const bundle = await ledger.query('transactionBundle', { id });
      // A damaged key hides its record: that is no answer, and never a wrong one.
      if (bundle === undefined) throw new Error('not found');
      // Where a certificate is hidden, the next one proves it too: another proof, and a good one.
      const report = verifyBundle(bundle, chain.genesis, { verify });
      assert.equal(report.ok, true, JSON.stringify(report));
    }
    const args = { table: 'records.entries', prefix: new Uint8Array(0), after: undefined, limit: 100 };
    for (const { key, value } of (await ledger.query('stateRows', args)).rows) parts.push(key, value);
    return parts.map((part) => part.slice());
  }

  const filesLike = async (pattern: RegExp): Promise<string[]> =>
    (await readdir(directory)).filter((name) => pattern.test(name));

  async function withDatabase(change: (db: ClassicLevel<Uint8Array, Uint8Array>) => Promise<void>): Promise<void> {
    const db = new ClassicLevel<Uint8Array, Uint8Array>(directory, { keyEncoding: 'view', valueEncoding: 'view' });
    await db.open();
    await change(db);
    await db.close();
  }

  const blockKey = (height: number): Uint8Array => {
    const key = new Uint8Array(9);
    key[0] = KINDS.block;
    new DataView(key.buffer).setBigUint64(1, BigInt(height));
    return key;
  };

  for (const [what, damage] of [
    ['CURRENT is missing', async () => rm(join(directory, 'CURRENT'))],
    ['CURRENT points nowhere', async () => writeFile(join(directory, 'CURRENT'), 'MANIFEST-999999\n')],
    ['CURRENT is empty', async () => writeFile(join(directory, 'CURRENT'), '')],
    [
      'the MANIFEST is missing',
      async () => {
        for (const name of await filesLike(/^MANIFEST/)) await rm(join(directory, name));
      },
    ],
    [
      'the MANIFEST is cut short',
      async () => {
        for (const name of await filesLike(/^MANIFEST/)) {
          const bytes = await readFile(join(directory, name));
          await writeFile(join(directory, name), bytes.subarray(0, 20));
        }
      },
    ],
    [
      'the tables are missing',
      async () => {
        for (const name of await filesLike(/\.ldb$/)) await rm(join(directory, name));
      },
    ],
  ] as const) {
    it(`D06: ${what}: opening fails with one clear message and deletes nothing`, async () => {
      await damage();
      const before = await filesLike(/\.ldb$/);
      await assert.rejects(make().open(), (error: Error & { code: string }) => {
        assert.match(error.code, /^STORE|^STATE_DAMAGED$/);
        assert.match(error.message, /database/);
        return !error.message.includes('\n');
      });
      assert.deepEqual(await filesLike(/\.ldb$/), before);
    });
  }

  it('D06: LOCK is held by another: opening fails and says so', async () => {
    const first = make();
    await first.open();
    await assert.rejects(make().open(), /another process uses it/);
    await first.close();
  });

  it('D07: whatever byte of a table is flipped, it is refused or served as it was', async () => {
    const [name] = await filesLike(/\.ldb$/);
    const path = join(directory, name!);
    const whole = await readFile(path);
    let refused = 0;
    for (let at = 3; at < whole.length; at += Math.ceil(whole.length / 60)) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (at % 8);
      await writeFile(path, bytes);
      const ledger = make();
      try {
        await ledger.open();
        assert.deepEqual(await served(ledger), good, `byte ${at} of ${whole.length}`);
      } catch (error) {
        if ((error as Error).name === 'AssertionError') throw error;
        refused++;
      } finally {
        await ledger.close();
      }
    }
    assert(refused > 10, `${refused} refused`);
  });

  it('D08: a damaged block behind the horizon is refused to every reader, and all else is served', async () => {
    await withDatabase(async (db) => {
      const record = (await db.get(blockKey(5)))!;
      await db.put(blockKey(5), record.with(60, record[60]! ^ 8));
    });
    const ledger = make();
    await ledger.open();
    try {
      const damaged = { code: 'STORE_CORRUPTION', message: /a block record in the database is damaged/ };
      await assert.rejects(ledger.query('block', { at: 5 }), damaged);
      await assert.rejects(ledger.query('transaction', { id: sent[4]!.id }), damaged);
      await assert.rejects(ledger.query('transactionBundle', { id: sent[4]!.id }), damaged);
      await assert.rejects(ledger.query('headers', { from: 1, limit: 10, descending: false }), damaged);
      await assert.rejects(ledger.blocksAbove(0, 1_000_000), damaged);
      assert(await ledger.query('block', { at: 6 }));
      assert(await ledger.query('transactionBundle', { id: sent[5]!.id }));
      assert.equal((await blocksAbove(ledger, 5)).headers.length, HEIGHTS - 5);
    } finally {
      await ledger.close();
    }
  });

  it('D08: a damaged block within the horizon ends the start: its ids are needed', async () => {
    await withDatabase(async (db) => {
      const record = (await db.get(blockKey(HEIGHTS - 2)))!;
      await db.put(blockKey(HEIGHTS - 2), record.with(60, record[60]! ^ 8));
    });
    await assert.rejects(make().open(), { code: 'STORE_CORRUPTION' });
  });

  it('D08: a block that is missing within the horizon ends the start: its ids would execute a second time', async () => {
    await withDatabase((db) => db.del(blockKey(HEIGHTS - 2)));
    await assert.rejects(make().open(), { code: 'STATE_DAMAGED', message: /block 28 lacks/ });
  });
});

describe('a journal whose bytes are not what they were', () => {
  const owner = {
    genesisId: sha256(Uint8Array.of(1)),
    validatorKey: sha256(Uint8Array.of(2)),
    formerKeys: [],
    epoch: 0,
  };
  const open = (files: MemoryFiles) =>
    openJournal({ ...owner, directory: 'memory', mark: undefined, onFatal: assert.fail, files, segmentBytes: 2_000 });

  async function filled(count: number): Promise<{ files: MemoryFiles; ends: Map<string, number[]> }> {
    const files = new MemoryFiles();
    const { journal } = await open(files);
    const ends = new Map<string, number[]>();
    for (let height = 1; height <= count; height++) {
      await journal.append([{ height, bytes: new Uint8Array(100).fill(height) }]);
      const name = [...files.files.keys()].sort().at(-1)!;
      ends.set(name, [...(ends.get(name) ?? [HEADER_BYTES]), files.files.get(name)!.length]);
    }
    await journal.close();
    return { files, ends };
  }

  it('D17: a group written where another belongs is doubt', async () => {
    const { files, ends } = await filled(24);
    for (const [name, places] of ends) {
      for (let i = 1; i + 1 < places.length; i++) {
        const copy = files.copy();
        const content = copy.files.get(name)!;
        const length = places[i]! - places[i - 1]!;
        content.copyWithin(places[i]!, places[i - 1]!, places[i]!);
        const { doubt } = await open(copy);
        const isLast = name === [...ends.keys()].at(-1) && places[i]! + length === content.length;
        assert.match(
          doubt?.reason ?? 'none',
          /expected group|follows/,
          `group ${i} of ${name}${isLast ? ', the last' : ''}`,
        );
      }
    }
  });

  it('D17: two segments with each other’s names are doubt', async () => {
    const { files } = await filled(24);
    const [first, second] = [...files.files.keys()].sort();
    const [a, b] = [files.files.get(first!)!, files.files.get(second!)!];
    files.files.set(first!, b);
    files.files.set(second!, a);
    assert.match((await open(files)).doubt?.reason ?? 'none', /first group/);
  });

  it('D18: names of segments come from their groups: a clock that stands still, goes back or is missing changes none', async () => {
    const names: string[][] = [];
    for (const clock of [() => 0, () => 1e12 - names.length, () => assert.fail('the journal asked for the time')]) {
      mock.method(Date, 'now', clock);
      try {
        const { files } = await filled(24);
        names.push([...files.files.keys()].sort());
      } finally {
        mock.restoreAll();
      }
    }
    assert(names[0]!.length > 2);
    assert.equal(new Set(names[0]).size, names[0]!.length);
    for (const other of names) assert.deepEqual(other, names[0]);
    const firsts = names[0]!.map((name) => Number.parseInt(name, 10));
    assert.deepEqual(
      firsts,
      firsts.toSorted((a, b) => a - b),
    );
    for (const file of [
      'journal/journal.ts',
      'journal/scan.ts',
      'journal/files.ts',
      'journal/renewal.ts',
      'store/store.ts',
    ]) {
      const text = await readFile(new URL(`../../node/${file}`, import.meta.url), 'utf8');
      assert.doesNotMatch(text, /\bDate\b|performance\./, `${file} asks no clock`);
    }
  });
});
