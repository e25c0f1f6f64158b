import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { type Batch, batchCodec, batchDigest } from '../../ledger/block.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { concatBytes, equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { type Codec, decode, encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { governanceProposalCodec } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { verifyBundle } from '../../light/sync.ts';
import { checkBodies } from '../../node/check-bodies.ts';
import { startLedger } from '../../node/ledger/client.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { LACKS_TRIES, SNAPSHOT_BUDGET_MS } from '../../node/limits.ts';
import { verifyMessage } from '../../node/pbft/verify.ts';
import { answerPeer } from '../../node/peer-server.ts';
import type { Executed, Head, Installed, OpenedLedger } from '../../node/ports.ts';
import { unpackEntries } from '../../node/senders.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { newPatience } from '../../node/snapshot-sync.ts';
import { KINDS } from '../../node/store/store.ts';
import { syncTo } from '../../node/sync.ts';
import { createVerifyPool } from '../../node/verify/pool.ts';
import {
  type BlockIds,
  blockIdsAnswerCodec,
  blocksAnswerCodec,
  requestCodec,
  rowsAnswerCodec,
  type Snapshot,
  type StateRow,
  snapshotAnswerCodec,
  snapshotCodec,
} from '../../node/wire.ts';
import { answering, blocksAbove } from '../support/answering.ts';
import { certificateOf, register, START_TIME, testGenesis } from '../support/genesis.ts';
import { decision, proposalOf } from '../support/governance.ts';
import { approvalOf, change, sendersOf } from '../support/members.ts';

const HEIGHT = 30;
const HORIZON_MS = 8_000;
const TABLES = quorateApplication.modules.flatMap(({ tables }) => tables.map(({ name }) => name));
const MARK = { group: 1, chain: sha256(Uint8Array.of(1)) };
const { verify } = chooseSignatures();
const chain = testGenesis(4, { maxLifetimeMs: HORIZON_MS });
const verifyPool = createVerifyPool({ workers: 0, onFatal: assert.fail });
const timeOf = (height: number): number => START_TIME + 1_000 * height;

const registration = (height: number, name: string): Transaction =>
  register(chain, name, { validUntil: timeOf(height) + HORIZON_MS });

async function execute(ledger: Ledger, height: number, ...transactions: Transaction[]): Promise<Executed> {
  const batch: Batch = { height, timestamp: timeOf(height), transactions: transactions.map(({ id }) => id) };
  const bodies = packTransactions(transactions.map(({ bytes }) => bytes));
  const ordered = { epoch: 0, digest: batchDigest(batch), view: 0 };
  return (await ledger.execute(encode(batchCodec, batch), bodies, ordered, MARK))!;
}

const certify = (ledger: Ledger, head: Head): Promise<void> =>
  ledger.storeCertificate(encode(certificateCodec, certificateOf(chain, head)));

/** Two registrations a block. */
async function grow(ledger: Ledger, from: number, to: number): Promise<void> {
  for (let height = from; height <= to; height++) {
    const names = [`a${height}`, `b${height}`];
    await certify(ledger, await execute(ledger, height, ...names.map((name) => registration(height, name))));
  }
}

/** A peer's answers, as it changes true ones. */
interface Lies {
  readonly snapshot?: (snapshot: Snapshot) => Snapshot | Uint8Array | undefined;
  readonly rows?: (
    rows: readonly StateRow[],
    ask: (prefix: Uint8Array, depth: number) => Promise<readonly StateRow[]>,
  ) => readonly StateRow[] | Uint8Array | undefined | Promise<readonly StateRow[]>;
  readonly ids?: (blocks: readonly BlockIds[]) => readonly BlockIds[] | Uint8Array | undefined;
  /** Also the blocks themselves, or one in each answer, or that it has no certificate above yet; else it says that it lacks them. */
  readonly blocks?: true | 'single' | 'nothing';
  /** Whom it asks. */
  readonly source?: Ledger;
}

