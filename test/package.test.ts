import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { assertAgreement, startDev } from './support/processes.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

describe('the packed tarball', { timeout: 180_000 }, () => {
  let folder: string;
  let unpacked: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-package-'));
    const path = execFileSync(process.execPath, [join(ROOT, 'build/package.ts'), folder], { encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', path, '-C', folder]);
    unpacked = join(folder, 'package');
    symlinkSync(join(ROOT, 'node_modules'), join(unpacked, 'node_modules'));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('never depends on the Node that the repository brings, and has no test or source in it', () => {
    const manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    assert.equal(manifest.optionalDependencies, undefined);
    assert.equal(manifest.dependencies.node, undefined);
    assert.equal(manifest.devDependencies, undefined);
    const names = execFileSync('find', [unpacked, '-type', 'f', '-not', '-path', '*/node_modules/*'], {
      encoding: 'utf8',
    });
    assert.doesNotMatch(names, /\/test\/|\/bench\/|[^d]\.ts$/m);
  });

  it('runs: version, help, and a network whose threads start from dist and which serves the page', async () => {
    const run = (...args: string[]): string =>
      execFileSync(process.execPath, [join(unpacked, 'bin/quorate.js'), ...args], { encoding: 'utf8' });
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(run('--version').trim(), version);
    assert.match(run('--help'), /verify/);
    const dev = await startDev(join(folder, 'network'), 0, join(unpacked, 'bin/quorate.js'));
    try {
      await assertAgreement(dev.ready.validators.map(({ url }) => url));
      const page = await fetch(`${dev.ready.validators[0]!.url}/verify`);
      assert.equal(page.status, 200);
      assert.deepEqual(await page.bytes(), new Uint8Array(readFileSync(join(unpacked, 'dist/verify.html'))));
    } finally {
      await dev.stop();
    }
  });

  it('gives quorate/light', async () => {
    const light = await import(pathToFileURL(join(unpacked, 'dist/light/index.js')).href);
    assert.equal(typeof light.verifyBundle, 'function');
  });
});
