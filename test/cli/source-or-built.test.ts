import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

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

  it('a node goes on as the same process with the options that only its start can give, and keeps what the operator says', () => {
    write(
      'dist/node/cli/main.js',
      "export const main = (args) => console.log(JSON.stringify([process.pid, args, process.execArgv, ...Object.entries(process.env).filter(([name]) => name.startsWith('MALLOC')).sort()]));",
    );
    const begin = (command: string, env: NodeJS.ProcessEnv = {}) => {
      const args = ['--no-deprecation', join(folder, 'bin/quorate.js'), command, '--config', 'a b'];
      const { pid, stdout, stderr } = spawnSync(process.execPath, args, {
        encoding: 'utf8',
        env: { ...process.env, NODE_COMPILE_CACHE: '', NODE_OPTIONS: '', ...env },
      });
      assert.equal(stderr, '');
      const [own, given, options, ...malloc] = JSON.parse(stdout);
      assert.deepEqual([own, given], [pid, [command, '--config', 'a b']]);
      return { options, malloc: Object.fromEntries(malloc) };
    };
    const threshold = { MALLOC_MMAP_THRESHOLD_: '262144', MALLOC_TOP_PAD_: '65536', MALLOC_TRIM_THRESHOLD_: '262144' };
    const semiSpace = '--max-semi-space-size=8';
    assert.deepEqual(begin('start'), { options: ['--no-deprecation', semiSpace], malloc: threshold });
    assert.deepEqual(begin('start', { NODE_OPTIONS: '--max_semi_space_size=16', MALLOC_TOP_PAD_: '1' }), {
      options: ['--no-deprecation'],
      malloc: { ...threshold, MALLOC_TOP_PAD_: '1' },
    });
    assert.deepEqual(begin('health'), { options: ['--no-deprecation'], malloc: {} }, 'no node');
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
