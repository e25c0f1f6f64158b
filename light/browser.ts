/**
 * The core of light/index.ts, as a file for pages: to verify a proof. What is needed only sometimes is loaded when it is
 * needed; a page that goes on from a genesis file it has read does not read the rules for one again.
 */
export type { Genesis, ReadGenesis } from '../genesis/genesis.ts';
export { readGenesisAsync, verifyBundleAsync } from './async.ts';
export type { Facts, Report, Step, StepName } from './report.ts';
export type { PlanOptions } from './verify-bundle.ts';
