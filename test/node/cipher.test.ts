import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromHex, utf8Encode } from '../../ledger/bytes.ts';
import { CipherError, checkCipher, chooseCipher } from '../../node/cipher.ts';
import type { Cipher } from '../../p2p/index.ts';

const cipher = chooseCipher()!;
const bytes = (hex: string): Uint8Array => fromHex(`0x${hex.replaceAll(/\s/g, '')}`)!;

// RFC 8439 section 2.8.2.
const PLAIN = utf8Encode(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);
const DATA = bytes('50515253c0c1c2c3c4c5c6c7');
const KEY = bytes('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
const NONCE = bytes('070000004041424344454647');
const SEALED = bytes(`
  d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
  92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116
  1ae10b594f09e26a7e902ecbd0600691`);

describe('the cipher of connections between nodes', () => {
  it('is ChaCha20-Poly1305 of RFC 8439', () => {
    assert.deepEqual(cipher.encrypt(PLAIN, NONCE, DATA, KEY), SEALED);
    assert.deepEqual(cipher.decrypt(SEALED, NONCE, DATA, KEY), PLAIN);
  });

  it('opens in place, and shows nothing of what it does not open', () => {
    const sealed = SEALED.slice();
    const output = sealed.subarray(0, PLAIN.length);
    assert.equal(cipher.decrypt(sealed, NONCE, DATA, KEY, output), output);
    assert.deepEqual(output, PLAIN);
    const changed = SEALED.slice();
    changed[3]! ^= 1;
    const shown = new Uint8Array(PLAIN.length);
    assert.throws(() => cipher.decrypt(changed, NONCE, DATA, KEY, shown));
    assert.deepEqual(shown, new Uint8Array(PLAIN.length));
  });

  it('refuses another key, nonce, data beside it, and what is shorter than a tag', () => {
    const other = (one: Uint8Array): Uint8Array => one.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    assert.throws(() => cipher.decrypt(SEALED, NONCE, DATA, other(KEY)));
    assert.throws(() => cipher.decrypt(SEALED, other(NONCE), DATA, KEY));
    assert.throws(() => cipher.decrypt(SEALED, NONCE, other(DATA), KEY));
    assert.throws(() => cipher.decrypt(SEALED.subarray(0, 15), NONCE, DATA, KEY), RangeError);
  });

  const wrong: { readonly [what: string]: Cipher } = {
    'seals otherwise': { ...cipher, encrypt: (plain, nonce, _, key) => cipher.encrypt(plain, nonce, PLAIN, key) },
    'gives back something else': {
      ...cipher,
      decrypt: (...args) => cipher.decrypt(...args).map((byte) => byte ^ 1),
    },
    'opens wrong in place': {
      ...cipher,
      decrypt: (sealed, nonce, data, key) => cipher.decrypt(sealed, nonce, data, key),
    },
    'opens what was changed': {
      ...cipher,
      decrypt: (sealed, ...rest) => {
        try {
          return cipher.decrypt(sealed, ...rest);
        } catch {
          return sealed.slice(0, -16);
        }
      },
    },
  };
  for (const [what, one] of Object.entries(wrong)) {
    it(`one that ${what} keeps the node from starting`, () => {
      assert.throws(() => checkCipher(one), CipherError);
    });
  }
});
