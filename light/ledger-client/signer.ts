/** Signs for one account: a seed, a keystore, an HSM, a wallet. */
export interface Signer {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The Ed25519 signature of the message, 64 bytes. What it throws becomes the code `signer`. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A signer for a pair of WebCrypto, which need not be extractable: the key never is in the page's memory. */
export async function webCryptoSigner({ publicKey, privateKey }: CryptoKeyPair): Promise<Signer> {
  const { subtle } = globalThis.crypto;
  return {
    publicKey: new Uint8Array(await subtle.exportKey('raw', publicKey)),
    sign: async (message) => new Uint8Array(await subtle.sign('Ed25519', privateKey, message as BufferSource)),
  };
}
