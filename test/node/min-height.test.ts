import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Api, startApi } from '../../api/index.ts';
import type { NodeInfo } from '../../api/ports.ts';
import { batchCodec } from '../../ledger/block.ts';
import { toHex } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { idKey } from '../../node/id-key.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { createNodePort } from '../../node/node-port.ts';
import type { Validator } from '../../node/validator.ts';
import type { Observer } from '../../node/validator-options.ts';
import type { Network } from '../../p2p/index.ts';
import { certificateOf, register, START_TIME, testGenesis } from '../support/genesis.ts';

const chain = testGenesis();
const { genesis } = chain;
const ROW = '/v1/state/records.entries/deed';

/** Ledger, port and REST of one node; what a validator would order and certify, the test does. */
class Node {
  readonly #ledger: Ledger;
  #observer!: Observer;
  #api!: Api;
  #final = 0;

  constructor(directory: string) {
    const { peerKey } = genesis.validators[0]!;
    this.#ledger = new Ledger({ directory, genesis, application: quorateApplication, peerKey });
  }

  async start(): Promise<this> {
    await this.#ledger.open();
    const ledger = this.#ledger;
    const final = () => this.#final;
    const { parameters } = genesis;
    const validator = {
      state: {
        get executed() {
          return ledger.head;
        },
        config: { epoch: 0, parameters, validators: genesis.validators, self: 0 },
      },
      get finalHeight() {
        return final();
      },
      pool: { body: () => undefined },
      chainNow: () => START_TIME,
      observe: (observer: Observer) => {
        this.#observer = observer;
      },
    } as unknown as Validator;
    const info: NodeInfo = { name: 'a', version: '1', genesisId: genesis.id, chain: genesis.chain, genesisText: '' };
    const node = createNodePort(info, validator, this.#ledger, {} as Network);
    const log = { error: (fields: object) => assert.fail(JSON.stringify(fields)) };
    const place = { verifyPage: undefined, docsPage: undefined, host: '127.0.0.1', port: 0 };
    this.#api = await startApi({ node, application: quorateApplication, ...place, log });
    return this;
  }

  async execute(height: number, ...transactions: Transaction[]): Promise<void> {
    const batch = { height, timestamp: START_TIME + 1_000 * height, transactions: transactions.map(({ id }) => id) };
    const packed = packTransactions(transactions.map(({ bytes }) => bytes));
    const ordered = { epoch: 0, digest: sha256(packed), view: 0 };
    await this.#ledger.execute(encode(batchCodec, batch), packed, ordered, { group: 0, chain: new Uint8Array(32) });
    this.#observer.executed(
      height,
      transactions.map(({ id }) => idKey(id)),
    );
  }

  /** As a validator does: the certificate is on its way to the ledger when the height is called final. */
  finish(): void {
    const { head } = this.#ledger;
    this.#ledger.storeCertificate(encode(certificateCodec, certificateOf(chain, head))).catch(assert.fail);
    this.#final = head.height;
    this.#observer.final(head.height);
  }

  async get(path: string): Promise<{ status: number; json: Record<string, unknown> }> {
    const response = await fetch(`${this.#api.url}${path}`);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  async close(): Promise<void> {
    await this.#api.close();
    await this.#ledger.close();
  }
}

describe('H12: reads at a node that lags behind the one that was written to', () => {
  let folder: string;
  let ahead: Node;
  let behind: Node;
  const one = register(chain, 'deed');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-lag-'));
    ahead = await new Node(join(folder, 'ahead')).start();
    behind = await new Node(join(folder, 'behind')).start();
  });
  after(async () => {
    await ahead.close();
    await behind.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('with minHeight see what was written, or are refused: never the state before it', async () => {
    await ahead.execute(1);
    await ahead.execute(2, one);
    ahead.finish();
    const { json } = await ahead.get(`/v1/transactions/${toHex(one.id)}`);
    assert.equal(json.status, 'final');
    const { height } = json.block as { height: number };
    await behind.execute(1);
    assert.deepEqual((await behind.get(`${ROW}?at=latest`)).json.exists, false, 'it lags');
    for (const at of ['final', 'latest']) {
      const { status, json } = await behind.get(`${ROW}?at=${at}&minHeight=${height}&timeoutMs=20`);
      assert.deepEqual([status, json.code], [503, 'behind']);
    }

    const latest = behind.get(`${ROW}?at=latest&minHeight=${height}`);
    const rows = behind.get(`/v1/state/records.entries?minHeight=${height}`);
    const final = behind.get(`${ROW}?minHeight=${height}&proof=true`);
    const checkpoints = behind.get(`/v1/checkpoints?minHeight=${height}`);
    await behind.execute(2, one);
    assert.deepEqual((await latest).json.exists, true);
    assert.equal(((await rows).json.items as unknown[]).length, 1);
    assert.equal((await behind.get(`${ROW}?minHeight=${height}&timeoutMs=20`)).json.code, 'behind', 'not final yet');
    behind.finish();
    const { status, json: row } = await final;
    assert.deepEqual([status, row.exists, row.height], [200, true, height]);
    assert('proof' in row);
    const [newest] = (await checkpoints).json.items as { checkpoint: { height: number } }[];
    assert.equal(newest?.checkpoint.height, height);
  });

  it('of final state wait for a certificate that waits for a block to be written', async () => {
    await behind.execute(3);
    const read = behind.get(`${ROW}?minHeight=3`);
    const list = behind.get('/v1/checkpoints?minHeight=3&limit=1');
    // The next block holds the ledger up while both are asked.
    await new Promise((resolve) => setTimeout(resolve, 50));
    behind.finish();
    const next = behind.execute(4);
    assert.equal((await read).json.height, 3);
    const [newest] = (await list).json.items as { checkpoint: { height: number } }[];
    assert.equal(newest?.checkpoint.height, 3);
    await next;
  });
});