describe('snapshots (R8)', () => {
  let folder: string;
  let source: Ledger;
  let count = 0;
  let behind: Ledger;
  let blamed: string[];
  let diverged: string[];
  let installed: Installed[];
  let pieces: number;
  /** Monotonic, in ms. */
  let clock = 0;
  const open: Ledger[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-snapshot-'));
    source = (await start()).ledger;
    await grow(source, 1, HEIGHT);
  });

  beforeEach(async () => {
    blamed = [];
    diverged = [];
    installed = [];
    pieces = 0;
    behind = (await start()).ledger;
  });

  afterEach(async () => {
    for (const ledger of open.splice(0)) if (ledger !== source) await ledger.close();
    open.push(source);
  });

  after(async () => {
    await source.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(name = String(count++), keptMs = 1_000): Promise<{ ledger: Ledger; opened: OpenedLedger }> {
    const ledger = new Ledger({
      directory: join(folder, name),
      genesis: chain.genesis,
      application: quorateApplication,
      peerKey: chain.genesis.validators[0]!.peerKey,
      snapshots: { chunkBytes: 600, keptMs },
    });
    const opened = await ledger.open();
    open.push(ledger);
    return { ledger, opened };
  }

  async function stop(ledger: Ledger): Promise<void> {
    open.splice(open.indexOf(ledger), 1);
    await ledger.close();
  }

  function ask<T>(ledger: Ledger, body: Uint8Array, codec: Codec<T>): Promise<T> {
    return answerPeer(body, answering(ledger)).then((bytes) => decode(codec, bytes));
  }

  async function answerOf({ source: asked = source, ...lies }: Lies, body: Uint8Array): Promise<Uint8Array> {
    const request = decode(requestCodec, body);
    const said = <T>(codec: Codec<T>, value: T | Uint8Array | undefined): Uint8Array => {
      if (value === undefined) throw new Error('no answer');
      return value instanceof Uint8Array ? value : encode(codec, value);
    };
    switch (request.kind) {
      case 'snapshot': {
        const answer = await ask(asked, body, snapshotAnswerCodec);
        if (answer.kind === 'nothing' || lies.snapshot === undefined) return encode(snapshotAnswerCodec, answer);
        const value = lies.snapshot(answer.value);
        if (value === undefined || value instanceof Uint8Array) return said(snapshotAnswerCodec, value);
        return encode(snapshotAnswerCodec, { kind: 'snapshot', value });
      }
      case 'snapshotRows': {
        const answer = await ask(asked, body, rowsAnswerCodec);
        if (answer.kind === 'nothing' || lies.rows === undefined) return encode(rowsAnswerCodec, answer);
        const other = async (prefix: Uint8Array, depth: number): Promise<readonly StateRow[]> => {
          const value = { height: request.value.height, prefix, depth };
          const rows = await ask(asked, encode(requestCodec, { kind: 'snapshotRows', value }), rowsAnswerCodec);
          return rows.kind === 'rows' ? rows.value.rows : [];
        };
        const rows = await lies.rows(answer.value.rows, other);
        if (rows === undefined || rows instanceof Uint8Array) return said(rowsAnswerCodec, rows);
        return encode(rowsAnswerCodec, { kind: 'rows', value: { rows: [...rows] } });
      }
      case 'blockIds': {
        const answer = await ask(asked, body, blockIdsAnswerCodec);
        if (answer.kind === 'nothing' || lies.ids === undefined) return encode(blockIdsAnswerCodec, answer);
        const blocks = lies.ids(answer.value.blocks);
        if (blocks === undefined || blocks instanceof Uint8Array) return said(blockIdsAnswerCodec, blocks);
        return encode(blockIdsAnswerCodec, { kind: 'blocks', value: { blocks: [...blocks] } });
      }
      default:
        if (lies.blocks === undefined || lies.blocks === 'nothing')
          return encode(blocksAnswerCodec, { kind: lies.blocks ?? 'lacks', value: {} });
        return lies.blocks === true ? answerPeer(body, answering(asked)) : singleBlock(asked, body);
    }
  }

  async function singleBlock(asked: Ledger, body: Uint8Array): Promise<Uint8Array> {
    const answer = await ask(asked, body, blocksAnswerCodec);
    assert(answer.kind === 'blocks');
    clock += 200;
    const { certificate, headers, transactions } = answer.value;
    const value = { certificate, headers, transactions: transactions.slice(0, 1) };
    return encode(blocksAnswerCodec, { kind: 'blocks', value });
  }

  async function catchUp(
    peers: readonly Lies[],
    target = HEIGHT,
    snapshotBlocks = 10,
    patience = newPatience(),
  ): Promise<void> {
    await syncTo(
      {
        ledger: behind,
        snapshotBlocks,
        newest: () => 0,
        f: () => 1,
        patience,
        now: () => clock,
        mark: () => MARK,
        executed: () => behind.head,
        sources: (_, turn) => peers.map((_, index) => (turn + index) % peers.length),
        ask: (member, body) => answerOf(peers[member]!, body),
        verifyCertificate(certificate) {
          const { genesis } = chain;
          const context = {
            genesisId: genesis.id,
            epoch: 0,
            validators: genesis.validators,
            verify,
            beginning: 0,
            window: 8,
          };
          const judged = verifyMessage({ kind: 'certificate', value: certificate }, context);
          return judged.ok ? judged.message : judged.reject.detail;
        },
        checkBodies: (packed, expected) => checkBodies(chain.genesis.id, packed, expected, verifyPool, () => undefined),
        certified() {},
        onExecuted() {},
        onPiece: () => void pieces++,
        onInstalled: async (one) => void installed.push(one),
        onDiverged: (reason) => void diverged.push(reason),
        blame: (member, reason) => void blamed.push(`${member}: ${reason}`),
      },
      target,
      new AbortController().signal,
    );
  }

  const honest: Lies = {};

  async function rowsOf(ledger: Ledger): Promise<string[]> {
    const found: string[] = [];
    for (const table of TABLES) {
      const { rows } = await ledger.query('stateRows', {
        table,
        prefix: new Uint8Array(0),
        after: undefined,
        limit: -1,
      });
      for (const { key, value } of rows) found.push(`${table} ${Buffer.from(concatBytes(key, value)).toString('hex')}`);
    }
    return found;
  }

  /** Whatever a node reads of its ledger after a snapshot is what the source has, or follows from it. */
  async function isWhole(ledger: Ledger, opened?: OpenedLedger): Promise<void> {
    assert.deepEqual(ledger.head, source.head, 'height, block hash, state root, history root, time');
    assert.deepEqual(await rowsOf(ledger), await rowsOf(source), 'rows, with the accounts and parameters');
    const recent: Uint8Array[] = [];
    // Blocks of a time not before the head's minus the horizon, equality kept (E8).
    for (let height = source.head.height - HORIZON_MS / 1_000; height <= source.head.height; height++)
      for (const name of ['a', 'b']) recent.push(registration(height, `${name}${height}`).id);
    const older = registration(HEIGHT - HORIZON_MS / 1_000 - 1, `a${HEIGHT - HORIZON_MS / 1_000 - 1}`).id;
    const bits = await ledger.query('executedAmong', { ids: concatBytes(...recent, older) });
    assert.deepEqual(
      [...recent, older].map((_, i) => (bits[i >> 3]! >> (i & 7)) & 1),
      [...recent.map(() => 1), 0],
      'ids within the horizon',
    );
    const certificate = await ledger.query('certificate', { height: source.head.height });
    assert.deepEqual(certificate, await source.query('certificate', { height: source.head.height }));
    if (opened === undefined) return;
    assert.deepEqual(opened.certificate, certificate);
    assert.deepEqual(opened.recentIds, concatBytes(...recent));
    assert.deepEqual([opened.mark, opened.uncertified], [MARK, []]);
    assert.equal([...unpackEntries(opened.senders.entries)].length, 8);
    assert.equal(opened.base, HEIGHT);
  }

  it('R19: a node far behind takes the state; everything that is read later is proven or follows, also after a restart', async () => {
    await catchUp([honest]);
    assert.deepEqual([blamed, diverged], [[], []]);
    assert.equal(installed.length, 1);
    assert(pieces > 10, `${pieces} pieces`);
    assert.deepEqual(installed[0]!.head, source.head);
    await isWhole(behind);
    await stop(behind);
    const again = await start(String(count - 1));
    await isWhole(again.ledger, again.opened);
  });

  it('what is not far behind executes the blocks instead', async () => {
    await catchUp([{ blocks: true }], HEIGHT, HEIGHT + 1);
    assert.deepEqual([installed.length, behind.head.height], [0, HEIGHT]);
  });

  it('a node takes the state if f + 1 of its peers lack the blocks, however few these are', async () => {
    await catchUp([honest, honest], HEIGHT, HEIGHT + 1);
    assert.deepEqual([installed.length, behind.head.height], [1, HEIGHT]);
  });

  it('peers that have no certificate above yet do not lack the blocks: it waits and takes no state', async () => {
    const patience = newPatience();
    for (let tries = 0; tries < 2 * LACKS_TRIES; tries++)
      await catchUp([{ blocks: 'nothing' }, { blocks: 'nothing' }], HEIGHT, HEIGHT + 1, patience);
    assert.deepEqual([installed.length, behind.head.height], [0, 0]);
  });

  it('one member that says that blocks lack does not make it skip them: others may have them a moment later', async () => {
    const patience = newPatience();
    for (let tries = 1; tries < LACKS_TRIES; tries++)
      await catchUp([{}, { blocks: 'nothing' }], HEIGHT, HEIGHT + 1, patience);
    assert.deepEqual([installed.length, behind.head.height], [0, 0]);
    await catchUp([{}, { blocks: true }], HEIGHT, HEIGHT + 1, patience);
    assert.deepEqual([installed.length, behind.head.height, patience.lacks], [0, HEIGHT, 0], 'the count begins anew');
  });

  it('who far behind gets no snapshot yet, since they are still being made, executes blocks and asks again', async () => {
    const start = clock;
    const making: Lies = {
      blocks: 'single',
      snapshot: (snapshot) => {
        clock += 500;
        return clock - start > 5_000 ? snapshot : undefined;
      },
    };
    await catchUp([making, making]);
    assert.deepEqual([installed.length, behind.head.height, blamed], [1, HEIGHT, []]);
  });

  it('R21: who never gets one asks ever more rarely, and gets there by blocks', async () => {
    let asked = 0;
    const never: Lies = {
      blocks: 'single',
      snapshot: () => {
        asked++;
        clock += 500;
        return undefined;
      },
    };
    await catchUp([never, never], HEIGHT, 1);
    assert.deepEqual([installed.length, behind.head.height, blamed], [0, HEIGHT, []]);
    assert(asked > 2 && asked < 10, `${asked} questions for ${HEIGHT} blocks`);
  });

  it('a round ends after f + 1 that do not answer: one of them is making a snapshot, and the others need not', async () => {
    let asked = 0;
    const making: Lies = {
      blocks: true,
      snapshot: () => {
        asked++;
        return undefined;
      },
    };
    await catchUp([making, making, making, making], HEIGHT, HEIGHT);
    assert.deepEqual([asked, installed.length, behind.head.height], [2, 0, HEIGHT]);
  });

  it('R21: a transfer that was late is not tried again soon', async () => {
    let offered = 0;
    const drop: Lies = {
      blocks: 'single',
      snapshot: (snapshot) => {
        offered++;
        return snapshot;
      },
      rows: (rows) => {
        clock += SNAPSHOT_BUDGET_MS;
        return rows;
      },
    };
    const patience = newPatience();
    await catchUp([drop], HEIGHT, 1, patience);
    assert.deepEqual([offered, installed.length, behind.head.height], [1, 0, HEIGHT]);
    assert.equal(patience.budgetMs, 2 * SNAPSHOT_BUDGET_MS);
    assert(patience.askAt > clock + 5 * SNAPSHOT_BUDGET_MS);
  });

  it('where one member lacks the blocks and nobody ever gives them, it takes the state in the end', async () => {
    const patience = newPatience();
    for (let tries = 1; tries < LACKS_TRIES; tries++)
      await catchUp([{}, { blocks: 'nothing' }], HEIGHT, HEIGHT + 1, patience);
    assert.equal(installed.length, 0);
    await catchUp([{}, { blocks: 'nothing' }], HEIGHT, HEIGHT + 1, patience);
    assert.deepEqual([installed.length, behind.head.height], [1, HEIGHT]);
  });

  it('K01, Q05: an id that was executed before the snapshot is skipped after it; the next blocks are those of the others', async () => {
    await catchUp([honest]);
    const other = (await start()).ledger;
    await grow(other, 1, HEIGHT);
    for (let height = HEIGHT + 1; height <= HEIGHT + 12; height++) {
      const old = registration(HEIGHT, `a${HEIGHT}`);
      const fresh = registration(height, `c${height}`);
      const [here, there] = await Promise.all([
        execute(behind, height, old, fresh),
        execute(other, height, old, fresh),
      ]);
      assert.deepEqual([...here.outcomes], [2, 0], `height ${height}`);
      assert.deepEqual(here, there);
      await certify(behind, here);
    }
    const bundle = await behind.query('transactionBundle', { id: registration(HEIGHT + 3, `c${HEIGHT + 3}`).id });
    const report = verifyBundle(bundle!, chain.genesis.text, { verify });
    assert(report.ok, JSON.stringify(report.steps));
    const answer = await blocksAbove(behind, HEIGHT);
    assert.deepEqual([answer.headers.length, answer.transactions.length], [12, 12]);
  });

  it('below its base it answers honestly, and what it had before it keeps', async () => {
    await grow(behind, 1, 5);
    await catchUp([honest]);
    assert.equal(behind.head.height, HEIGHT);
    for (const height of [6, 20, HEIGHT]) {
      assert.equal(await behind.query('block', { at: height }), undefined);
      const { id } = registration(height, `a${height}`);
      assert.equal(await behind.query('transaction', { id }), undefined);
      assert.equal(await behind.query('transactionBundle', { id }), undefined);
      assert.equal(await behind.blocksAbove(height - 1, 1_000_000), 'lacks');
    }
    const headers = await behind.query('headers', { from: HEIGHT, limit: 100, descending: true });
    assert.equal(headers.length, 6, 'blocks 0 to 5');
    const kept = await blocksAbove(behind, 2);
    assert.deepEqual([kept.headers.length, kept.transactions.length], [3, 3], 'up to where blocks begin to lack');
    for (const height of [1, 5]) {
      const bundle = await behind.query('transactionBundle', { id: registration(height, `a${height}`).id });
      const report = verifyBundle(bundle!, chain.genesis.text, { verify });
      assert(report.ok, JSON.stringify(report.steps));
      assert(decode(bundleCodec, bundle!).certificate.checkpoint.height <= 5);
    }
  });

  it('C4, Q10: of an id that may be in a block whose ids it no longer has it says neither executed nor expired', async () => {
    await catchUp([honest]);
    const executed = (transaction: Transaction): Promise<boolean | undefined> =>
      behind.query('hasExecuted', { id: transaction.id, validUntil: transaction.body.validUntil });
    const [early, never] = [registration(25, 'a25'), registration(25, 'never')];
    assert.deepEqual([await executed(early), await executed(never)], [true, false], 'the snapshot brought its ids');
    await grow(behind, HEIGHT + 1, HEIGHT + 20);
    assert.deepEqual([await executed(early), await executed(never)], [undefined, undefined]);
    assert.equal(await executed(registration(29, 'never')), undefined, 'also in the base itself');
    const [late, neverLate] = [registration(45, 'a45'), registration(45, 'never')];
    assert.deepEqual([await executed(late), await executed(neverLate)], [true, false], 'blocks above are all here');
    const from = registration(31, 'never');
    assert.equal(await executed(from), false, 'it could execute from the block above the base on');
  });

  it('C4: nothing that it brought is taken for not executed while it is being installed', async () => {
    const { id, body } = registration(25, 'a25');
    const seen: (boolean | undefined)[] = [];
    let done = false;
    const watching = (async () => {
      while (!done) {
        const isInstalled = behind.head.height === HEIGHT;
        const executed = await behind.query('hasExecuted', { id, validUntil: body.validUntil });
        if (isInstalled) seen.push(executed);
        await setImmediate();
      }
    })();
    await catchUp([honest]);
    done = true;
    await watching;
    assert(seen.length > 0, 'it was asked in time');
    assert.deepEqual([...new Set(seen)], [true]);
  });

  it('ids that still reach back to what was executed here leave no gap', async () => {
    await grow(behind, 1, HEIGHT - 6);
    await catchUp([honest], HEIGHT, 2);
    assert.equal(installed.length, 1);
    for (let height = HEIGHT - HORIZON_MS / 1_000; height <= HEIGHT; height++) {
      const { id, body } = registration(height, `a${height}`);
      assert.equal(await behind.query('hasExecuted', { id, validUntil: body.validUntil }), true, `height ${height}`);
    }
  });

  it('a second snapshot takes the place of the first, and another node can take it from there', async () => {
    const other = (await start()).ledger;
    await grow(other, 1, 15);
    await catchUp([{ source: other }], 15);
    assert.equal(behind.head.height, 15);
    await catchUp([honest]);
    assert.deepEqual([installed.length, diverged], [2, []]);
    await isWhole(behind);
    await grow(behind, HEIGHT + 1, HEIGHT + 1);
    const from = behind;
    behind = (await start()).ledger;
    await catchUp([{ source: from }], HEIGHT + 1);
    assert.deepEqual(behind.head, from.head);
    assert.deepEqual(blamed, []);
  });

  it('K07, R19: who may send follows from the rows that were taken, whatever blocks were skipped', async () => {
    const own = String(count - 1);
    const other = (await start()).ledger;
    const validUntil = timeOf(1) + HORIZON_MS;
    const { enrol, revoke, administrators } = change;
    const changes = [revoke('alice'), enrol('zoe'), administrators(1, 'new admin')];
    const approvals = changes.map((one, nonce) => approvalOf(chain, 'org0', one, { nonce, validUntil }));
    const limits = { pending: 10, perSecond: 1, burst: 5 };
    const proposal = proposalOf(decision.limits('*', limits), { expires: validUntil });
    const args = governanceProposalCodec.toJson(proposal);
    const decided = [1, 2, 3].map((i) => chain.sign(`admin org${i}`, 'governance', 'approve', args, { validUntil }));
    const first = await execute(other, 1, ...approvals, ...decided);
    assert.deepEqual([...first.outcomes], [0, 0, 0, 0, 0, 0]);
    await certify(other, first);
    await grow(other, 2, 15);
    await catchUp([{ source: other }], 15);
    const names = ['alice', 'bob', 'zoe', 'admin org0', 'new admin', 'admin org1'];
    const now = { bob: 1, zoe: 1, 'new admin': 2, 'admin org1': 2 };
    assert.deepEqual(sendersOf(installed[0]!.senders, ...names), now);
    assert.deepEqual(installed[0]!.senders.limits, [{ role: '*', limits }]);
    await stop(behind);
    const { opened } = await start(own);
    assert.deepEqual(sendersOf(opened.senders, ...names), now);
    assert.deepEqual(opened.senders.limits, [{ role: '*', limits }]);
  });

  it('is of one certified height while newer blocks change its rows, and stays so', async () => {
    const busy = (await start()).ledger;
    await grow(busy, 1, 12);
    const snapshot = encode(requestCodec, { kind: 'snapshot', value: { above: 0 } });
    const offer = ask(busy, snapshot, snapshotAnswerCodec);
    const changes = [];
    for (let height = 13; height <= 20; height++) {
      const key = `a${height - 12}`;
      const revoke = chain.sign('writer', 'records', 'revoke', { key }, { validUntil: timeOf(height) });
      const executed = execute(busy, height, revoke, registration(height, `n${height}`));
      changes.push(executed.then((head) => certify(busy, head)));
    }
    assert.equal((await offer).kind, 'snapshot');
    await Promise.all(changes);
    await catchUp([{ source: busy }], 20);
    assert.equal(installed[0]!.head.height, 12);
    assert.deepEqual([blamed, diverged], [[], []]);
  });

  it('also when it is of a height below the newest executed one', async () => {
    const busy = (await start()).ledger;
    await grow(busy, 1, 12);
    for (let height = 13; height <= 15; height++) {
      const revoke = chain.sign(
        'writer',
        'records',
        'revoke',
        { key: `a${height - 12}` },
        { validUntil: timeOf(height) },
      );
      await execute(busy, height, revoke, registration(height, `n${height}`));
    }
    await catchUp([{ source: busy }], 12);
    assert.deepEqual([behind.head.height, blamed], [12, []]);
  });

  it('one that nobody reads makes way when it is of no use; one that is read stays', async () => {
    const { ledger } = await start(String(count++), 3_000);
    await grow(ledger, 1, 10);
    const offered = async (above: number): Promise<number | undefined> => {
      const body = encode(requestCodec, { kind: 'snapshot', value: { above } });
      const answer = await ask(ledger, body, snapshotAnswerCodec);
      return answer.kind === 'snapshot' ? answer.value.certificate.checkpoint.height : undefined;
    };
    const read = (): Promise<unknown> =>
      ledger.query('snapshotRows', { height: 10, prefix: new Uint8Array(32), depth: 0 });
    assert.equal(await offered(10), undefined, 'nothing above it is certified');
    assert.equal(await offered(0), 10);
    await grow(ledger, 11, 12);
    assert.equal(await offered(10), undefined);
    assert.equal(await offered(5), 10);
    await read();
    await grow(ledger, 13, 14);
    assert.equal(await offered(10), undefined, 'it is being read');
    await grow(ledger, 15, 15);
    assert.equal(await offered(10), 15);
    const nothing = await ledger.query('snapshotRows', { height: 10, prefix: new Uint8Array(32), depth: 0 });
    assert.deepEqual(nothing, Uint8Array.of(0), 'the one before is gone');
  });

  it('goes to and from the ledger thread', async () => {
    const { genesis } = chain;
    const { peerKey } = genesis.validators[0]!;
    const directory = join(folder, String(count++));
    const port = startLedger({ directory, genesisText: genesis.text, archive: false, peerKey }, assert.fail);
    await port.open();
    const offer = await ask(
      source,
      encode(requestCodec, { kind: 'snapshot', value: { above: 0 } }),
      snapshotAnswerCodec,
    );
    assert(offer.kind === 'snapshot');
    let progress = await port.stage({ kind: 'begin', snapshot: encode(snapshotCodec, offer.value) });
    while (progress.rows !== undefined) {
      const answer = await source.query('snapshotRows', { height: HEIGHT, ...progress.rows });
      progress = await port.stage({ kind: 'rows', answer });
    }
    while (progress.blocks !== undefined) {
      progress = await port.stage({
        kind: 'blocks',
        answer: await source.query('blockIds', { from: progress.blocks }),
      });
    }
    const done = await port.install(MARK);
    assert.deepEqual(done!.head, source.head);
    assert.equal([...unpackEntries(done!.senders.entries)].length, 8);
    // With what it got it gives one itself, of one chunk.
    const given = decode(snapshotAnswerCodec, await port.query('snapshot', { above: 0 }));
    assert(given.kind === 'snapshot');
    assert.deepEqual(given.value.certificate, offer.value.certificate);
    assert.equal(given.value.parts.length, 1);
    await port.close();
  });

  it('D15: cut off before it is installed it leaves the old ledger, and nothing behind', async () => {
    await grow(behind, 1, 3);
    const old = behind.head;
    const stopped = { ...behind, install: () => Promise.reject(new Error('power cut')) };
    Object.setPrototypeOf(stopped, Object.getPrototypeOf(behind));
    const real = behind;
    behind = new Proxy(real, {
      get: (target, name) => {
        if (name === 'install') return stopped.install;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    await assert.rejects(catchUp([honest]), /power cut/);
    behind = real;
    assert.deepEqual(behind.head, old);
    await stop(behind);
    const name = String(count - 1);
    const again = await start(name);
    assert.deepEqual(again.opened.head, old);
    await stop(again.ledger);
    assert.deepEqual(await kinds(name, 'otherState'), 0);
    behind = (await start(name)).ledger;
    await catchUp([honest]);
    await isWhole(behind);
    await stop(behind);
    assert.equal(await kinds(name, 'state'), 0, 'the rows of before');
    assert((await kinds(name, 'otherState')) > 60);
  });

  it('D15: rows of a transfer that was given up are not among those of the next', async () => {
    let given = 0;
    await catchUp([{ rows: (rows) => (given++ < 5 ? rows : undefined) }]);
    const other = (await start()).ledger;
    await grow(other, 1, 12);
    let begun = 0;
    await catchUp([{ source: other, rows: () => void begun++ }], 12);
    assert(begun > 0);
    await stop(behind);
    const name = String(count - 2);
    const stored = await kinds(name, 'otherState');
    behind = (await start(name)).ledger;
    assert.equal(stored, 0);
  });

  async function kinds(name: string, kind: keyof typeof KINDS): Promise<number> {
    const options = { keyEncoding: 'view', valueEncoding: 'view' } as const;
    const db = new ClassicLevel<Uint8Array, Uint8Array>(join(folder, name), options);
    await db.open();
    const found = await db.keys({ gte: Uint8Array.of(KINDS[kind]), lt: Uint8Array.of(KINDS[kind] + 1) }).all();
    await db.close();
    return found.length;
  }

  it('R17: a transfer that one member began goes on with others, and from where it stopped', async () => {
    const some = { given: 0 };
    const fading: Lies = { rows: (rows) => (some.given++ < 5 ? rows : undefined) };
    await catchUp([fading]);
    assert.equal(behind.head.height, 0);
    const before = pieces;
    assert(before >= 5);
    await catchUp([{ ...honest, rows: () => Uint8Array.of(9) }, honest]);
    assert.equal(behind.head.height, HEIGHT);
    const parts = pieces;
    behind = (await start()).ledger;
    pieces = 0;
    await catchUp([honest]);
    assert.equal(parts, pieces, 'no piece was taken twice');
  });

  for (const [from, what] of [
    [1, /^history 4\/0 is/],
    [24, /^block 25 is/],
  ] as const) {
    it(`Promise 6: on a chain that went another way at height ${from} no snapshot is taken, and it is told`, async () => {
      await grow(behind, 1, from - 1);
      for (let height = from; height <= 25; height++) await execute(behind, height);
      await catchUp([honest], HEIGHT, 2);
      assert.equal(behind.head.height, 25);
      assert.match(diverged[0]!, what);
    });
  }

  const other = sha256(Uint8Array.of(1));
  const lies: Readonly<Record<string, Lies>> = {
    'no answer': { snapshot: () => undefined },
    'bytes that are no snapshot': { snapshot: () => Uint8Array.of(1, 2, 3) },
    'R15: a certificate over another state root': {
      snapshot: ({ certificate, ...rest }) => {
        const checkpoint = { ...certificate.checkpoint, stateRoot: other };
        return { ...rest, certificate: { ...certificate, checkpoint } };
      },
    },
    'a certificate with one signature less': {
      snapshot: ({ certificate, ...rest }) => {
        const { proof } = certificate;
        return { ...rest, certificate: { ...certificate, proof: { ...proof, signatures: proof.signatures.slice(1) } } };
      },
    },
    'R19: a changed peak of the history': { snapshot: (one) => ({ ...one, peaks: one.peaks.with(0, other) }) },
    'R19: one peak more': { snapshot: (one) => ({ ...one, peaks: [...one.peaks, other] }) },
    'a part with another hash': {
      snapshot: (one) => ({ ...one, parts: one.parts.with(3, { ...one.parts[3]!, hash: other }) }),
    },
    'a missing part': { snapshot: (one) => ({ ...one, parts: one.parts.slice(1) }) },
    'parts in another order': { snapshot: (one) => ({ ...one, parts: one.parts.toReversed() }) },
    'R17: 10^9 parts announced': {
      snapshot: (one) => {
        const bytes = encode(snapshotAnswerCodec, { kind: 'snapshot', value: { ...one, parts: [] } });
        return concatBytes(bytes.subarray(0, -4), Uint8Array.of(0x3b, 0x9a, 0xca, 0x00));
      },
    },
    'R17: bytes that are no rows': { rows: () => Uint8Array.of(1, 2, 3) },
    'R17: 10^9 rows announced': { rows: () => Uint8Array.of(1, 0x3b, 0x9a, 0xca, 0x00) },
    'R17: the rows of another part': {
      rows: async (_, rowsOfPart) => rowsOfPart(new Uint8Array(32).fill(0xff), 4),
    },
    'R17: all rows at once': { rows: (_, rowsOfPart) => rowsOfPart(new Uint8Array(32), 0) },
    'R17: a row less': { rows: (rows) => rows.slice(1) },
    'R17: no rows': { rows: () => [] },
    'R17: rows in another order': {
      rows: (rows) => (rows.length > 1 ? rows.toReversed() : [...rows, ...rows]),
    },
    'R17: a row twice': { rows: (rows) => [rows[0]!, ...rows] },
    'R19: a changed value': { rows: (rows) => rows.with(0, { ...rows[0]!, value: utf8Encode('mine') }) },
    'R19: a changed key': { rows: (rows) => rows.with(0, { ...rows[0]!, key: utf8Encode('mine') }) },
    'R19: an account more': {
      rows: (rows) => [...rows, { table: 'members.accounts', key: other, value: rows[0]!.value }],
    },
    'bytes that are no ids': { ids: () => Uint8Array.of(1, 2, 3) },
    'no ids': { ids: () => [] },
    'R19: a falsified list of ids': {
      ids: (blocks) => blocks.with(0, { ...blocks[0]!, ids: [other, ...blocks[0]!.ids.slice(1)] }),
    },
    'R19: an id left out': { ids: (blocks) => blocks.with(0, { ...blocks[0]!, ids: blocks[0]!.ids.slice(1) }) },
    'R19: all ids left out, with a header to match': {
      ids: (blocks) => {
        const { header } = blocks[0]!;
        return blocks.with(0, { header: { ...header, count: 0, transactionsRoot: other }, ids: [] });
      },
    },
    'R19: a changed header': {
      ids: ([first, ...rest]) => [{ ...first!, header: { ...first!.header, receiptsRoot: other } }, ...rest],
    },
    'R19: an older time, so that fewer ids are asked for': {
      ids: ([first, ...rest]) => [{ ...first!, header: { ...first!.header, timestamp: START_TIME } }, ...rest],
    },
    'blocks in another order': { ids: (blocks) => blocks.toReversed() },
    'blocks that leave one out': { ids: (blocks) => blocks.toSpliced(1, 1) },
  };
  const silent = ['no answer', 'no ids'];
  for (const [what, lie] of Object.entries(lies)) {
    it(`${what}: nothing of it is seen, another member is asked`, async () => {
      await catchUp([lie]);
      assert.equal(behind.head.height, 0, 'nothing is taken from the liar');
      if (!silent.includes(what)) assert(blamed.length > 0, 'it is blamed');
      await catchUp([lie, honest]);
      assert.deepEqual(
        blamed.filter((reason) => reason.startsWith('1')),
        [],
      );
      await isWhole(behind);
      assert.deepEqual(diverged, []);
    });
  }

  it('R18: a snapshot of a real but old certificate is not above the own height, and is refused', async () => {
    const old = (await start()).ledger;
    await grow(old, 1, 8);
    const early = await ask(old, encode(requestCodec, { kind: 'snapshot', value: { above: 0 } }), snapshotAnswerCodec);
    assert(early.kind === 'snapshot');
    await grow(behind, 1, 9);
    const own = behind.head;
    await catchUp([{ snapshot: () => early.value }]);
    assert.deepEqual(behind.head, own);
    assert.match(blamed[0]!, /height 8, asked for one above/);
    await assert.doesNotReject(catchUp([{ snapshot: () => early.value }, honest]));
    assert(equalBytes(behind.head.blockHash, source.head.blockHash));
  });

  it('R18: nor does the ledger take one, whoever asks it to', async () => {
    await grow(behind, 1, 9);
    const old = (await start()).ledger;
    await grow(old, 1, 8);
    const early = await ask(old, encode(requestCodec, { kind: 'snapshot', value: { above: 0 } }), snapshotAnswerCodec);
    assert(early.kind === 'snapshot');
    const progress = await behind.stage({ kind: 'begin', snapshot: encode(snapshotCodec, early.value) });
    assert.match(progress.problem!, /own height is 9/);
  });

  it('R21: a member that offers a snapshot that it alone has, and gives it drop by drop, does not set the pace', async () => {
    // The tree is cut into single rows, which the certificate proves as well as any other cut.
    const fine = new Ledger({
      directory: join(folder, String(count++)),
      genesis: chain.genesis,
      application: quorateApplication,
      peerKey: chain.genesis.validators[0]!.peerKey,
      snapshots: { chunkBytes: 1, keptMs: 1_000 },
    });
    await fine.open();
    open.push(fine);
    await grow(fine, 1, HEIGHT - 1);
    const start = clock;
    const late = <T>(answer: T): T => {
      clock += 4_900;
      return answer;
    };
    const drop: Lies = { source: fine, rows: late, ids: (blocks) => late(blocks.slice(0, 1)) };
    await catchUp([drop, honest]);
    assert.equal(behind.head.height, HEIGHT);
    assert(clock - start < SNAPSHOT_BUDGET_MS + 10_000, `${clock - start} ms`);
  });

  it('S4: a snapshot that the own chain has overtaken is not installed', async () => {
    const slow: Lies = {
      ids: (blocks) => blocks,
      rows: (rows) => rows,
    };
    const real = behind;
    behind = new Proxy(real, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (name !== 'install') return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
        return async (mark: typeof MARK) => {
          await grow(target, 1, HEIGHT + 1);
          return target.install(mark);
        };
      },
    });
    await catchUp([slow]);
    behind = real;
    assert.deepEqual([installed.length, behind.head.height], [0, HEIGHT + 1]);
  });
});
