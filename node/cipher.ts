import { createCipheriv } from 'node:crypto';
import { equalBytes } from '../ledger/bytes.ts';
import type { Cipher } from '../p2p/index.ts';
import { loadOptional } from './optional.ts';

type Sodium = typeof import('sodium-native');

/** A native cipher that gives other bytes than OpenSSL: the node must not start. */
export class CipherError extends Error {
  readonly code = 'CIPHER_DIFFERS';
}

const TAG_BYTES = 16;

/**
 * ChaCha20-Poly1305 of RFC 8439 by sodium, or undefined where that has no build: then libp2p uses its own. Measured, in us: of 200
 * bytes sodium 2.1, libp2p 3.3; of 1,500 bytes 3.4 and 26; of 16,000 bytes 19 and 43. Compared once with OpenSSL; throws CipherError
 * if a byte differs.
 */
export function chooseCipher(): Cipher | undefined {
  const loaded = loadOptional<Sodium>('sodium-native');
  if (!('module' in loaded)) return undefined;
  const cipher = sodiumCipher(loaded.module);
  checkCipher(cipher);
  return cipher;
}

function sodiumCipher(sodium: Sodium): Cipher {
  return {
    name: 'sodium-native',
    encrypt(plain, nonce, data, key) {
      const sealed = new Uint8Array(plain.length + TAG_BYTES);
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, plain, orNull(data), null, nonce, key);
      return sealed;
    },
    decrypt(sealed, nonce, data, key, output) {
      const length = sealed.length - TAG_BYTES;
      if (length < 0) throw new RangeError(`${sealed.length} bytes are less than a tag`);
      const plain = output?.length === length ? output : new Uint8Array(length);
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plain, null, sealed, orNull(data), nonce, key);
      return plain;
    },
  };
}

const orNull = (data: Uint8Array): Uint8Array | null => (data.length === 0 ? null : data);

/** Throws CipherError unless it seals as OpenSSL does and opens what it sealed, but nothing that was changed. */
export function checkCipher({ encrypt, decrypt }: Cipher): void {
  const sample = Uint8Array.from({ length: 1_100 }, (_, i) => (i * 167 + 13) & 255);
  const key = sample.subarray(3, 35);
  const nonce = sample.subarray(40, 52);
  for (const length of [0, 1, 16, 63, 64, 65, 200, 1_000]) {
    for (const data of [sample.subarray(0, 0), sample.subarray(7, 39)]) {
      const plain = sample.subarray(sample.length - length);
      const sealed = encrypt(plain, nonce, data, key);
      const problem = `${length} bytes with ${data.length} beside them`;
      if (!equalBytes(sealed, openSsl(plain, nonce, data, key)))
        throw new CipherError(`the cipher differs: ${problem}`);
      const there = sealed.slice();
      decrypt(there, nonce, data, key, there.subarray(0, length));
      if (!equalBytes(there.subarray(0, length), plain))
        throw new CipherError(`the cipher opens wrong in place: ${problem}`);
      if (!equalBytes(decrypt(sealed, nonce, data, key), plain))
        throw new CipherError(`the cipher is no inverse: ${problem}`);
      sealed[length >> 1]! ^= 1;
      if (opens(() => decrypt(sealed, nonce, data, key)))
        throw new CipherError(`the cipher opens anything: ${problem}`);
    }
  }
}

function openSsl(plain: Uint8Array, nonce: Uint8Array, data: Uint8Array, key: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(data, { plaintextLength: plain.length });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function opens(open: () => unknown): boolean {
  try {
    open();
    return true;
  } catch {
    return false;
  }
}
