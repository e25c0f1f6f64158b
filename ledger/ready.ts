import { bytes32, bytes64, type CodecType, encode, struct, text, u16, u64 } from './codec.ts';
import { NAME_BYTES_MAX } from './limits.ts';
import { signBytes } from './sign-bytes.ts';
import { type Validator, validatorCodec } from './validators.ts';

/** E5: what a candidate says when it follows the chain and could vote from the next block on. */
export const readyCodec = struct({
  /** Of the block at `height`: as a member it would vote in the next one. */
  epoch: u64,
  /** That it has executed. */
  height: u64,
  /** What it implements; all three as in the parameters in force. */
  protocolVersion: u16,
  application: text(NAME_BYTES_MAX, 1),
  applicationVersion: u16,
  /** The consensus key, which signs this and so shows that its holder has it. */
  key: bytes32,
  peerKey: bytes32,
});
export type Ready = CodecType<typeof readyCodec>;

export const signedReadyCodec = struct({ ready: readyCodec, signature: bytes64 });
export type SignedReady = CodecType<typeof signedReadyCodec>;

/** The bytes that a candidate signs. */
export function readyMessage(genesisId: Uint8Array, ready: Ready): Uint8Array {
  return signBytes('ready', genesisId, encode(readyCodec, ready));
}

/**
 * What a validator's next consensus key signs to show that its holder has it and wants to be this validator of this chain.
 * Founders sign theirs before the chain has an id (genesis/possession.ts).
 */
export function rotationMessage(genesisId: Uint8Array, { name, organisation, key, peerKey }: Validator): Uint8Array {
  return signBytes('validatorPossession', genesisId, encode(validatorCodec, { name, organisation, key, peerKey }));
}
