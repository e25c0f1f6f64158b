/** The part of sodium-native 5 that a node uses; the package has no types of its own. */
declare module 'sodium-native' {
  /** Bytes of `signature` after the 64th are ignored: check lengths first. Throws on fewer, or a key of not 32 bytes. */
  export function crypto_sign_verify_detached(
    signature: Uint8Array,
    message: Uint8Array,
    publicKey: Uint8Array,
  ): boolean;
  /** Writes 64 bytes; `secretKey` is the 64 bytes of `crypto_sign_seed_keypair`. */
  export function crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  /** Writes 32 and 64 bytes made from a seed of 32. */
  export function crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  /** ChaCha20-Poly1305 (RFC 8439): writes 16 bytes more than `message` has. Nonce of 12, key of 32 bytes. */
  export function crypto_aead_chacha20poly1305_ietf_encrypt(
    sealed: Uint8Array,
    message: Uint8Array,
    data: Uint8Array | null,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Writes 16 bytes less than `sealed` has, which may be the same memory. Throws if it was not sealed so. */
  export function crypto_aead_chacha20poly1305_ietf_decrypt(
    message: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    data: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Writes 32 bytes. */
  export function crypto_hash_sha256(output: Uint8Array, input: Uint8Array): void;
}
