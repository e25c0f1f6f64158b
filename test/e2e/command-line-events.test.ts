import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { endProcess } from '../support/dev-nodes.ts';
import {
  type Dev,
  type DevValidator,
  eventually,
  quorate,
  startDev,
  startQuorate,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';

interface ShownEvent {
  readonly id?: string;
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface ShownBlock {
  readonly height: number;
  readonly transactions: number;
  readonly ageMs: number;
  readonly leader: string;
}

describe('events and watch over four validators as real processes', { timeout: 180_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  /** Not the leader, so that blocks go on at once when it is killed. */
  let first: DevValidator;
  let urls: readonly string[];
  const started: ChildProcess[] = [];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    const { validators } = dev.ready;
    first = validators.find(({ leader }) => !leader)!;
    urls = [first, ...validators.filter((one) => one !== first)].flatMap(({ url }) => ['--url', url]);
  });

  after(async () => {
    for (const child of started) await stopProcess(child, 'SIGKILL');
    await dev?.stop();
    await folder?.remove();
  });

  /** What a command has printed so far that goes on. */
  function running(...args: readonly string[]): { readonly child: ChildProcess; lines(): readonly string[] } {
    const child = startQuorate([...args, ...urls]);
    started.push(child);
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
    });
    return { child, lines: () => text.split('\n').slice(0, -1) };
  }

  async function register(key: string): Promise<string> {
    const args = ['--key', key, '--digest', `0x${'00'.repeat(32)}`, '--as', 'writer', '--wait', 'final', '--json'];
    const { code, stdout, stderr } = await quorate('tx', 'records', 'register', ...args, ...urls);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { id: string }).id;
  }

  it('go on at another node when theirs is killed: each event once and in order, and the blocks too', async () => {
    const events = running('events', '--topic', 'transaction', '--topic', 'event:records', '--from', '1', '--json');
    const blocks = running('watch', '--json');
    const shown = () => events.lines().map((line) => JSON.parse(line) as ShownEvent);
    const ids = [await register('before')];
    await eventually(async () => shown().length >= 2 && blocks.lines().length >= 1, 'the first events are printed');
    await endProcess(first.pid, 'SIGKILL');
    for (const key of ['after', 'later']) ids.push(await register(key));
    await eventually(async () => shown().length >= 6, 'those of the other node are printed');
    assert.deepEqual(
      shown().map(({ topic, data }) => [topic, data.id ?? data.transaction]),
      ids.flatMap((id) => [
        ['transaction', id],
        ['event', id],
      ]),
    );
    await eventually(async () => blocks.lines().length >= 3, 'blocks are printed');
    const seen = blocks.lines().map((line) => JSON.parse(line) as ShownBlock);
    assert.deepEqual(
      seen.map(({ height }) => height),
      seen.map((_, i) => seen[0]!.height + i),
    );
    for (const { leader, ageMs } of seen) assert(typeof leader === 'string' && ageMs > -1_000 && ageMs < 60_000);
    assert(seen.some(({ transactions }) => transactions === 1));
  });

  it('end after --count, begin behind --after, and print a line an event for people', async () => {
    const run = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await quorate(...args, ...urls);
      assert.equal(code, 0, stderr);
      return stdout.trimEnd().split('\n');
    };
    const all = await run('events', '--from', '0', '--count', '5', '--json');
    assert.equal(all.length, 5);
    const [, second] = all.map((line) => JSON.parse(line) as ShownEvent);
    const behind = await run('events', '--after', second!.id!, '--count', '3', '--json');
    assert.deepEqual(behind, all.slice(2));
    const [line, ...more] = await run('events', '--from', '0', '--topic', 'event:records', '--count', '1');
    assert.deepEqual(more, []);
    assert.match(line!, /^\d+\.\d+ +event +records\.registered {2}\{"key":"before"/);
    const [heading, block] = await run('watch', '--count', '1');
    assert.match(heading!, /^ +block +time +transactions +age +leader now +hash$/);
    assert.match(block!, /^ +\d+ {2}\d{4}-.*Z +\d+ +-?\d+\.\d s {2}\w+ +0x[0-9a-f]{64}$/);
  });

  it('refuse a topic that there is not, and two beginnings', async () => {
    const unknown = await quorate('events', '--topic', 'nothing', ...urls);
    assert.deepEqual([unknown.code, /\[malformed\]/.test(unknown.stderr)], [1, true], unknown.stderr);
    assert.equal((await quorate('events', '--after', '1.0', '--from', '1', ...urls)).code, 2);
  });

  it('end with a reader that is gone', async () => {
    const { child } = running('events', '--from', '0', '--json');
    child.stdout!.once('data', () => child.stdout!.destroy());
    await eventually(async () => child.exitCode !== null, 'the command ends', 20_000);
    assert.equal(child.exitCode, 0);
  });
});
