import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openDevHome } from '../../node/cli/dev-home.ts';
import { encodeArgs, readFlags } from '../../node/cli/tx.ts';
import { parseConfig } from '../../node/config.ts';
import { quorate } from '../support/processes.ts';

const NOBODY = 'http://127.0.0.1:9';

describe('command line', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-cli-'));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('exits with 2 for a wrong command line, and says what is wrong in one line', async () => {
    for (const args of [
      ['nothing'],
      ['tx', 'records'],
      ['tx', 'records', 'register', '--as', 'writer', '--url', NOBODY],
      ['tx', 'records', 'register', '--key', 'k', '--digest', '0x12', '--as', 'writer', '--url', NOBODY],
      ['tx', 'records', 'nothing', '--as', 'writer', '--url', NOBODY],
      ['tx', 'records', 'register', '--key', 'a', '--key', 'b', '--as', 'writer', '--url', NOBODY],
      ['dev', '--port', 'x'],
      ['members', 'nothing'],
      ['members', 'enrol', 'zoe', '--as', 'admin:acme', '--url', NOBODY],
      ['members', 'administrators', '0x00', '--as', 'admin:acme', '--url', NOBODY],
      ['members', 'grant', 'zoe', '--as', 'admin:acme', '--url', NOBODY],
      ['members', 'retract', '0x00', '--as', 'admin:acme', '--url', NOBODY],
      ['members', 'revoke', 'zoe', '--as', 'admin', '--url', NOBODY],
      ['gov', 'propose', 'nothing', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'propose', 'parameters', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'propose', 'remove', 'acme', '--shrinks-to', 'x', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'propose', 'rotate', 'acme', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'propose', 'limits', 'writer', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'propose', 'limits', 'writer', '--pending', '5', '--burst', '5', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'propose', 'limits', 'writer', '--none', '--pending', '5', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'approve', '0x00', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'retract', '0x00', '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'activate', `0x${'00'.repeat(32)}`, '--as', 'admin:acme', '--url', NOBODY],
      ['gov', 'show', '0x00', '--url', NOBODY],
      ['tx', 'members', 'approve', '--organisation', 'a', '--change', '{', '--as', 'admin:a', '--url', NOBODY],
      ['import', join(folder, 'missing'), '--as', 'writer', '--url', NOBODY],
      ['verify', join(folder, 'missing'), '--genesis', join(folder, 'missing')],
    ]) {
      const { code, stdout, stderr } = await quorate(...args);
      assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
      assert.equal(stdout, '');
      assert.doesNotMatch(stderr, /\n\s+at /, 'no stack');
    }
  });

  it('exits with 3 when nothing answers, and says what to do', async () => {
    for (const args of [
      ['status', '--url', NOBODY],
      ['proof', '0x00', '--url', NOBODY],
      ['query', 'block', 'latest', '--url', NOBODY],
      ['members', 'list', '--url', NOBODY],
      ['members', 'revoke', 'zoe', '--as', 'admin:acme', '--url', NOBODY],
      ['tx', 'assets', 'transfer', '--asset', 'a', '--to', 'bob', '--amount', '1', '--as', 'alice', '--url', NOBODY],
    ]) {
      const { code, stderr } = await quorate(...args);
      assert.equal(code, 3, args.join(' '));
      assert.match(stderr, /nothing answers at http:\/\/127\.0\.0\.1:9.*npm start/);
    }
  });

  it('makes key files of mode 0600, never replaces one, and refuses one that others can read (O03)', async () => {
    const file = join(folder, 'my.key');
    const made = await quorate('keys', 'new', file, '--json');
    assert.equal(made.code, 0, made.stderr);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const { publicKey } = JSON.parse(made.stdout);
    const { seed } = JSON.parse(readFileSync(file, 'utf8'));
    assert(!made.stdout.includes(seed) && !made.stderr.includes(seed), 'the secret is not printed');
    assert.equal((await quorate('keys', 'show', file)).stdout.trim(), publicKey);
    assert.equal((await quorate('keys', 'new', file)).code, 1);
    chmodSync(file, 0o644);
    const refused = await quorate('keys', 'show', file);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /0644.*0600/);
  });

  it('refuses to start with a wrong config, genesis or key, and says which (D10, D12, G02)', async () => {
    const { home, nodes: validators } = await openDevHome(join(folder, 'network'), 4, 0);
    const [first, second] = validators;
    const start = (config: string) => quorate('start', '--config', config);
    let changes = 0;
    const change = (from: string, to: string): string => {
      const path = join(home, first!.name, `changed-${changes++}.toml`);
      writeFileSync(path, readFileSync(first!.config, 'utf8').replace(from, to));
      return path;
    };
    const cases: readonly [string, RegExp][] = [
      [join(folder, 'no.toml'), /no\.toml can't be read/],
      [change('[api]', '[apy]'), /apy/],
      [change('port = ', 'port = "x" # '), /api\.port/],
      [change('../genesis.json', '../missing.json'), /genesis file .*missing\.json can't be read/],
      [change('keys/consensus.json', `../${second!.name}/keys/peer.json`), /kind|consensus/],
      [change('keys/peer.json', `../${second!.name}/keys/peer.json`), /not that of validator/],
    ];
    for (const [config, expected] of cases) {
      const { code, stderr } = await start(config);
      assert.equal(code, 1, `${expected}: ${stderr}`);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /\n\s+at /, 'no stack');
    }
  });

  it('a development home has keys of mode 0600, one bootstrap address and no address hints in genesis', async () => {
    const { home, nodes: validators, genesisFile, isNew } = await openDevHome(join(folder, 'fresh'), 4, 0);
    assert(isNew);
    for (const [i, { name, config }] of validators.entries()) {
      for (const key of ['consensus', 'peer'])
        assert.equal(statSync(join(home, name, `keys/${key}.json`)).mode & 0o777, 0o600);
      assert.equal(parseConfig(readFileSync(config, 'utf8'), config).p2p.bootstrap.length, i === 0 ? 0 : 1);
    }
    const genesis = JSON.parse(readFileSync(genesisFile, 'utf8'));
    assert.deepEqual(
      genesis.validators.flatMap((one: { addresses: string[] }) => one.addresses),
      [],
    );
    assert.equal((await openDevHome(home, 4, 0)).isNew, false);
    const shown = await quorate('genesis', 'show', genesisFile);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /up to 1 may be malicious, 3 make a quorum/);
  });

  it('organisations make a genesis file together: join, build, show', async () => {
    const joins: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      const out = join(folder, `${name}.join.json`);
      const keys = join(folder, `${name}-keys`);
      const admin = JSON.parse(
        (await quorate('keys', 'new', join(folder, `${name}.admin`), '--json')).stdout,
      ).publicKey;
      const options = ['--chain', 'trade', '--name', name, '--organisation', `org ${name}`, '--admin', admin];
      if (name === 'a') options.push('--role', 'writer');
      const joined = await quorate(
        'genesis',
        'join',
        ...options,
        '--keys',
        keys,
        '--out',
        out,
        '--address',
        '/dns4/x/tcp/1',
      );
      assert.equal(joined.code, 0, joined.stderr);
      const { seed } = JSON.parse(readFileSync(join(keys, 'consensus.json'), 'utf8'));
      assert(
        !readFileSync(out, 'utf8').includes(seed) && !joined.stdout.includes(seed),
        'nothing secret is handed over',
      );
      joins.push(out);
    }
    const writer = JSON.parse((await quorate('keys', 'new', join(folder, 'w.key'), '--json')).stdout).publicKey;
    const out = join(folder, 'trade.json');
    const build = (...files: string[]) =>
      quorate(
        'genesis',
        'build',
        ...files,
        '--chain',
        'trade',
        '--account',
        `w:org a:${writer}:writer`,
        '--out',
        out,
        '--json',
      );
    const made = await build(...joins);
    assert.equal(made.code, 0, made.stderr);
    const shown = await quorate('genesis', 'show', out, '--json');
    assert.equal(JSON.parse(shown.stdout).id, JSON.parse(made.stdout).id);
    assert.equal((await build(...joins)).code, 1, 'never over another file');
    assert.match((await quorate('genesis', 'show', out)).stdout, /org a +1 of 1 +writer\n/);
    // A role that the organisation may not give.
    const more = ['--chain', 'trade', '--account', `w:org b:${writer}:writer`, '--out', join(folder, 'more.json')];
    const unsound = await quorate('genesis', 'build', ...joins, ...more);
    assert.equal(unsound.code, 1);
    assert.match(unsound.stderr, /"org b" may not give the role "writer"/);
    // Another chain's proof of possession is none here.
    const other = await quorate('genesis', 'build', ...joins, '--chain', 'other', '--out', join(folder, 'other.json'));
    assert.equal(other.code, 1);
    assert.match(other.stderr, /possession/);
  });

  it('verify takes a proof as JSON or as canonical bytes, and no byte goes unseen', async () => {
    const vectors = new URL('../vectors/bundles.json', import.meta.url);
    const { genesis, good } = JSON.parse(readFileSync(vectors, 'utf8')) as {
      genesis: string;
      good: { bytes: string; json: Record<string, unknown> }[];
    };
    const [genesisFile, file] = [join(folder, 'bundle-genesis.json'), join(folder, 'some.proof')];
    writeFileSync(genesisFile, genesis);
    const bytes = Buffer.from(good[0]!.bytes.slice(2), 'hex');
    const text = Buffer.from(JSON.stringify(good[0]!.json));
    const verify = (proof: Uint8Array, ...flags: string[]) => {
      writeFileSync(file, proof);
      return quorate('verify', file, '--genesis', genesisFile, ...flags);
    };
    for (const proof of [bytes, text]) assert.equal((await verify(proof)).code, 0);
    const old = await verify(bytes, '--max-age', '1000');
    assert.deepEqual([old.code, /✗ certificate/.test(old.stdout)], [4, true], old.stdout);
    const invalid = await verify(text.with(text.length - 3, 0xff));
    assert.deepEqual([invalid.code, /not well-formed UTF-8/.test(invalid.stderr)], [2, true], invalid.stderr);
    writeFileSync(genesisFile, Buffer.from(genesis).with(30, 0xff));
    assert.equal((await verify(bytes)).code, 2);
    // A chain whose name would move the cursor is no genesis file; a proof that says so is shown by numbers.
    writeFileSync(genesisFile, genesis);
    const odd = await verify(Buffer.from('{"\u001b[2J":1}'));
    assert.equal(odd.code, 4);
    assert(!odd.stdout.includes('\u001b'));
  });

  it('V19: verifies fork evidence and names who signed both; what shows no fork exits with 4', async () => {
    const vectors = new URL('../vectors/forks.json', import.meta.url);
    const { genesis, good } = JSON.parse(readFileSync(vectors, 'utf8')) as {
      genesis: string;
      good: { json: Record<string, unknown>; culprits: string[] }[];
    };
    const [genesisFile, file] = [join(folder, 'fork-genesis.json'), join(folder, 'x.fork.json')];
    writeFileSync(genesisFile, genesis);
    const { json, culprits } = good[0]!;
    writeFileSync(file, JSON.stringify(json));
    const shown = await quorate('verify', file, '--genesis', genesisFile);
    assert.equal(shown.code, 0, shown.stdout + shown.stderr);
    for (const name of culprits) assert.match(shown.stdout, new RegExp(`guilty +${name} of acme`));
    writeFileSync(file, JSON.stringify({ ...json, second: json.first }));
    const refused = await quorate('verify', file, '--genesis', genesisFile, '--json');
    assert.equal(refused.code, 4);
    const { steps } = JSON.parse(refused.stdout) as { steps: { name: string; status: string }[] };
    assert.equal(steps.find(({ status }) => status === 'failed')?.name, 'conflict');
  });

  it('flags win over environment, environment over file, and unknown keys are errors', () => {
    const text = '[api]\nport = 1\n[log]\nlevel = "warn"\n';
    const parsed = parseConfig(
      text,
      '/x/node.toml',
      { apiPort: 3 },
      { QUORATE_API_PORT: '2', QUORATE_LOG_LEVEL: 'debug' },
    );
    assert.deepEqual([parsed.api.port, parsed.log.level, parsed.genesis], [3, 'debug', '/x/genesis.json']);
    for (const bad of ['nothing = 1', '[api]\nhots = "x"', '[threads]\nverify = -1', 'not toml']) {
      assert.throws(() => parseConfig(bad, '/x/node.toml'), { code: 'CONFIG' }, bad);
    }
    assert.throws(() => parseConfig('', '/x/node.toml', {}, { QUORATE_API_PORT: 'x' }), { code: 'CONFIG' });
    assert.equal(parseConfig('', '/x/node.toml', {}, { QUORATE_ARCHIVE: 'true' }).ledger.archive, true);
    assert.throws(() => parseConfig('', '/x/node.toml', {}, { QUORATE_ARCHIVE: 'yes' }), { code: 'CONFIG' });
  });

  it('H06: origins are taken as a browser writes them, one by one, and nothing that stands for all of them', () => {
    const origins = ['https://app.example', 'http://127.0.0.1:8080'];
    const text = `[api]\norigins = ${JSON.stringify(origins)}\n`;
    assert.deepEqual(parseConfig(text, '/x/node.toml').api.origins, origins);
    assert.deepEqual(parseConfig('', '/x/node.toml').api.origins, []);
    const environment = { QUORATE_API_ORIGINS: 'https://a.example,https://b.example' };
    const parsed = parseConfig(text, '/x/node.toml', {}, environment);
    assert.deepEqual(parsed.api.origins, ['https://a.example', 'https://b.example']);
    const flags = { apiOrigins: ['https://c.example'] };
    assert.deepEqual(parseConfig(text, '/x/node.toml', flags, environment).api.origins, ['https://c.example']);
    for (const [bad, why] of [
      ['*', /a '\*' would let pages/],
      ['null', /expected an origin such as/],
      ['app.example', /expected an origin such as/],
      ['file:///tmp/page.html', /expected an origin such as/],
      ['https://app.example/', /expected an origin, https:\/\/app.example, got/],
      ['https://app.example:443', /expected an origin, https:\/\/app.example, got/],
      ['https://App.example/path', /expected an origin, https:\/\/app.example, got/],
      ['https://*.example', /a '\*' would let pages/],
    ] as const) {
      const one = `[api]\norigins = [${JSON.stringify(bad)}]\n`;
      assert.throws(() => parseConfig(one, '/x/node.toml'), { code: 'CONFIG', message: why }, bad);
    }
  });

  it('reads arguments of an action from flags by its own schema', () => {
    assert.deepEqual(readFlags(['--key', 'a b', '--digest=0x12']), { key: 'a b', digest: '0x12' });
    const digest = `0x${'ab'.repeat(32)}`;
    assert(encodeArgs('records', 'register', { key: 'k', digest }).length > 32, 'an optional text may be left out');
    assert(
      encodeArgs('assets', 'transfer', { asset: 'gold', to: 'bob', amount: '5' }).length > 32,
      'accounts have names',
    );
    const change = JSON.stringify({ kind: 'revoke', value: { account: digest } });
    const proposal = { organisation: 'acme', nonce: '0x0000000000000000', expires: '1700000000000', change };
    assert(encodeArgs('members', 'approve', proposal).length > 32, 'what has parts is JSON');
    assert.throws(() => encodeArgs('members', 'approve', { ...proposal, change: 'revoke' }), /--change takes JSON/);
    for (const [flags, expected] of [
      [{ key: 'k' }, /digest: missing/],
      [{ key: 'k', digest, more: '1' }, /no argument --more/],
      [{ key: '', digest }, /key/],
    ] as const) {
      assert.throws(() => encodeArgs('records', 'register', { ...flags }), expected);
    }
  });
});
