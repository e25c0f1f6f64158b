import { type Genesis, type ReadGenesis, readGenesis } from '../genesis/genesis.ts';
import { type Bundle, bundleCodec } from '../ledger/bundle.ts';
import type { Json } from '../ledger/codec.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { verifyWith } from './async.ts';
import { withEngine } from './engine.ts';
import { readAs } from './read.ts';
import type { Report } from './report.ts';
import type { PlanOptions } from './verify-bundle.ts';

// What reads texts: genesis files, proofs as JSON, and recoveries (R10). Browsers load it only when they have one.

export { recoveriesOf, verifyRecovery } from '../ledger/recovery.ts';

/** A bundle from any of its forms, or what is wrong with it. */
export function readBundle(proof: Uint8Array | string | Json): Bundle | string {
  return readAs(bundleCodec, proof, 'proof');
}

/** What is read from the genesis file's text, or has been read before. */
export function genesisOf(genesis: string | Genesis, verify: VerifySignature): ReadGenesis {
  return typeof genesis === 'string' ? readGenesis(genesis, verify) : { ok: true, genesis };
}

/** `readGenesis` by the best engine of this platform. */
export function readGenesisText(text: string): Promise<ReadGenesis> {
  return withEngine((verify) => readGenesis(text, verify));
}

/** `verifyBundle` by the best engine of this platform. */
export function verifyTexts(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: PlanOptions,
): Promise<Report> {
  return verifyWith(readBundle(proof), (verify) => genesisOf(genesis, verify), options);
}
