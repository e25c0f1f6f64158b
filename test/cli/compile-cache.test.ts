import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BIN, temporaryFolder } from '../support/processes.ts';

/** Runs a command with this environment and says where what was compiled is kept. */
async function run(t: TestContext, change: (folder: string) => NodeJS.ProcessEnv) {
  const { path, remove } = await temporaryFolder();
  t.after(remove);
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const options = { cwd: path, env: { ...env, HOME: path, XDG_CACHE_HOME: '', TMPDIR: path, ...change(path) } };
  const { status, stderr } = spawnSync(process.execPath, [BIN, '--version'], { ...options, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const isKept = (...places: string[]): boolean => {
    const place = join(path, ...places);
    return existsSync(place) && readdirSync(place).length > 0;
  };
  return { path, isKept };
}

test('what was compiled is kept in a directory of the user', async (t) => {
  const home = await run(t, () => ({}));
  assert(home.isKept('.cache', 'quorate'));
  assert.equal(statSync(join(home.path, '.cache', 'quorate')).mode & 0o777, 0o700);
  const xdg = await run(t, (path) => ({ XDG_CACHE_HOME: join(path, 'caches') }));
  assert(xdg.isKept('caches', 'quorate'));
  const named = await run(t, (path) => ({ NODE_COMPILE_CACHE: join(path, 'named') }));
  assert(named.isKept('named') && !named.isKept('.cache'));
});

test('nothing is kept where another could write, nor in the working directory, nor if that is asked for', async (t) => {
  const shared = await run(t, (path) => {
    mkdirSync(join(path, '.cache', 'quorate'), { recursive: true });
    chmodSync(join(path, '.cache', 'quorate'), 0o770);
    return {};
  });
  assert(!shared.isKept('.cache', 'quorate') && !shared.isKept('node-compile-cache'));
  const relative = await run(t, () => ({ XDG_CACHE_HOME: 'caches' }));
  assert(!relative.isKept('caches') && relative.isKept('.cache', 'quorate'));
  const none = await run(t, () => ({ NODE_COMPILE_CACHE: '' }));
  assert(!none.isKept('.cache') && !none.isKept('node-compile-cache'));
  const homeless = await run(t, () => ({ HOME: '' }));
  assert(!homeless.isKept('.cache') && !homeless.isKept('quorate') && !homeless.isKept('node-compile-cache'));
});
