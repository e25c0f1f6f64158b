import { publicKeyOf, signEd25519 } from '../../ledger/ed25519.ts';
import { bytesOf, type Hex } from './calls.ts';
import type { Signer } from './signer.ts';

/** A signer for a secret seed of 32 bytes, which stays in this process's memory. Throws `invalid-args`. */
export function memorySigner(seed: Uint8Array | Hex): Signer {
  const secret = bytesOf(seed, 32, 'a secret seed');
  return { publicKey: publicKeyOf(secret), sign: (message) => signEd25519(message, secret) };
}
