import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { equalBytes } from '../ledger/bytes.ts';
import { portableEngine, publicKeyOf, signEd25519 } from '../ledger/ed25519.ts';
import { checkEngine } from '../ledger/edge-vectors.ts';
import { createVerifier, type SignatureEngine, type VerifySignature } from '../ledger/signature.ts';
import { loadOptional } from './optional.ts';

type Sodium = typeof import('sodium-native');

/** Engines in the order of preference, the fastest first. */
export const SIGNATURE_ENGINES = ['sodium-native', 'node:crypto', 'portable'] as const;
export type SignatureEngineName = (typeof SIGNATURE_ENGINES)[number];

export interface ChosenSignatures {
  readonly name: SignatureEngineName;
  /** The rule S5 over that engine. */
  readonly verify: VerifySignature;
  /** Faster engines that this platform does not have, and why; for the log. */
  readonly skipped: readonly { readonly name: SignatureEngineName; readonly reason: string }[];
}

/** A native engine whose verdict or signature is not what S5 says: the node must not start. */
export class SignatureEngineError extends Error {
  readonly code = 'SIGNATURE_ENGINE_DIFFERS';
}

/**
 * The first engine of `names` that loads. An engine that is absent is skipped; one that is there and differs on an edge
 * vector throws SignatureEngineError, because a platform on which libraries disagree needs a person.
 */
export function chooseSignatures(names: readonly SignatureEngineName[] = SIGNATURE_ENGINES): ChosenSignatures {
  const skipped: { name: SignatureEngineName; reason: string }[] = [];
  for (const name of names) {
    const loaded = loadEngine(name);
    if ('engine' in loaded) return { name, verify: checkedVerifier(name, loaded.engine), skipped };
    skipped.push({ name, reason: loaded.reason });
  }
  throw new Error(`none of the signature engines ${names.join(', ')} can be loaded`);
}

/** S5 over `engine`, after it gave the right verdict on every edge vector; throws SignatureEngineError otherwise. */
export function checkedVerifier(name: string, engine: SignatureEngine): VerifySignature {
  const checked = createVerifier(engine);
  const wrong = checkEngine(checked);
  if (wrong.length === 0) return checked;
  throw new SignatureEngineError(
    `signature engine ${name} differs from rule S5 on ${wrong.length} edge vectors, the first: ${wrong[0]}`,
  );
}

export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The one signature of a message, 64 bytes: the same bytes whenever and wherever it is made. */
  sign(message: Uint8Array): Uint8Array;
}

/**
 * A fast signer for a 32-byte secret seed. Compared once with the portable one, since S1 relies on signing the same
 * content again giving the same bytes; throws SignatureEngineError if it differs.
 */
export function createSigner(
  secretSeed: Uint8Array,
  names: readonly SignatureEngineName[] = SIGNATURE_ENGINES,
): Signer {
  if (secretSeed.length !== 32) throw new RangeError(`expected a secret seed of 32 bytes, got ${secretSeed.length}`);
  for (const name of names) {
    const signer = loadSigner(name, secretSeed);
    if (signer === undefined) continue;
    const probe = signer.publicKey;
    if (
      !equalBytes(signer.publicKey, publicKeyOf(secretSeed)) ||
      !equalBytes(signer.sign(probe), signEd25519(probe, secretSeed))
    ) {
      throw new SignatureEngineError(`signature engine ${name} signs other bytes than RFC 8032 says`);
    }
    return signer;
  }
  throw new Error(`none of the signature engines ${names.join(', ')} can be loaded`);
}

function loadEngine(name: SignatureEngineName): { readonly engine: SignatureEngine } | { readonly reason: string } {
  switch (name) {
    case 'sodium-native': {
      const loaded = loadOptional<Sodium>('sodium-native');
      return 'module' in loaded ? { engine: loaded.module.crypto_sign_verify_detached } : loaded;
    }
    case 'node:crypto':
      return { engine: nodeEngine() };
    case 'portable':
      return { engine: portableEngine };
  }
}

/** Key objects made from the public keys seen last: making one costs about a quarter of a verification. */
const KEY_OBJECTS_MAX = 4_096;

function nodeEngine(): SignatureEngine {
  const keyObjects = new Map<string, KeyObject>();
  return (signature, message, publicKey) => {
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
    let key = keyObjects.get(name);
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
      if (keyObjects.size >= KEY_OBJECTS_MAX) keyObjects.delete(keyObjects.keys().next().value!);
      keyObjects.set(name, key);
    }
    return verify(null, message, key, signature);
  };
}

function loadSigner(name: SignatureEngineName, secretSeed: Uint8Array): Signer | undefined {
  switch (name) {
    case 'sodium-native': {
      const loaded = loadOptional<Sodium>('sodium-native');
      return 'module' in loaded ? sodiumSigner(loaded.module, secretSeed) : undefined;
    }
    case 'node:crypto':
      return nodeSigner(secretSeed);
    case 'portable': {
      const seed = secretSeed.slice();
      return { publicKey: publicKeyOf(seed), sign: (message) => signEd25519(message, seed) };
    }
  }
}

function sodiumSigner(sodium: Sodium, secretSeed: Uint8Array): Signer {
  const publicKey = new Uint8Array(32);
  const secretKey = new Uint8Array(64);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, secretSeed);
  return {
    publicKey,
    sign(message) {
      const signature = new Uint8Array(64);
      sodium.crypto_sign_detached(signature, message, secretKey);
      return signature;
    },
  };
}

function nodeSigner(secretSeed: Uint8Array): Signer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secretSeed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    publicKey: Uint8Array.from(spki.subarray(SPKI_PREFIX.length)),
    sign: (message) => Uint8Array.from(sign(null, message, key)),
  };
}

/** RFC 8410: what stands in DER before the 32 bytes of an Ed25519 public key, and of a seed. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
