import { concatBytes, utf8Encode } from '../ledger/bytes.ts';
import { encode } from '../ledger/codec.ts';
import { signBytes } from '../ledger/sign-bytes.ts';
import { type Validator, validatorCodec } from '../ledger/validators.ts';

const NO_GENESIS_YET = new Uint8Array(32);

/**
 * What a consensus key signs to show that its holder has it and wants to be this validator of this chain: sign bytes of
 * kind validatorPossession with 32 zero bytes in place of the genesis id, which does not exist yet, over the encoded
 * { name, organisation, key, peerKey } and the UTF-8 of the chain's name.
 */
export function possessionMessage(chain: string, validator: Validator): Uint8Array {
  const { name, organisation, key, peerKey } = validator;
  const entry = encode(validatorCodec, { name, organisation, key, peerKey });
  return signBytes('validatorPossession', NO_GENESIS_YET, concatBytes(entry, utf8Encode(chain)));
}
