import { sha256 } from '../../ledger/hash.ts';
import type { VerifySignature } from '../../ledger/signature.ts';
import { chooseSignatures, createSigner, type Signer } from '../../node/signatures.ts';
import { emptyVerdicts, markValid, unpackChecks } from '../../node/verify/packed.ts';
import type { VerifyPool } from '../../node/verify/port.ts';
import type { Loop } from './loop.ts';

const SIGNERS = new Map<string, Signer>();

/** Keys and signatures of one run. */
export interface Crypto {
  signer(seed: Uint8Array): Signer;
  readonly verify: VerifySignature;
}

/**
 * Signatures for most runs: two hashes over key and message, a hundred times faster than Ed25519. Whoever knows a public
 * key could forge one, and nobody in the simulator does: adversaries sign only with the keys that they hold.
 */
export const fakeCrypto: Crypto = {
  signer(seed) {
    const { publicKey } = realSigner(seed);
    return { publicKey, sign: (message) => fakeSignature(publicKey, message) };
  },
  verify(signature, message, publicKey) {
    if (signature.length !== 64) return false;
    const expected = fakeSignature(publicKey, message);
    for (let i = 0; i < 64; i++) if (signature[i] !== expected[i]) return false;
    return true;
  },
};

export const realCrypto: Crypto = { signer: realSigner, verify: chooseSignatures().verify };

/** Made once for each seed: a key costs a point multiplication. */
function realSigner(seed: Uint8Array): Signer {
  const name = Buffer.from(seed).toString('hex');
  const signer = SIGNERS.get(name) ?? createSigner(seed);
  SIGNERS.set(name, signer);
  return signer;
}

function fakeSignature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const input = new Uint8Array(32 + message.length);
  input.set(publicKey, 0);
  input.set(message, 32);
  const first = sha256(input);
  const signature = new Uint8Array(64);
  signature.set(first, 0);
  signature.set(first, 32);
  // Never zeros: a record that is not signed yet has those.
  signature[63]! |= 1;
  return signature;
}

/** Client signatures are checked after a virtual moment, as by other threads. */
export function simVerifyPool(loop: Loop, crypto: Crypto, isAlive: () => boolean): VerifyPool {
  return {
    async verify(checks) {
      loop.settle();
      await loop.wait(0.05 * checks.count);
      if (!isAlive()) return new Promise(() => {});
      const verdicts = emptyVerdicts(checks.count);
      let index = 0;
      for (const { signature, message, publicKey } of unpackChecks(checks)) {
        if (crypto.verify(signature, message, publicKey)) markValid(verdicts, index);
        index++;
      }
      return verdicts;
    },
    async close() {},
  };
}
