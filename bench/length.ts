import assert from 'node:assert/strict';
import type { GenesisContent } from '../genesis/file.ts';
import { toHex, utf8Encode } from '../ledger/bytes.ts';
import { sha256 } from '../ledger/hash.ts';
import type { Transaction } from '../ledger/transaction.ts';
import { createSigner } from '../node/signatures.ts';
import { assertAgreement, assertCounted, executedIn } from './checks.ts';
import { allValidatorsUs, measureCost } from './cpu.ts';
import { restartAll } from './crash.ts';
import { chain, fund, type LoadShape, submitAll } from './load.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { inPairs, medianRow, type Options, pairsOf, type Row, rounded } from './row.ts';
import { type Account, accountOf, signCalls, signTransfers } from './transfers.ts';

/** A chain of one transaction a block gets long soonest. */
const HEIGHTS = { low: 1_000, high: 100_000, perRound: 300 };
const QUICK_HEIGHTS = { low: 100, high: 1_000, perRound: 100 };
/** What is not reached by then is not waited for: the row's name says how far it came. */
const GROWING_MS_MAX = 1_200_000;
const SMALL_BATCHES: LoadShape = { batchSize: 25, openBatches: 16 };
/** Rows of assets.balances: each of the accounts has something of each asset. */
const ACCOUNTS = 1_000;
const BALANCES = { assets: 1_000, perRound: 3_000 };
const QUICK_BALANCES = { assets: 10, perRound: 500 };
const CALLS = 256;
const GRANTS: LoadShape = { batchSize: 20, openBatches: 8 };
const PIECE = 5_000;
const GRANTED = 1_000_000;
const LIFETIME_MS = 1_800_000;

/** A network of which all is known that was ever submitted to it. */
interface Grown {
  network: BenchNetwork;
  submitted: number;
}

/**
 * Whether a chain gets slower with its length, and with its state: CPU of all validators per transaction on two networks that
 * differ in one of them, measured in turn. Both are restarted before that, so that no process has run its code for longer.
 */
export async function length(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  return [...(await byHeight(options, log)), ...(await byBalances(options, log))];
}

async function byHeight(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const sizes = options.quick ? QUICK_HEIGHTS : HEIGHTS;
  const { low, perRound } = sizes;
  const high = options.transactions ?? sizes.high;
  const started: Grown[] = [];
  const start = async (height: number): Promise<Grown> => {
    const network = await startNetwork({
      change: (genesis) => ({ ...genesis, parameters: { ...genesis.parameters, batchTransactionsMax: 1 } }),
    });
    const grown = { network, submitted: 0 };
    started.push(grown);
    await fund(network, (await chain(network, 0)).time + LIFETIME_MS);
    grown.submitted = 2;
    const begun = performance.now();
    while ((await chain(network, 0)).height < height && performance.now() - begun < GROWING_MS_MAX) {
      const count = Math.min(PIECE, height - (await chain(network, 0)).height);
      await submit(grown, await transfers(grown, count), SMALL_BATCHES);
      const reached = (await chain(network, 0)).height;
      const perSecond = (1_000 * reached) / (performance.now() - begun);
      log(`height ${reached} of ${height}, ${rounded(perSecond)} blocks/s`);
    }
    grown.network = await restartAll(network);
    return grown;
  };
  try {
    const short = await start(low);
    const long = await start(high);
    const reached = (await chain(long.network, 0)).height;
    const heights = [low, Math.min(high, reached)] as const;
    log(`heights ${(await chain(short.network, 0)).height} and ${reached}`);
    const round = async (grown: Grown): Promise<number> => {
      return cost(grown, await transfers(grown, perRound), SMALL_BATCHES);
    };
    const rows = await compare('height', heights, options, [() => round(short), () => round(long)], log);
    for (const { network, submitted } of started) await assertCounted(network, submitted);
    return rows;
  } finally {
    await Promise.all(started.map(({ network }) => network.stop()));
  }
}

async function byBalances(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const { assets, perRound } = options.quick ? QUICK_BALANCES : BALANCES;
  const started: Grown[] = [];
  const start = async (count: number): Promise<Grown> => {
    const network = await startNetwork({ change: withAccounts });
    const grown = { network, submitted: 0 };
    started.push(grown);
    for (let asset = 0; asset < count; asset += 10) {
      await submit(grown, await grants(grown, asset, Math.min(count, asset + 10)), GRANTS);
      log(`${ACCOUNTS * Math.min(count, asset + 10)} of ${ACCOUNTS * count} balances`);
    }
    grown.network = await restartAll(network);
    return grown;
  };
  try {
    const few = await start(1);
    const many = await start(assets);
    const round = async (grown: Grown, count: number): Promise<number> => {
      return cost(grown, await scattered(grown, count, perRound));
    };
    const sizes = [ACCOUNTS, ACCOUNTS * assets] as const;
    const rows = await compare('balances', sizes, options, [() => round(few, 1), () => round(many, assets)], log);
    for (const { network, submitted } of started) await assertCounted(network, submitted);
    return rows;
  } finally {
    await Promise.all(started.map(({ network }) => network.stop()));
  }
}

