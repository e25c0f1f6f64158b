import { equalBytes, fromHex, toHex, utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import { publicKeyOf } from '../../ledger/ed25519.ts';
import { KeyFileError, readSecretFile, writeSecretFile } from './secret-file.ts';

/** What a key signs: PBFT messages, the libp2p identity, or transactions. */
export type KeyKind = 'consensus' | 'peer' | 'account';

export interface KeyFile {
  readonly kind: KeyKind;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 32-byte Ed25519 secret seed. Not enumerable, so that printing or logging the object does not show it. */
  readonly seed: Uint8Array;
}

/**
 * Writes a new key file, durable when it returns: JSON with `kind`, `publicKey` and `seed`, mode 0600. Never replaces a
 * file: throws KeyFileError KEY_FILE_EXISTS, or KEY_FILE_IO.
 */
export function writeKeyFile(path: string, kind: KeyKind, seed: Uint8Array): KeyFile {
  const key = keyFile(kind, seed);
  writeSecretFile(path, print(key));
  return key;
}

/**
 * Reads a key file of the wanted kind. Throws KeyFileError unless it is a regular file (no link) of this user with mode
 * 0600, and holds exactly what `writeKeyFile` writes, with a public key that belongs to its seed.
 */
export function readKeyFile(path: string, kind: KeyKind): KeyFile {
  return parseKeyFile(readSecretFile(path, FILE_BYTES_MAX), path, kind);
}

const KINDS: readonly string[] = ['consensus', 'peer', 'account'] satisfies KeyKind[];
const FIELDS = ['kind', 'publicKey', 'seed'];
/** Twice what a key file needs. */
const FILE_BYTES_MAX = 512;

function keyFile(kind: KeyKind, seed: Uint8Array): KeyFile {
  const key = { kind, publicKey: publicKeyOf(seed) };
  return Object.defineProperty(key, 'seed', { value: seed.slice(), enumerable: false }) as KeyFile;
}

function print({ kind, publicKey, seed }: KeyFile): Uint8Array {
  return utf8Encode(`${JSON.stringify({ kind, publicKey: toHex(publicKey), seed: toHex(seed) }, undefined, 2)}\n`);
}

/** As `readKeyFile`, of what was read. */
export function parseKeyFile(bytes: Uint8Array, path: string, wanted: KeyKind): KeyFile {
  const fields = fieldsOf(bytes);
  if (fields === undefined) throw formatError(path, `expected a JSON object with the fields ${FIELDS.join(', ')}`);
  const { kind, publicKey: publicHex, seed: seedHex } = fields;
  if (!KINDS.includes(kind!)) throw formatError(path, `expected the kind ${KINDS.join(', ')}`);
  if (kind !== wanted) {
    throw new KeyFileError('KEY_FILE_KIND', `key file ${path} holds a key of kind ${kind}, expected ${wanted}`);
  }
  const seed = fromHex(seedHex!);
  if (seed?.length !== 32) throw formatError(path, 'expected a seed of 0x and 64 hex digits in lower case');
  const key = keyFile(wanted, seed);
  const publicKey = fromHex(publicHex!);
  if (publicKey === undefined || !equalBytes(publicKey, key.publicKey)) {
    throw formatError(path, `its seed belongs to the public key ${toHex(key.publicKey)}, not to the one it names`);
  }
  return key;
}

/** The three fields as strings, or undefined for anything else. Parse errors are dropped: they quote the text. */
function fieldsOf(bytes: Uint8Array): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(utf8Decode(bytes) ?? '');
    if (typeof value !== 'object' || value === null) return undefined;
    const entries = Object.entries(value);
    const names = entries.map(([name]) => name).sort();
    if (names.join() !== FIELDS.join() || entries.some(([, field]) => typeof field !== 'string')) return undefined;
    return Object.fromEntries(entries) as Record<string, string>;
  } catch {
    return undefined;
  }
}

function formatError(path: string, problem: string): KeyFileError {
  return new KeyFileError('KEY_FILE_FORMAT', `key file ${path} is not a key file: ${problem}`);
}
