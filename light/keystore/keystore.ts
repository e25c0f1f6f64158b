import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { concatBytes, equalBytes, utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import { bytes, bytes32, type CodecType, oneOf, struct, tryFromJson, u32 } from '../../ledger/codec.ts';
import { publicKeyOf } from '../../ledger/ed25519.ts';
import { QuorateError } from '../ledger-client/errors.ts';
import { memorySigner } from '../ledger-client/memory-signer.ts';
import type { Signer } from '../ledger-client/signer.ts';
import { parseKeyFile } from './key-file.ts';
import { KeyFileError, readSecretFile, writeSecretFile } from './secret-file.ts';

/** 128 MiB and some tenths of a second for each guess. */
const SCRYPT_N = 2 ** 17;
const SCRYPT_R = 8;
const SCRYPT_P = 1;
/** A file can't make whoever opens it spend more than 1 GiB, and none is weaker than what was ever written. */
const SCRYPT_N_MAX = 2 ** 20;
const SEED_BYTES = 32;
const TAG_BYTES = 16;
const FILE_BYTES_MAX = 2_048;

/** The file is the JSON of this, indented by two spaces. */
const keystoreCodec = struct({
  format: oneOf({ 'quorate-keystore-1': 1 }),
  publicKey: bytes32,
  /** scrypt (RFC 7914) with r = 8 and p = 1 over the passphrase in Unicode NFKC and UTF-8. */
  scryptN: u32,
  salt: bytes32,
  nonce: bytes(12),
  /** AES-256-GCM of the seed, and its tag. What stands above is covered too: it makes the key, or follows from the seed. */
  sealed: bytes(SEED_BYTES + TAG_BYTES),
});
type Keystore = CodecType<typeof keystoreCodec>;

/**
 * Writes a new keystore of mode 0600 with a new key, or with this seed of 32 bytes; durable when it resolves, and never in place of
 * another file. Rejects with QuorateError `keystore`.
 */
export async function createKeystore(
  path: string,
  passphrase: string,
  seed: Uint8Array = randomBytes(SEED_BYTES),
): Promise<Signer> {
  const signer = memorySigner(seed);
  if (passphrase === '') throw new QuorateError('keystore', 'the passphrase is empty');
  const open = {
    format: 'quorate-keystore-1',
    publicKey: signer.publicKey,
    scryptN: SCRYPT_N,
    salt: new Uint8Array(randomBytes(32)),
    nonce: new Uint8Array(randomBytes(12)),
  } as const;
  const cipher = createCipheriv('aes-256-gcm', await keyOf(passphrase, open), open.nonce);
  const sealed = concatBytes(cipher.update(seed), cipher.final(), cipher.getAuthTag());
  const text = JSON.stringify(keystoreCodec.toJson({ ...open, sealed }), undefined, 2);
  return asKeystoreError(() => {
    writeSecretFile(path, utf8Encode(`${text}\n`));
    return signer;
  });
}

/**
 * The signer of a keystore, or of a plain key file of an account (`quorate keys new`), which needs no passphrase. Rejects with
 * QuorateError `keystore` unless it is a regular file of this user with mode 0600, with a key that the passphrase opens.
 */
export async function openKeystore(path: string, passphrase = ''): Promise<Signer> {
  return memorySigner(await readAccountSeed(path, async () => passphrase));
}

/** The secret seed of such a file, 32 bytes. The passphrase is asked for only if it is a keystore. */
export async function readAccountSeed(path: string, passphrase: () => Promise<string>): Promise<Uint8Array> {
  const content = asKeystoreError(() => readSecretFile(path, FILE_BYTES_MAX));
  const keystore = parse(content);
  if (keystore === undefined) return asKeystoreError(() => parseKeyFile(content, path, 'account').seed);
  const { scryptN: n } = keystore;
  if (n < SCRYPT_N || n > SCRYPT_N_MAX || !Number.isInteger(Math.log2(n)))
    throw new QuorateError(
      'keystore',
      `keystore ${path}: scryptN ${n}, expected a power of two from ${SCRYPT_N} to ${SCRYPT_N_MAX}`,
    );
  const seed = open(keystore, await keyOf(await passphrase(), keystore));
  // Nothing tells a wrong passphrase from a changed file.
  if (seed === undefined || !equalBytes(publicKeyOf(seed), keystore.publicKey))
    throw new QuorateError('keystore', `keystore ${path}: the passphrase is wrong, or the file was changed`);
  return seed;
}

/**
 * The public key, 32 bytes, that a keystore or key file of an account names, without opening it; only the passphrase shows
 * that it is right. Throws QuorateError `keystore`.
 */
export function readPublicKey(path: string): Uint8Array {
  const content = asKeystoreError(() => readSecretFile(path, FILE_BYTES_MAX));
  return parse(content)?.publicKey ?? asKeystoreError(() => parseKeyFile(content, path, 'account').publicKey);
}

function open({ nonce, sealed }: Keystore, key: Uint8Array): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(sealed.subarray(SEED_BYTES));
  try {
    return concatBytes(decipher.update(sealed.subarray(0, SEED_BYTES)), decipher.final());
  } catch {
    return undefined;
  }
}

/** Undefined for what is no keystore: a plain key file, or neither. Parse errors are dropped: they quote the text. */
function parse(content: Uint8Array): Keystore | undefined {
  try {
    const read = tryFromJson(keystoreCodec, JSON.parse(utf8Decode(content) ?? ''));
    return read.ok ? read.value : undefined;
  } catch {
    return undefined;
  }
}

async function keyOf(
  passphrase: string,
  { salt, scryptN: N }: Pick<Keystore, 'salt' | 'scryptN'>,
): Promise<Uint8Array> {
  const derive = promisify<Uint8Array, Uint8Array, number, object, Uint8Array>(scrypt);
  const options = { N, r: SCRYPT_R, p: SCRYPT_P, maxmem: 256 * N * SCRYPT_R };
  return derive(utf8Encode(passphrase.normalize('NFKC')), salt, 32, options);
}

function asKeystoreError<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new QuorateError('keystore', cause.message, { cause });
    throw cause;
  }
}
