import { type Genesis, type ReadGenesis, readGenesis } from '../genesis/genesis.ts';
import { type Bundle, bundleCodec } from '../ledger/bundle.ts';
import { type Json, tryFromJson } from '../ledger/codec.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { verifyWith } from './async.ts';
import { withEngine } from './engine.ts';
import { isPrint } from './print.ts';
import type { Report } from './report.ts';
import { decodeBundle, type PlanOptions } from './verify-bundle.ts';

// What reads texts: genesis files, and proofs as JSON. Browsers load it only when they have one.

/** A bundle from any of its forms, or what is wrong with it. */
export function readBundle(proof: Uint8Array | string | Json): Bundle | string {
  if (proof instanceof Uint8Array) return decodeBundle(proof);
  try {
    const decoded = tryFromJson(bundleCodec, typeof proof === 'string' ? (JSON.parse(proof) as Json) : proof);
    if (!decoded.ok) return decoded.problem;
    return typeof proof !== 'string' || isPrint(proof, bundleCodec.toJson(decoded.value))
      ? decoded.value
      : 'the text is not the JSON print of the proof: it was changed somewhere';
  } catch (error) {
    // JSON.parse; or an object that no JSON gives, which may throw anything when it is read.
    return `not JSON: ${error instanceof Error ? error.message : 'it can not be read'}`;
  }
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
