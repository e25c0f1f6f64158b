import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { equalBytes, fromHex, toHex, utf8Decode, utf8Encode } from '../ledger/bytes.ts';
import { publicKeyOf } from '../ledger/ed25519.ts';

/** What a key signs: PBFT messages, the libp2p identity, or transactions. */
export type KeyKind = 'consensus' | 'peer' | 'account';

export interface KeyFile {
  readonly kind: KeyKind;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 32-byte Ed25519 secret seed. Not enumerable, so that printing or logging the object does not show it. */
  readonly seed: Uint8Array;
}

export type KeyFileCode =
  | 'KEY_FILE_EXISTS'
  | 'KEY_FILE_MISSING'
  | 'KEY_FILE_TYPE'
  | 'KEY_FILE_OWNER'
  | 'KEY_FILE_MODE'
  | 'KEY_FILE_FORMAT'
  | 'KEY_FILE_KIND'
  | 'KEY_FILE_IO';

/** A key file that was refused; the message never has any of its content. */
export class KeyFileError extends Error {
  readonly code: KeyFileCode;

  constructor(code: KeyFileCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Writes a new key file, durable when it returns: JSON with `kind`, `publicKey` and `seed`, mode 0600. Never replaces a
 * file: throws KeyFileError KEY_FILE_EXISTS, or KEY_FILE_IO.
 */
export function writeKeyFile(path: string, kind: KeyKind, seed: Uint8Array): KeyFile {
  const key = keyFile(kind, seed);
  const fd = openNew(path);
  try {
    // The umask may have taken more than it should; it can't have added.
    fchmodSync(fd, 0o600);
    writeSync(fd, print(key));
    fsyncSync(fd);
  } catch (cause) {
    unlinkSync(path);
    throw ioError('write', path, cause);
  } finally {
    closeSync(fd);
  }
  syncFolder(dirname(path));
  return key;
}

/**
 * Reads a key file of the wanted kind. Throws KeyFileError unless it is a regular file (no link) of this user with mode
 * 0600, and holds exactly what `writeKeyFile` writes, with a public key that belongs to its seed.
 */
export function readKeyFile(path: string, kind: KeyKind): KeyFile {
  const fd = openExisting(path);
  try {
    checkFile(fd, path);
    return parse(readFileSync(fd), path, kind);
  } catch (error) {
    throw error instanceof KeyFileError ? error : ioError('read', path, error);
  } finally {
    closeSync(fd);
  }
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

function openNew(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') {
      throw new KeyFileError(
        'KEY_FILE_EXISTS',
        `key file ${path} exists already and is never replaced: move it away first`,
      );
    }
    throw ioError('write', path, cause);
  }
}

function openExisting(path: string): number {
  try {
    // Without O_NONBLOCK a named pipe in this place would block the process.
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    switch (codeOf(cause)) {
      case 'ENOENT':
        throw new KeyFileError('KEY_FILE_MISSING', `key file ${path} does not exist`);
      case 'ELOOP':
        throw new KeyFileError('KEY_FILE_TYPE', `key file ${path} is a symbolic link, expected a regular file`);
      default:
        throw ioError('read', path, cause);
    }
  }
}

/** On the open file, so that nobody can exchange it between this and reading it. */
function checkFile(fd: number, path: string): void {
  const { mode, size, uid, isRegular } = statOf(fd);
  if (!isRegular) throw new KeyFileError('KEY_FILE_TYPE', `key file ${path} is not a regular file`);
  if (mode !== 0o600) {
    const octal = mode.toString(8).padStart(4, '0');
    throw new KeyFileError('KEY_FILE_MODE', `key file ${path} has mode ${octal}, expected 0600: run chmod 600 ${path}`);
  }
  const user = process.geteuid?.();
  if (user !== undefined && uid !== user) {
    throw new KeyFileError(
      'KEY_FILE_OWNER',
      `key file ${path} belongs to user ${uid}, expected user ${user}: run chown ${user} ${path}`,
    );
  }
  if (size > FILE_BYTES_MAX) throw formatError(path, `expected at most ${FILE_BYTES_MAX} bytes, got ${size}`);
}

function statOf(fd: number): { mode: number; size: number; uid: number; isRegular: boolean } {
  const stat = fstatSync(fd);
  return { mode: stat.mode & 0o7777, size: stat.size, uid: stat.uid, isRegular: stat.isFile() };
}

function parse(bytes: Uint8Array, path: string, wanted: KeyKind): KeyFile {
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

/** A new name is durable only after its folder is. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function formatError(path: string, problem: string): KeyFileError {
  return new KeyFileError('KEY_FILE_FORMAT', `key file ${path} is not a key file: ${problem}`);
}

function ioError(action: string, path: string, cause: unknown): KeyFileError {
  return new KeyFileError('KEY_FILE_IO', `cannot ${action} key file ${path}: ${codeOf(cause) ?? 'unknown error'}`, {
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