async function compare(
  what: string,
  [small, large]: readonly [number, number],
  options: Options,
  [onSmall, onLarge]: readonly [() => Promise<number>, () => Promise<number>],
  log: (text: string) => void,
): Promise<readonly Row[]> {
  // Once each unmeasured: code that has not run yet is slow.
  await onSmall();
  await onLarge();
  const pairs = await inPairs(pairsOf(options), onSmall, onLarge);
  for (const { a, b } of pairs) log(`${rounded(a)} us/tx at ${small}, ${rounded(b)} us/tx at ${large}`);
  const named = (size: number): string => `cpu all validators, ${what} ${size}`;
  return [
    medianRow(named(small), 'us/tx', pairs, ({ a }) => a),
    medianRow(named(large), 'us/tx', pairs, ({ b }) => b),
    medianRow(`cpu, ${what} ${large} to ${small}`, 'ratio', pairs, ({ a, b }) => b / a, {
      digits: 3,
      ratioOf: named(small),
    }),
  ];
}

/** CPU of all validators per transaction, in us. All are final, and none failed. */
async function cost(grown: Grown, load: readonly Transaction[], shape?: LoadShape): Promise<number> {
  const { network } = grown;
  const before = await assertAgreement(network);
  const measured = await measureCost(network, () => submit(grown, load, shape));
  const executed = await executedIn(network, before + 1, await assertAgreement(network));
  assert.equal(executed.size, load.length, 'transactions executed in this round');
  return allValidatorsUs(measured) / load.length;
}

async function submit(grown: Grown, load: readonly Transaction[], shape?: LoadShape): Promise<void> {
  await submitAll(grown.network, load, shape);
  grown.submitted += load.length;
}

async function transfers({ network, submitted }: Grown, count: number): Promise<Transaction[]> {
  return signTransfers(network, count, 1_000 + submitted, (await chain(network, 0)).time + LIFETIME_MS);
}

function account(index: number): Account {
  const signer = createSigner(sha256(utf8Encode(`bench account ${index}`)));
  return { signer, publicKey: signer.publicKey };
}

function withAccounts(genesis: GenesisContent): GenesisContent {
  const organisation = genesis.organisations[0]!.name;
  const more = Array.from({ length: ACCOUNTS }, (_, i) => {
    return { name: `account-${i}`, organisation, key: account(i).publicKey, roles: [] };
  });
  return { ...genesis, accounts: [...genesis.accounts, ...more] };
}

/** What gives each account some of the assets `from` to `to`, 256 calls in each transaction. */
async function grants({ network, submitted }: Grown, from: number, to: number): Promise<Transaction[]> {
  const validUntil = (await chain(network, 0)).time + LIFETIME_MS;
  const issuer = accountOf(network, 'issuer');
  const receivers = Array.from({ length: ACCOUNTS }, (_, i) => toHex(account(i).publicKey));
  const calls = Array.from({ length: (to - from) * ACCOUNTS }, (_, i) => {
    const args = {
      asset: `asset-${from + Math.floor(i / ACCOUNTS)}`,
      to: receivers[i % ACCOUNTS]!,
      amount: String(GRANTED),
    };
    return { module: 'assets', action: 'issue', args };
  });
  return Array.from({ length: Math.ceil(calls.length / CALLS) }, (_, i) => {
    return signCalls(network, issuer, calls.slice(i * CALLS, (i + 1) * CALLS), submitted + i, validUntil);
  });
}

/** Transfers between accounts and of assets all over the state, the same ones in every run. */
async function scattered({ network, submitted }: Grown, assets: number, count: number): Promise<Transaction[]> {
  const validUntil = (await chain(network, 0)).time + LIFETIME_MS;
  const accounts = Array.from({ length: ACCOUNTS }, (_, i) => account(i));
  return Array.from({ length: count }, (_, i) => {
    const random = new DataView(sha256(utf8Encode(`transfer ${submitted + i}`)).buffer);
    const from = accounts[random.getUint32(0) % ACCOUNTS]!;
    const args = {
      asset: `asset-${random.getUint32(4) % assets}`,
      to: toHex(accounts[random.getUint32(8) % ACCOUNTS]!.publicKey),
      amount: '1',
    };
    return signCalls(network, from, [{ module: 'assets', action: 'transfer', args }], submitted + i, validUntil);
  });
}
