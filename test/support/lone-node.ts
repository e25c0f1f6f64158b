import assert from 'node:assert/strict';
import { type Api, startApi } from '../../api/index.ts';
import type { NodeInfo, NodePort } from '../../api/ports.ts';
import { batchCodec } from '../../ledger/block.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { idKey } from '../../node/id-key.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import { createNodePort } from '../../node/node-port.ts';
import type { LedgerPort } from '../../node/ports.ts';
import type { Validator } from '../../node/validator.ts';
import type { Observer } from '../../node/validator-options.ts';
import type { Network } from '../../p2p/index.ts';
import { certificateOf, START_TIME, type TestGenesis } from './genesis.ts';

/** Ledger, port and REST of one node; what a validator would order and certify, the test does. */
export class LoneNode {
  /** Transactions that wait in its pool. */
  readonly pool = new Map<string, Transaction>();
  /** Names of what the port has asked the ledger. */
  readonly queries: string[] = [];
  readonly #chain: TestGenesis;
  readonly #ledger: Ledger;
  #observer!: Observer;
  #port!: NodePort & { close(): void };
  #api!: Api;
  #final = 0;

  constructor(chain: TestGenesis, directory: string) {
    this.#chain = chain;
    const { genesis } = chain;
    const { peerKey } = genesis.validators[0]!;
    this.#ledger = new Ledger({ directory, genesis, application: quorateApplication, peerKey });
  }

  get port(): NodePort {
    return this.#port;
  }

  async start(): Promise<this> {
    await this.#ledger.open();
    const ledger = this.#ledger;
    const { genesis } = this.#chain;
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
      pool: { body: (key: string) => this.pool.get(key) },
      chainNow: () => START_TIME,
      observe: (observer: Observer) => {
        this.#observer = observer;
      },
    } as unknown as Validator;
    const info: NodeInfo = { name: 'a', version: '1', genesisId: genesis.id, chain: genesis.chain, genesisText: '' };
    const query: LedgerPort['query'] = (name, args) => {
      this.queries.push(name);
      return ledger.query(name, args);
    };
    this.#port = createNodePort(info, validator, { query } as LedgerPort, {} as Network);
    const log = { error: (fields: object) => assert.fail(JSON.stringify(fields)) };
    const place = { verifyPage: undefined, docsPage: undefined, host: '127.0.0.1', port: 0 };
    this.#api = await startApi({ node: this.#port, application: quorateApplication, ...place, log });
    return this;
  }

  async execute(height: number, ...transactions: Transaction[]): Promise<void> {
    const batch = { height, timestamp: START_TIME + 1_000 * height, transactions: transactions.map(({ id }) => id) };
    const packed = packTransactions(transactions.map(({ bytes }) => bytes));
    const ordered = { epoch: 0, digest: sha256(packed), view: 0 };
    await this.#ledger.execute(encode(batchCodec, batch), packed, ordered, { group: 0, chain: new Uint8Array(32) });
    const keys = transactions.map(({ id }) => idKey(id));
    for (const key of keys) this.pool.delete(key);
    this.#observer.executed(height, keys);
  }

  /** C4: these will never execute. */
  expire(...transactions: Transaction[]): void {
    const keys = transactions.map(({ id }) => idKey(id));
    for (const key of keys) this.pool.delete(key);
    this.#observer.expired(keys);
  }

  /** As a validator does: the certificate is on its way to the ledger when the height is called final. */
  finish(): void {
    const { head } = this.#ledger;
    this.#ledger.storeCertificate(encode(certificateCodec, certificateOf(this.#chain, head))).catch(assert.fail);
    this.#final = head.height;
    this.#observer.final(head.height);
  }

  async get(path: string): Promise<{ status: number; json: Record<string, unknown> }> {
    const response = await fetch(`${this.#api.url}${path}`);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  async close(): Promise<void> {
    this.#port.close();
    await this.#api.close();
    await this.#ledger.close();
  }
}
