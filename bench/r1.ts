import { chooseSignatures, createSigner } from '../node/signatures.ts';

/**
 * R1: how many Ed25519 signatures one core verifies in a second here, by the engine that validators use. Figures are
 * given as ratios to it, because machines differ and are shared.
 */
export function measureR1(milliseconds = 1_000): number {
  const { verify } = chooseSignatures();
  const signer = createSigner(new Uint8Array(32).fill(7));
  const messages = Array.from({ length: 256 }, (_, i) => new Uint8Array(200).fill(i));
  const signatures = messages.map((message) => signer.sign(message));
  let verified = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < milliseconds) {
    for (let i = 0; i < messages.length; i++) {
      if (!verify(signatures[i]!, messages[i]!, signer.publicKey)) throw new Error('a good signature was refused');
    }
    verified += messages.length;
    elapsed = performance.now() - start;
  }
  return Math.round((verified * 1_000) / elapsed);
}
