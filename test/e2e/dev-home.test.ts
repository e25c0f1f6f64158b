import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { makeNode } from '../support/dev-nodes.ts';
import {
  type Dev,
  eventually,
  getJson,
  quorate,
  startDev,
  startQuorate,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';

const ADMINISTRATORS = ['admin:acme', 'admin:globex', 'admin:initech'];

test('quorate dev fails with a sentence when all its nodes have ended', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.remove());
  const child = startQuorate(['dev', '--json', '--nodes', '1', '--home', join(folder.path, 'one'), '--port', '0']);
  let errors = '';
  child.stderr!.on('data', (text) => {
    errors += text;
  });
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  const { validators } = JSON.parse(String(line)) as { validators: { pid: number }[] };
  process.kill(validators[0]!.pid, 'SIGKILL');
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 1, errors);
  assert.match(errors, /ended \(SIGKILL\)/);
  assert.match(errors, /all nodes have ended/);
  assert.doesNotMatch(errors, /Warning|await/);
});

describe('a development home whose validators are others now', { timeout: 180_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let home: string;
  let dev: Dev;

  before(async () => {
    folder = await temporaryFolder();
    home = join(folder.path, 'network');
    dev = await startDev(home);
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  async function run<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await quorate(...args, '--json');
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }

  async function decide(...change: readonly string[]): Promise<string> {
    const { url } = dev.ready.validators[0]!;
    const [first, ...others] = ADMINISTRATORS;
    const { proposal } = await run<{ proposal: string }>('gov', 'propose', ...change, '--as', first!, '--url', url);
    for (const as of others) await run('gov', 'approve', proposal, '--as', as, '--url', url);
    return proposal;
  }

  async function restart(): Promise<void> {
    await dev.stop();
    dev = await startDev(home);
  }

  const names = (): readonly (readonly string[])[] =>
    [dev.ready.validators, dev.ready.observers].map((nodes) => nodes.map(({ name }) => name));
  const modeOf = async (url: string): Promise<string> => (await getJson<{ mode: string }>(`${url}/v1/consensus`)).mode;

  it('is started again with who joined, who observes, and who was removed', async () => {
    assert.deepEqual(names(), [['acme', 'globex', 'initech', 'umbrella'], []]);
    const { peerKey: archive } = await makeNode(dev.ready, 'archive');
    await decide('observer', 'archive', '--organisation', 'acme', '--peer-key', archive);
    const { key, peerKey: peer } = await makeNode(dev.ready, 'hooli');
    const proposal = await decide('add', `hooli:acme:${key}:${peer}`);
    const candidate = startQuorate(['start', '--config', join(home, 'hooli/node.toml'), '--observer']);
    candidate.stderr!.resume();
    const said = await new Promise<string>((resolve) => candidate.stdout!.once('data', (text) => resolve(`${text}`)));
    const [, url] = /answers at (\S+)/.exec(said)!;
    const { url: at } = dev.ready.validators[0]!;
    await run('gov', 'activate', proposal, '--candidate', url!, '--as', 'admin:acme', '--url', at);
    await eventually(async () => (await modeOf(url!)) === 'active', 'hooli votes');
    await stopProcess(candidate);
    // Something in the home that is no node.
    await mkdir(join(home, 'notes'));

    await restart();
    assert.deepEqual(names(), [['acme', 'globex', 'initech', 'umbrella', 'hooli'], ['archive']]);
    for (const one of dev.ready.validators) assert.equal(await modeOf(one.url), 'active', one.name);
    const [observer] = dev.ready.observers;
    assert((await fetch(`${observer!.url}/readyz`)).ok, 'the observer follows');

    // The first one is removed: a network of the others, and the removed one says that nobody takes it.
    await decide('remove', 'acme');
    const record = ['--key', 'without acme', '--digest', `0x${'ab'.repeat(32)}`, '--as', 'writer', '--wait', 'final'];
    await run('tx', 'records', 'register', ...record, '--url', dev.ready.validators[1]!.url);
    await restart();
    assert.deepEqual(names(), [
      ['globex', 'initech', 'umbrella', 'hooli'],
      ['acme', 'archive'],
    ]);
    assert.equal(await modeOf(dev.ready.observers[0]!.url), 'observing');
    assert.match(dev.said(), /acme runs, but does not follow: no validator is connected/);
  });

  it('says why a node did not start, in its own words', async () => {
    await dev.stop();
    const config = await readFile(join(home, 'globex/node.toml'), 'utf8');
    const [, port] = /tcp\/(\d+)"\]/.exec(config)!;
    // Outgoing connections never have it.
    assert(Number(port) < 32_768, port);
    const other = createServer().listen(Number(port), '127.0.0.1');
    await once(other, 'listening');
    try {
      const { code, stderr } = await quorate('dev', '--home', home);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(`globex did not start: it ended, and said last: .*${port}.*; its log: .*node.log`),
      );
    } finally {
      other.close();
    }
  });
});
