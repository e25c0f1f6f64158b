import type { Transaction } from '../ledger/transaction.ts';
import { chain, fund } from './load.ts';
import type { BenchNetwork } from './network.ts';
import { signTransfers } from './transfers.ts';

/** Pre-signed transactions of one network, none of them twice. */
export interface LoadSource {
  /** How many transactions the network has been given, or is about to be. */
  readonly made: number;
  next(count: number): Promise<Transaction[]>;
}

const LIFETIME_MS = 1_800_000;
const FUNDING = 2;

/** Of transfers, unless `sign` makes others. Funds the accounts first. */
export async function startSource(network: BenchNetwork, sign = signTransfers): Promise<LoadSource> {
  const validUntil = async (): Promise<number> => (await chain(network, 0)).time + LIFETIME_MS;
  await fund(network, await validUntil());
  let made = FUNDING;
  return {
    get made() {
      return made;
    },
    async next(count) {
      const load = sign(network, count, 1_000 + made, await validUntil());
      made += count;
      return load;
    },
  };
}

/** How large a bench is. */
export interface BenchSize {
  /** In one run. */
  readonly transactions: number;
  /** Runs of each kind that is compared: in turn, A B B A A B …, so that what changes slowly on the machine falls on all. */
  readonly pairs: number;
  /** How long a run at a constant rate takes. */
  readonly seconds: number;
}

/** The kinds of each round, every second one backwards. */
export function interleaved<T>(kinds: readonly T[], rounds: number): readonly (readonly T[])[] {
  return Array.from({ length: rounds }, (_, round) => (round % 2 === 0 ? kinds : [...kinds].reverse()));
}
