import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WriteAtOnce } from '../write-at-once.ts';
import { JournalError } from './error.ts';

/** One open file of the journal. */
export interface JournalFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Returns when content and length are durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the journal, and the log of pending transactions, need of a disk, in one directory. Tests and the simulator have their own, with lost and torn writes. */
export interface JournalFiles {
  /** Makes the directory durable if it is missing; throws JournalError if it can't be used (D10). */
  prepare(): Promise<void>;
  list(): Promise<readonly string[]>;
  read(name: string): Promise<Uint8Array>;
  /** For writing; makes an empty file if there is none. */
  open(name: string): Promise<JournalFile>;
  remove(name: string): Promise<void>;
  /** In one step: whatever happens, `to` is what it was, or what `from` was. */
  rename(from: string, to: string): Promise<void>;
  /** Returns when made, removed and changed names are durable. */
  sync(): Promise<void>;
}

/** Files of a real directory. Links are not followed: the journal lies where its directory says. */
export function diskFiles(path: string): JournalFiles {
  const directory = resolve(path);
  return {
    prepare: () => prepareDirectory(directory),
    list: () => readdir(directory),
    read: async (name) =>
      new Uint8Array(await readFile(join(directory, name), { flag: constants.O_RDONLY | constants.O_NOFOLLOW })),
    open: (name) => openFile(join(directory, name)),
    remove: (name) => unlink(join(directory, name)),
    rename: (from, to) => rename(join(directory, from), join(directory, to)),
    sync: () => syncDirectory(directory),
  };
}

async function prepareDirectory(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    for (let path = directory; made !== undefined && path.length >= made.length; path = dirname(path)) {
      await syncDirectory(dirname(path));
    }
    const found = await lstat(directory);
    if (found.isSymbolicLink()) throw new Error('it is a symbolic link');
    if (!found.isDirectory()) throw new Error('it is not a directory');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' || code === 'ENOTDIR' ? 'it is not a directory' : message;
    throw new JournalError('JOURNAL_DIRECTORY', `directory ${directory} can't be used: ${reason}`, { cause });
  }
}

/**
 * What the system's cache takes at once, in a few microseconds. By another thread it takes a turn of the loop more, which is
 * up to 20 ms under full load, between a vote and its signature.
 */
const WRITTEN_AT_ONCE_BYTES = 64 * 1024;

async function openFile(path: string): Promise<JournalFile> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  const atOnce = new WriteAtOnce();
  return {
    async write(bytes, position) {
      const isShort = bytes.length <= WRITTEN_AT_ONCE_BYTES && atOnce.isFast;
      for (let written = 0; written < bytes.length; ) {
        const rest = [written, bytes.length - written, position + written] as const;
        const taken = isShort
          ? atOnce.write(handle.fd, bytes, ...rest)
          : (await handle.write(bytes, ...rest)).bytesWritten;
        if (taken === 0) throw new Error(`the disk took ${written} of ${bytes.length} bytes`);
        written += taken;
      }
    },
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
