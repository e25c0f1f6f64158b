import { ed25519 } from '@noble/curves/ed25519.js';

export { portableEngine, portableVerify } from './portable.ts';

/** The public key, 32 bytes, of a 32-byte secret seed (RFC 8032 section 5.1.5). Throws on any other length. */
export function publicKeyOf(secretSeed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(secretSeed);
}

/** The one signature, 64 bytes, of a message by a 32-byte secret seed: deterministic (RFC 8032 section 5.1.6). */
export function signEd25519(message: Uint8Array, secretSeed: Uint8Array): Uint8Array {
  return ed25519.sign(message, secretSeed);
}
