import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { toHex } from '../../ledger/bytes.ts';
import { publicKeyOf } from '../../ledger/ed25519.ts';
import { readKeyFile, writeKeyFile } from '../../light/keystore/key-file.ts';
import { KeyFileError } from '../../light/keystore/secret-file.ts';

const seed = Uint8Array.from({ length: 32 }, (_, i) => 200 - i);
const seedHex = toHex(seed);

/** A path for one key file in a folder of the test's own. */
function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-key-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'consensus.key');
}

/** Writes any text with the mode of a key file. */
function put(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** Expects a refusal with this code whose text has no part of the seed. */
function refused(action: () => unknown, code: string, message?: RegExp): void {
  assert.throws(action, (error) => {
    assert(error instanceof KeyFileError);
    assert.equal(error.code, code);
    if (message !== undefined) assert.match(error.message, message);
    assert(!inspect(error, { depth: 10 }).includes(seedHex.slice(2, 18)), 'the error shows the seed');
    return true;
  });
}

test('a key file is written with mode 0600 and read again', (t) => {
  const path = place(t);
  const before = process.umask(0o000);
  t.after(() => process.umask(before));
  writeKeyFile(path, 'consensus', seed);
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  const key = readKeyFile(path, 'consensus');
  assert.equal(key.kind, 'consensus');
  assert.deepEqual(key.publicKey, publicKeyOf(seed));
  assert.deepEqual(key.seed, seed);
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
    kind: 'consensus',
    publicKey: toHex(publicKeyOf(seed)),
    seed: seedHex,
  });
});

test('an existing file, or a link in its place, is never replaced', (t) => {
  const path = place(t);
  put(path, 'something');
  refused(() => writeKeyFile(path, 'peer', seed), 'KEY_FILE_EXISTS');
  assert.equal(readFileSync(path, 'utf8'), 'something');
  symlinkSync(`${path}.target`, `${path}.link`);
  refused(() => writeKeyFile(`${path}.link`, 'peer', seed), 'KEY_FILE_EXISTS');
});

test('a key file that others may read or write is refused, and the message says what to do', (t) => {
  const path = place(t);
  writeKeyFile(path, 'consensus', seed);
  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o700, 0o400, 0o4600]) {
    chmodSync(path, mode);
    refused(() => readKeyFile(path, 'consensus'), 'KEY_FILE_MODE');
  }
  chmodSync(path, 0o644);
  refused(
    () => readKeyFile(path, 'consensus'),
    'KEY_FILE_MODE',
    /^key file \S+consensus\.key has mode 0644, expected 0600: run chmod 600 \S+consensus\.key$/,
  );
});

test('a missing file, a link, a folder and a named pipe are refused', (t) => {
  const path = place(t);
  refused(() => readKeyFile(path, 'consensus'), 'KEY_FILE_MISSING');
  writeKeyFile(path, 'consensus', seed);
  symlinkSync(path, `${path}.link`);
  refused(() => readKeyFile(`${path}.link`, 'consensus'), 'KEY_FILE_TYPE', /symbolic link/);
  refused(() => readKeyFile(join(path, '..'), 'consensus'), 'KEY_FILE_TYPE', /not a regular file/);
  execFileSync('mkfifo', ['-m', '600', `${path}.pipe`]);
  refused(() => readKeyFile(`${path}.pipe`, 'consensus'), 'KEY_FILE_TYPE', /not a regular file/);
});

test('a key of another kind is refused', (t) => {
  const path = place(t);
  writeKeyFile(path, 'account', seed);
  refused(() => readKeyFile(path, 'consensus'), 'KEY_FILE_KIND', /holds a key of kind account, expected consensus/);
});

test('content that is not exactly a key file is refused without showing it', (t) => {
  const publicKey = toHex(publicKeyOf(seed));
  const good = { kind: 'consensus', publicKey, seed: seedHex };
  const contents = [
    '',
    'null',
    `{"kind":"consensus","seed":"${seedHex}`,
    seedHex,
    JSON.stringify({ ...good, note: 'mine' }),
    JSON.stringify({ kind: 'consensus', seed: seedHex }),
    JSON.stringify({ ...good, kind: 'other' }),
    JSON.stringify({ ...good, seed: seedHex.slice(0, -2) }),
    JSON.stringify({ ...good, seed: seedHex.toUpperCase() }),
    JSON.stringify({ ...good, seed: [seedHex] }),
    JSON.stringify({ ...good, publicKey: '0x' }),
    JSON.stringify({ ...good, seed: `${seedHex.slice(0, -1)}0` }),
    `${JSON.stringify(good)}${' '.repeat(600)}`,
  ];
  const path = place(t);
  for (const content of contents) {
    put(path, content);
    refused(() => readKeyFile(path, 'consensus'), 'KEY_FILE_FORMAT');
  }
  put(path, JSON.stringify(good));
  assert.deepEqual(readKeyFile(path, 'consensus').seed, seed);
});

test('a key that is logged does not show its seed', (t) => {
  const path = place(t);
  for (const key of [writeKeyFile(path, 'peer', seed), readKeyFile(path, 'peer')]) {
    assert(!JSON.stringify(key).includes('seed'));
    assert(!inspect(key).includes('seed'));
    assert(!('seed' in { ...key }));
  }
});
