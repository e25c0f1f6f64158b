import { utf8Encode } from '../ledger/bytes.ts';
import { bytes32, bytes64, type CodecType, type Json, list, oneOf, struct, text, u8, u64 } from '../ledger/codec.ts';
import { sha256 } from '../ledger/hash.ts';
import { ADMINISTRATORS_MAX, NAME_BYTES_MAX, ORGANISATIONS_MAX, ROLES_MAX, VALIDATORS_MAX } from '../ledger/limits.ts';
import { parametersCodec } from '../ledger/parameters.ts';

/** Bytes of a genesis file. */
export const GENESIS_BYTES_MAX = 1024 * 1024;
const ACCOUNTS_MAX = 8_192;
const ADDRESSES_MAX = 8;
const ADDRESS_BYTES_MAX = 256;

const name = text(NAME_BYTES_MAX, 1);

export const organisationEntryCodec = struct({
  name,
  /** Public keys of people. */
  administrators: list(bytes32, ADMINISTRATORS_MAX, 1),
  /** How many of them act for the organisation. */
  threshold: u8,
  /** What it may give to its accounts, now and later. */
  roles: list(name, ROLES_MAX),
});

export const validatorEntryCodec = struct({
  name,
  organisation: name,
  key: bytes32,
  peerKey: bytes32,
  /** Signature by `key` that its holder wants to be this validator (genesis/possession.ts). */
  possession: bytes64,
  /** Multiaddresses where it may be found: hints, nothing is believed because of them. */
  addresses: list(text(ADDRESS_BYTES_MAX, 1), ADDRESSES_MAX),
});

export const accountEntryCodec = struct({ name, organisation: name, key: bytes32, roles: list(name, ROLES_MAX) });

/** The genesis file. Its JSON has these fields in this order; docs/formats.md. */
export const genesisCodec = struct({
  quorate: oneOf({ 'genesis/1': 1 }),
  chain: name,
  /** Block time of block 0 in ms since 1970. */
  time: u64,
  organisations: list(organisationEntryCodec, ORGANISATIONS_MAX, 1),
  /** In the order of the set: the index is what bitmaps and leaders count. */
  validators: list(validatorEntryCodec, VALIDATORS_MAX, 1),
  accounts: list(accountEntryCodec, ACCOUNTS_MAX),
  /** R10: how many of 100 organisations must sign a recovery, at least 67; 0: none is ever possible. */
  recovery: u8,
  parameters: parametersCodec,
});
export type GenesisFile = CodecType<typeof genesisCodec>;
/** What founders decide; the format's name is added. */
export type GenesisContent = Omit<GenesisFile, 'quorate'>;

/** The one spelling of a genesis file: 2-space JSON in the schema's order with a final newline. Throws CodecError. */
export function printGenesis(content: GenesisContent): string {
  return printJson(genesisCodec.toJson({ ...content, quorate: 'genesis/1' }));
}

/** SHA-256 of the file's UTF-8: names the chain, and stands in everything that is signed for it. */
export function genesisId(printed: string): Uint8Array {
  return sha256(utf8Encode(printed));
}

function printJson(json: Json): string {
  return `${JSON.stringify(json, undefined, 2)}\n`;
}
