import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { V8_OPTIONS } from '../../node/cli/v8-options.ts';

const BIN = fileURLToPath(new URL('../../bin/quorate.js', import.meta.url));
const SOURCE = 'node/cli/main.ts';
const HELPER = 'ledger/helper.ts';

describe('what bin/quorate.js runs', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-bin-'));
    write('package.json', '{"type":"module"}');
    mkdirSync(join(folder, 'bin'));
    cpSync(BIN, join(folder, 'bin/quorate.js'));
    write('dist/node/cli/main.js', "export const main = () => void console.log('built');");
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }

  function checkout(): void {
    write(SOURCE, "export const main = (): void => console.log('source');");
    write(HELPER, 'export {};');
  }

  function stamp(): void {
    const stamps = [SOURCE, HELPER].map((path) => {
      const { mtimeMs, size } = statSync(join(folder, path));
      return [path, mtimeMs, size];
    });
    write('dist/node/sources.json', JSON.stringify(stamps));
  }

  const run = (): string =>
    execFileSync(process.execPath, [join(folder, 'bin/quorate.js')], {
      encoding: 'utf8',
      env: { ...process.env, NODE_COMPILE_CACHE: '' },
    }).trim();

  it('a newer Node that it starts gets the options that nodes get elsewhere', () => {
    for (const option of V8_OPTIONS) assert(readFileSync(BIN, 'utf8').includes(`'${option}'`), option);
  });

  it('the package has nothing but what was built', () => {
    assert.equal(run(), 'built');
  });

  it('a checkout runs what was built of the files as they are', () => {
    checkout();
    stamp();
    assert.equal(run(), 'built');
  });

  it('and its source where nothing says of what it was built', () => {
    checkout();
    assert.equal(run(), 'source');
    write('dist/node/sources.json', '[[');
    assert.equal(run(), 'source');
  });

  it('and its source once any file was written again, has another length, or is gone', () => {
    checkout();
    stamp();
    const { atime, mtime } = statSync(join(folder, HELPER));
    utimesSync(join(folder, HELPER), atime, new Date(mtime.getTime() + 1_000));
    assert.equal(run(), 'source');
    stamp();
    assert.equal(run(), 'built');
    write(HELPER, 'export {};;');
    utimesSync(join(folder, HELPER), atime, new Date(mtime.getTime() + 1_000));
    assert.equal(run(), 'source');
    stamp();
    rmSync(join(folder, HELPER));
    assert.equal(run(), 'source');
  });
});
