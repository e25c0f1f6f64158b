import { type ReadGenesis, readGenesis } from '../genesis/genesis.ts';
import type { Bundle } from '../ledger/bundle.ts';
import { verifyWith } from './async.ts';
import { withEngine } from './engine.ts';
import type { Report } from './report.ts';
import type { PlanOptions } from './verify-bundle.ts';

/** Loaded when a genesis file is read: the rules of one are a fourth of what verifies a proof. */
export function readGenesisFile(text: string): Promise<ReadGenesis> {
  return withEngine((verify) => readGenesis(text, verify));
}

export function verifyWithFile(bundle: Bundle | string, text: string, options: PlanOptions): Promise<Report> {
  return verifyWith(bundle, (verify) => readGenesis(text, verify), options);
}
