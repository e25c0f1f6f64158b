import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { batchCodec, batchDigest } from '../../ledger/block.ts';
import { utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { decodeTransaction, packTransactions, unpackTransactions } from '../../ledger/transaction.ts';
import { checkBodies } from '../../node/check-bodies.ts';
import { idKey } from '../../node/id-key.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { verifyMessage } from '../../node/pbft/verify.ts';
import { answerPeer } from '../../node/peer-server.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { newPatience } from '../../node/snapshot-sync.ts';
import { syncTo } from '../../node/sync.ts';
import { createVerifyPool, type VerifyPool } from '../../node/verify/pool.ts';
import { type BlocksAnswer, blocksAnswerCodec } from '../../node/wire.ts';
import { answering, blocksAbove } from '../support/answering.ts';
import { certificateOf, register, START_TIME, testGenesis } from '../support/genesis.ts';

const HEIGHT = 6;
const MARK = { group: 1, chain: new Uint8Array(32) };
const { verify } = chooseSignatures();
const chain = testGenesis();
const verifyPool = createVerifyPool({ workers: 0, onFatal: assert.fail });

type Blocks = Extract<BlocksAnswer, { kind: 'blocks' }>['value'];

describe('catch-up from peers (R7)', () => {
  let folder: string;
  let source: Ledger;
  let count = 0;
  let behind: Ledger;
  let blamed: string[];
  let diverged: string[];
  /** Bodies that the node behind has verified before, by key. */
  let held: Map<string, Uint8Array>;
  let verified: number;
  /** What was begun and ended, and the keys of what was executed. */
  let order: string[];
  let executed: (number | string)[][];
  const counting: VerifyPool = {
    ...verifyPool,
    verify(checks) {
      verified += checks.count;
      return verifyPool.verify(checks);
    },
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-sync-'));
    source = await start();
    for (let height = 1; height <= HEIGHT; height++) {
      const transactions = [register(chain, `a${height}`), register(chain, `b${height}`)];
      const batch = { height, timestamp: START_TIME + 1_000 * height, transactions: transactions.map(({ id }) => id) };
      const bodies = packTransactions(transactions.map(({ bytes }) => bytes));
      const executed = await source.execute(
        encode(batchCodec, batch),
        bodies,
        { epoch: 0, digest: batchDigest(batch), view: 0 },
        MARK,
      );
      if (height % 2 === 0) await source.storeCertificate(encode(certificateCodec, certificateOf(chain, executed!)));
    }
  });

  beforeEach(async () => {
    blamed = [];
    diverged = [];
    held = new Map();
    verified = 0;
    order = [];
    executed = [];
    behind = await start();
  });

  afterEach(() => behind.close());

  after(async () => {
    await source.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(): Promise<Ledger> {
    const ledger = new Ledger({
      directory: join(folder, String(count++)),
      genesis: chain.genesis,
      application: quorateApplication,
      peerKey: chain.genesis.validators[0]!.peerKey,
    });
    await ledger.open();
    return ledger;
  }

  /** Catches up from members that answer as these functions change a true answer. */
  async function catchUp(...peers: ((answer: Blocks) => Blocks | Uint8Array | undefined)[]): Promise<void> {
    await syncTo(
      {
        ledger: behind,
        newest: () => 0,
        mark: () => MARK,
        executed: () => behind.head,
        sources: (_, turn) => peers.map((_, index) => (turn + index) % peers.length),
        async ask(member, body) {
          const answer = decode(blocksAnswerCodec, await answerPeer(body, answering(source)));
          if (answer.kind !== 'blocks') return encode(blocksAnswerCodec, answer);
          const changed = peers[member]!(answer.value);
          if (changed === undefined) throw new Error('no answer');
          if (changed instanceof Uint8Array) return changed;
          return encode(blocksAnswerCodec, { kind: 'blocks', value: changed });
        },
        verifyCertificate(certificate) {
          const context = {
            genesisId: chain.genesis.id,
            epoch: 0,
            validators: chain.genesis.validators,
            verify,
            beginning: 0,
            window: 8,
          };
          const judged = verifyMessage({ kind: 'certificate', value: certificate }, context);
          return judged.ok ? judged.message : judged.reject.detail;
        },
        checkBodies(packed, expected) {
          order.push('checked');
          return checkBodies(chain.genesis.id, packed, expected, counting, (key) => held.get(key));
        },
        snapshotBlocks: 100,
        f: () => 1,
        patience: newPatience(),
        now: () => 0,
        certified() {},
        onExecuted: ({ height }, keys) => void executed.push([height, ...keys]),
        onPiece() {},
        async onInstalled() {},
        onDiverged: (reason) => void diverged.push(reason),
        blame: (member, reason) => void blamed.push(`${member}: ${reason}`),
      },
      HEIGHT,
      new AbortController().signal,
    );
  }

  const honest = (answer: Blocks): Blocks => answer;

  it('executes everything and has the roots of the source', async () => {
    await catchUp(honest);
    assert.deepEqual(behind.head, source.head);
    assert.deepEqual([blamed, diverged], [[], []]);
  });

  it('verifies one block while the one before is executed, no more, and tells each by its own transactions', async () => {
    const executeSynced = behind.executeSynced.bind(behind);
    behind.executeSynced = async (...args) => {
      order.push('begun');
      const block = await executeSynced(...args);
      order.push('executed');
      return block;
    };
    await catchUp(honest);
    const one = ['checked', 'begun', 'executed'];
    const last = ['begun', 'executed'];
    assert.deepEqual(order, ['checked', ...Array.from({ length: HEIGHT - 1 }, () => one).flat(), ...last]);
    const keysAt = (height: number) => ['a', 'b'].map((name) => idKey(register(chain, `${name}${height}`).id));
    assert.deepEqual(
      executed,
      Array.from({ length: HEIGHT }, (_, i) => [i + 1, ...keysAt(i + 1)]),
    );
  });

  it('keeps the certificate of each answer, so that it can serve the same blocks', async () => {
    await catchUp(honest);
    const answer = await blocksAbove(behind, 0);
    assert.equal(answer.headers.length, HEIGHT);
  });

  it('takes as many blocks as an answer has bodies for, and asks again', async () => {
    await catchUp((answer) => ({ ...answer, transactions: answer.transactions.slice(0, 1) }));
    assert.deepEqual(behind.head, source.head);
  });

  it('R19: nothing is taken over but blocks: every row of the state, ids and receipts are recomputed', async () => {
    await catchUp(honest);
    const args = { table: 'records.entries', key: utf8Encode('a3'), at: 'latest', proof: false } as const;
    assert.deepEqual(await behind.query('state', args), await source.query('state', args));
    for (let height = 1; height <= HEIGHT; height++) {
      for (const name of ['a', 'b']) {
        const { id } = register(chain, `${name}${height}`);
        assert.deepEqual(await behind.query('transaction', { id }), await source.query('transaction', { id }));
        assert.notEqual((await behind.query('executedAmong', { ids: id }))[0], 0, 'it is not executed again');
      }
    }
    assert.deepEqual(await behind.query('sizes', {}), await source.query('sizes', {}));
  });

  it('R21: a member that serves one block at a time, however slowly, is asked in turn with the others', async () => {
    let slow = 0;
    await catchUp((answer) => {
      slow++;
      return { ...answer, transactions: answer.transactions.slice(0, 1) };
    }, honest);
    assert.deepEqual(behind.head, source.head);
    assert.equal(slow, 1, 'then the next one gives the rest');
  });

  it('verifies no signature again of bytes that it has verified before, and those of all others', async () => {
    for (let height = 1; height <= HEIGHT; height++) {
      const { id, bytes } = register(chain, `a${height}`);
      held.set(idKey(id), bytes);
    }
    await catchUp(honest);
    assert.deepEqual(behind.head, source.head);
    assert.equal(verified, HEIGHT, 'b1, b2, …');
  });

  const other = sha256(Uint8Array.of(1));
  const lies: Readonly<Record<string, (answer: Blocks) => Blocks | Uint8Array | undefined>> = {
    'no answer': () => undefined,
    'bytes that are no answer': () => Uint8Array.of(1, 2, 3),
    'a certificate with one signature missing': (answer) => {
      const { proof } = answer.certificate;
      return {
        ...answer,
        certificate: { ...answer.certificate, proof: { ...proof, signatures: proof.signatures.slice(1) } },
      };
    },
    'R15: a certificate over another root': (answer) => {
      const checkpoint = { ...answer.certificate.checkpoint, stateRoot: other };
      return { ...answer, certificate: { ...answer.certificate, checkpoint } };
    },
    'R18: headers that end below the certificate': (answer) => ({ ...answer, headers: answer.headers.slice(0, -1) }),
    'headers in another order': (answer) => ({ ...answer, headers: answer.headers.toReversed() }),
    'a changed header': (answer) => ({
      ...answer,
      headers: answer.headers.with(2, { ...answer.headers[2]!, receiptsRoot: other }),
    }),
    'R17: bodies of another block': (answer) => ({
      ...answer,
      transactions: answer.transactions.with(0, answer.transactions[1]!),
    }),
    'fewer bodies than the header counts': (answer) => {
      const all = unpackTransactions(answer.transactions[0]!, 10);
      assert(all.ok);
      return { ...answer, transactions: answer.transactions.with(0, packTransactions(all.value.slice(1))) };
    },
    'Q03: a body with a bad signature under the id of one that is here': (answer) => {
      const all = unpackTransactions(answer.transactions[0]!, 10);
      assert(all.ok);
      for (const bytes of all.value) {
        const decoded = decodeTransaction(chain.genesis.id, bytes);
        assert(decoded.ok);
        held.set(idKey(decoded.value.id), bytes);
      }
      const changed = answer.transactions[0]!.slice();
      changed[changed.length - 1]! ^= 1;
      return { ...answer, transactions: answer.transactions.with(0, changed) };
    },
    'Q03: a body with a bad signature under the right id': (answer) => {
      const changed = answer.transactions[0]!.slice();
      changed[changed.length - 1]! ^= 1;
      return { ...answer, transactions: answer.transactions.with(0, changed) };
    },
  };
  for (const [what, lie] of Object.entries(lies)) {
    it(`${what}: nothing of it is executed, another member is asked`, async () => {
      await catchUp(lie);
      assert.equal(behind.head.height, 0, 'nothing is taken from the liar');
      if (what !== 'no answer') assert(blamed.length > 0);
      await catchUp(lie, honest);
      assert.deepEqual(behind.head, source.head);
      assert.deepEqual(diverged, []);
    });
  }
});
