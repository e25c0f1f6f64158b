/** Verifies finality with the genesis file alone, in Node, browsers and workers. Imports nothing of Node. */
export { type Genesis, type ReadGenesis, readGenesis } from '../genesis/genesis.ts';
export { type Bundle, bundleCodec } from '../ledger/bundle.ts';
export {
  type Certificate,
  type Checkpoint,
  certificateCodec,
  type Trust,
  verifyCertificate,
} from '../ledger/checkpoint.ts';
export { createVerifier, type SignatureEngine, type VerifySignature } from '../ledger/signature.ts';
export { readGenesisAsync, verifyBundleAsync } from './async.ts';
export type { SignatureCheck } from './engine.ts';
export { type Facts, printSteps, type Report, type Step, type StepName } from './report.ts';
export { type BundlePlan, planBundle, verifyBundle } from './sync.ts';
export { readBundle } from './texts.ts';
export type { PlanOptions, VerifyOptions } from './verify-bundle.ts';
