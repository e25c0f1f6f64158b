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

/** Files that hold keys: one user's, mode 0600, never replaced. */

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

/** Writes a new file of mode 0600, durable when it returns. Never replaces one: KEY_FILE_EXISTS, or KEY_FILE_IO. */
export function writeSecretFile(path: string, content: Uint8Array): void {
  const fd = openNew(path);
  try {
    // The umask may have taken more than it should; it can't have added.
    fchmodSync(fd, 0o600);
    writeSync(fd, content);
    fsyncSync(fd);
  } catch (cause) {
    unlinkSync(path);
    throw ioError('write', path, cause);
  } finally {
    closeSync(fd);
  }
  syncFolder(dirname(path));
}

/** Reads a regular file (no link) of this user with mode 0600 and at most `bytesMax` bytes; else throws KeyFileError. */
export function readSecretFile(path: string, bytesMax: number): Uint8Array {
  const fd = openExisting(path);
  try {
    checkFile(fd, path, bytesMax);
    return readFileSync(fd);
  } catch (error) {
    throw error instanceof KeyFileError ? error : ioError('read', path, error);
  } finally {
    closeSync(fd);
  }
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
function checkFile(fd: number, path: string, bytesMax: number): void {
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
  if (size > bytesMax) {
    throw new KeyFileError(
      'KEY_FILE_FORMAT',
      `key file ${path} is not a key file: expected at most ${bytesMax} bytes, got ${size}`,
    );
  }
}

function statOf(fd: number): { mode: number; size: number; uid: number; isRegular: boolean } {
  const stat = fstatSync(fd);
  return { mode: stat.mode & 0o7777, size: stat.size, uid: stat.uid, isRegular: stat.isFile() };
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

function ioError(action: string, path: string, cause: unknown): KeyFileError {
  return new KeyFileError('KEY_FILE_IO', `cannot ${action} key file ${path}: ${codeOf(cause) ?? 'unknown error'}`, {
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
