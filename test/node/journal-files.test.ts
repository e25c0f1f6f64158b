import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { diskFiles } from '../../node/journal/files.ts';
import { temporaryFolder } from '../support/processes.ts';

const AT_ONCE_BYTES = 64 * 1024;

it('a short write is with the system at once, a long one soon, each at its place', async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.remove);
  const files = diskFiles(folder.path);
  await files.prepare();
  const file = await files.open('a');
  const short = Buffer.alloc(AT_ONCE_BYTES, 1);
  const long = Buffer.alloc(AT_ONCE_BYTES + 1, 2);
  const has = (...expected: Buffer[]) => Buffer.concat(expected).equals(readFileSync(join(folder.path, 'a')));

  let isWritten = false;
  void file.write(short, 0).then(() => {
    isWritten = true;
  });
  for (let i = 0; i < 10; i++) await null;
  assert(isWritten, 'the loop has not turned');
  assert(has(short));
  await file.write(long, short.length);
  await file.write(Buffer.of(3), 1);
  await file.sync();
  await file.close();
  assert(has(Buffer.of(1, 3), short.subarray(2), long));
});

it('after a short write that the disk made wait, the loop does not wait for the next ones', async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.remove);
  const files = diskFiles(folder.path);
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const file = await files.open('a');
  const isAtOnce = async (): Promise<boolean> => {
    let isWritten = false;
    const written = file.write(Uint8Array.of(1), 0).then(() => {
      isWritten = true;
    });
    for (let i = 0; i < 10; i++) await null;
    const result = isWritten;
    await written;
    return result;
  };
  assert(await isAtOnce());
  t.mock.method(performance, 'now', () => {
    now += 6;
    return now;
  });
  assert(await isAtOnce(), 'this one waits');
  t.mock.method(performance, 'now', () => now);
  assert.equal(await isAtOnce(), false);
  now += 1_000;
  assert(await isAtOnce());
  await file.close();
});

it('a write to a file that is closed is an error', async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.remove);
  const files = diskFiles(folder.path);
  for (const [size, code] of [
    [1, 'ERR_OUT_OF_RANGE'],
    [AT_ONCE_BYTES + 1, 'EBADF'],
  ] as const) {
    const file = await files.open('a');
    await file.close();
    await assert.rejects(file.write(new Uint8Array(size), 0), { code });
  }
});
