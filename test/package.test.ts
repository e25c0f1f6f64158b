import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
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
    // As npm would install it, with nothing beside it but what it says that it needs.
    const { dependencies } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      const place = join(unpacked, 'node_modules', name);
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), place);
    }
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

  it('is built of the files as they are, and says so to bin/quorate.js', () => {
    const stamps = JSON.parse(readFileSync(join(ROOT, 'dist/node/sources.json'), 'utf8')) as [string, number, number][];
    const names = stamps.map(([path]) => path);
    for (const path of [
      'node/cli/main.ts',
      'node/pbft/replica.ts',
      'node/verify/worker.ts',
      'package.json',
      'build/node.ts',
    ])
      assert(names.includes(path), path);
    for (const [path, mtimeMs, size] of stamps) {
      const found = statSync(join(ROOT, path));
      assert.deepEqual([found.mtimeMs, found.size], [mtimeMs, size], path);
    }
  });

  it('has the files of one bundle, and no others beside them', () => {
    const left = join(ROOT, 'dist/node/chunks/chunk-OLD.js');
    writeFileSync(left, '');
    execFileSync(process.execPath, [join(ROOT, 'build/build.ts')], { cwd: ROOT, stdio: 'ignore' });
    assert(!existsSync(left));
    const files = execFileSync('find', [join(unpacked, 'dist/node'), '-type', 'f'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    const others = files.filter((path) => !path.endsWith('.js')).map((path) => basename(path));
    assert.deepEqual(others, ['THIRD-PARTY-NOTICES.txt']);
  });

  it('runs: version, help, and a network whose threads start from dist and which serves the pages', async () => {
    const run = (...args: string[]): string =>
      execFileSync(process.execPath, [join(unpacked, 'bin/quorate.js'), ...args], { encoding: 'utf8' });
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(run('--version').trim(), version);
    assert.match(run('--help'), /verify/);
    const dev = await startDev(join(folder, 'network'), 0, join(unpacked, 'bin/quorate.js'));
    try {
      await assertAgreement(dev.ready.validators.map(({ url }) => url));
      for (const name of ['verify', 'docs']) {
        const page = await fetch(`${dev.ready.validators[0]!.url}/${name}`);
        assert.equal(page.status, 200);
        assert.deepEqual(await page.bytes(), new Uint8Array(readFileSync(join(unpacked, `dist/${name}.html`))));
      }
    } finally {
      await dev.stop();
    }
  });

  it('gives quorate/light, quorate/client, quorate/client/node and quorate/testing', async () => {
    const { exports } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    const load = (entry: string) => import(pathToFileURL(join(unpacked, exports[entry].default)).href);
    assert.equal(typeof (await load('./light')).verifyBundle, 'function');
    assert.equal(typeof (await load('./client')).connect, 'function');
    assert.equal(typeof (await load('./client/node')).openKeystore, 'function');
    assert.equal(typeof (await load('./testing')).testLedger, 'function');
  });
});

describe('the packed tarball of the client library', { timeout: 180_000 }, () => {
  let folder: string;
  let unpacked: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-client-package-'));
    const script = join(ROOT, 'build/package-client.ts');
    const path = execFileSync(process.execPath, [script, folder], { encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', path, '-C', folder]);
    // As npm would install it, with nothing beside it but what it says that it needs.
    unpacked = join(folder, 'node_modules/quorate-client');
    mkdirSync(join(folder, 'node_modules'));
    execFileSync('mv', [join(folder, 'package'), unpacked]);
    symlinkSync(join(ROOT, 'node_modules/@noble'), join(folder, 'node_modules/@noble'));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('imports nothing but its own files and noble, on which alone it depends; and Node only where keys are kept', () => {
    const { dependencies } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    assert.deepEqual(Object.keys(dependencies).sort(), ['@noble/curves', '@noble/hashes']);
    const paths = readdirSync(unpacked, { recursive: true, encoding: 'utf8' });
    const sources = paths.filter((path) => /\.(js|d\.ts)$/.test(path));
    assert(sources.includes('dist/light/ledger-client/index.js'));
    let seen = 0;
    for (const path of sources) {
      const text = readFileSync(join(unpacked, path), 'utf8');
      const imports = /^(?:import|export)\b(?:[^;'"]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
      for (const [, one, other] of text.matchAll(imports)) {
        const specifier = one ?? other!;
        seen++;
        if (specifier.startsWith('.') || specifier.startsWith('@noble/')) continue;
        assert(
          specifier.startsWith('node:') && path.startsWith('dist/light/keystore/'),
          `${path} imports ${specifier}`,
        );
      }
    }
    assert(seen > 200, `${seen} imports`);
  });

  it('its entries load from there and work', () => {
    const program = `
      import { calls, connect } from 'quorate-client';
      import { openKeystore } from 'quorate-client/node';
      import { testLedger } from 'quorate-client/testing';
      import { verifyBundle } from 'quorate-client/light';
      const ledger = testLedger({ accounts: { issuer: ['issuer'] } });
      const call = calls.assets.issue({ asset: 'gold', to: ledger.account('issuer'), amount: 1n });
      const { receipt } = ledger.as('issuer').send([call]);
      console.log(typeof connect, typeof openKeystore, typeof verifyBundle, receipt.status);`;
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(said.trim(), 'function function function ok');
  });
});
