import { utf8Encode } from './bytes.ts';

/**
 * S6: what any signature of the system is made over: `"quorate/1" ‖ kind ‖ genesisId ‖ body`. A kind has one meaning
 * for ever; a signature for one kind, or one chain, is never valid for another.
 */
export const SIGN_KINDS = {
  transaction: 1,
  prePrepare: 2,
  prepare: 3,
  commit: 4,
  checkpoint: 5,
  viewChange: 6,
  newView: 7,
  status: 8,
  reply: 9,
  peerRecord: 10,
  ready: 11,
  validatorPossession: 12,
  genesisApproval: 13,
  recovery: 14,
} as const;

export type SignKind = keyof typeof SIGN_KINDS;

const DOMAIN = utf8Encode('quorate/1');
const GENESIS_ID_BYTES = 32;
const PREFIX_BYTES = DOMAIN.length + 1 + GENESIS_ID_BYTES;

/** The bytes to sign for `body` of this kind on the chain with this genesis id. */
export function signBytes(kind: SignKind, genesisId: Uint8Array, body: Uint8Array): Uint8Array {
  if (genesisId.length !== GENESIS_ID_BYTES)
    throw new RangeError(`genesis id has ${genesisId.length} bytes, expected 32`);
  const bytes = new Uint8Array(PREFIX_BYTES + body.length);
  bytes.set(DOMAIN, 0);
  bytes[DOMAIN.length] = SIGN_KINDS[kind];
  bytes.set(genesisId, DOMAIN.length + 1);
  bytes.set(body, PREFIX_BYTES);
  return bytes;
}
