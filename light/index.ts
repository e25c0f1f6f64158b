/** Verifies finality with the genesis file alone, in Node, browsers and workers. Imports nothing of Node. */
export { type Genesis, type ReadGenesis, readGenesis } from '../genesis/genesis.ts';
export { type Bundle, bundleCodec, type Handoff, handoffCodec, updatesCodec } from '../ledger/bundle.ts';
export {
  type Certificate,
  type Checkpoint,
  certificateCodec,
  type Trust,
  verifyCertificate,
} from '../ledger/checkpoint.ts';
export { type ForkEvidence, forkEvidenceCodec } from '../ledger/fork.ts';
export {
  type CheckedReplies,
  checkReplies,
  type Reply,
  replyCodec,
  type SignedReply,
  signedReplyCodec,
} from '../ledger/reply.ts';
export { createVerifier, type SignatureEngine, type VerifySignature } from '../ledger/signature.ts';
export { readGenesisAsync, verifyBundleAsync } from './async.ts';
export {
  createLightClient,
  type LightClient,
  type LightClientOptions,
  LightError,
  type LightErrorCode,
  type Position,
  type Proven,
  printForkEvidence,
  type ShownProof,
  type SourceState,
} from './client.ts';
export { type SignatureCheck, withEngine } from './engine.ts';
export { followHandoffs } from './handoffs.ts';
export { type Facts, printSteps, type Report, type Step, type StepName } from './report.ts';
export type { LightStore } from './store.ts';
export { type BundlePlan, planBundle, verifyBundle, verifyState } from './sync.ts';
export { readBundle } from './texts.ts';
export type { PlanOptions, Question, VerifyOptions } from './verify-bundle.ts';
export { type ForkReport, verifyForkEvidence } from './verify-fork.ts';
