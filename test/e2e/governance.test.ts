import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { endProcess, makeNode, newKey } from '../support/dev-nodes.ts';
import {
  assertSameChain,
  type Dev,
  eventually,
  getJson,
  quorate,
  startDev,
  startQuorate,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { kindOf, runbook } from '../support/runbook.ts';
import { signRecords } from '../support/sign-records.ts';

interface Answer {
  readonly status: string;
  readonly proposal: string;
  readonly state: string;
}

describe('governance over real processes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let url: string;
  const started: ChildProcess[] = [];
  const stop = new AbortController();
  let sending: Promise<readonly Transaction[]> = Promise.resolve([]);

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    url = dev.ready.validators[0]!.url;
  });

  after(async () => {
    stop.abort();
    await sending;
    for (const child of started) await stopProcess(child);
    await dev?.stop();
    await folder?.remove();
  });

  /** Kinds of commands that were run, the first by newKey and makeNode. */
  const kinds = new Set<string>(['keys new']);

  function typed(...args: readonly string[]): ReturnType<typeof quorate> {
    kinds.add(kindOf(args.join(' ')));
    return quorate(...args);
  }

  /** `quorate … --json` at the first validator. */
  async function run<T>(expected: number, ...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await typed(...args, '--url', url, '--json');
    assert.equal(code, expected, `${args.join(' ')}: ${stdout}${stderr}`);
    return (stdout === '' ? undefined : JSON.parse(stdout)) as T;
  }

  /** Proposed by the first administrator, approved by the others; what the last approval made of it. */
  async function decide(change: readonly string[], administrators: readonly string[]): Promise<Answer> {
    const [first, ...others] = administrators;
    let answer = await run<Answer>(0, 'gov', 'propose', ...change, '--as', first!);
    const { proposal } = answer;
    for (const as of others) {
      assert.equal(answer.state, 'open');
      answer = await run<Answer>(0, 'gov', 'approve', proposal, '--as', as);
      assert.equal(answer.proposal, proposal);
    }
    return answer;
  }

  async function validators(at = url): Promise<readonly { readonly name: string; readonly key: string }[]> {
    return (await getJson<{ items: { name: string; key: string }[] }>(`${at}/v1/validators`)).items;
  }

  const names = async (at?: string): Promise<string> => (await validators(at)).map(({ name }) => name).join(' ');

  async function untilMode(at: string, mode: string): Promise<void> {
    await eventually(async () => {
      return (await getJson<{ mode: string }>(`${at}/v1/consensus`)).mode === mode;
    }, `${at} is ${mode}`);
  }

  /** Sends one after the other until `stop`; each again until it is committed. */
  async function sendUntil(stop: AbortSignal, load: readonly Transaction[]): Promise<readonly Transaction[]> {
    const sent: Transaction[] = [];
    for (const one of load) {
      if (stop.aborted) break;
      await eventually(
        async () => ['committed', 'final'].includes(await send(one, 'committed')),
        'a record is committed',
      );
      sent.push(one);
    }
    return sent;
  }

  async function send({ bytes }: Transaction, wait: string): Promise<string> {
    const response = await fetch(`${url}/v1/transactions?wait=${wait}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    return ((await response.json()) as { status: string }).status;
  }

  async function proofOf({ id }: Transaction, name: string): Promise<string> {
    const file = join(folder.path, name);
    const { code, stderr } = await quorate('proof', toHex(id), '--out', file, '--url', url);
    assert.equal(code, 0, stderr);
    return file;
  }

  async function follow(config: string): Promise<string> {
    kinds.add('start');
    const child = startQuorate(['start', '--config', config, '--observer', '--log-level', 'silent']);
    started.push(child);
    const said = await new Promise<string>((resolve) => child.stdout!.once('data', (chunk) => resolve(String(chunk))));
    const [, at] = /follows without a vote and answers at (\S+)/.exec(said) ?? [];
    assert(at, said);
    await eventually(async () => (await fetch(`${at}/readyz`)).ok, 'the candidate follows');
    return at;
  }

  it('a fifth organisation joins with a validator, a key is rotated, the validator leaves, and nothing sent is lost', async () => {
    const [early, late, ...load] = await signRecords(dev.ready, 5_000, 'governance');
    assert.equal(await send(early!, 'final'), 'final');
    const fromTheBeginning = await proofOf(early!, 'early.proof.json');
    sending = sendUntil(stop.signal, load);

    // What is only asked for changes nothing.
    const dry = ['gov', 'propose', 'remove', 'umbrella', '--as', 'admin:acme', '--dry-run'];
    type Dry = { before: { n: number }; after: { n: number; f: number; quorum: number }; problem?: string };
    const refused = await run<Dry>(1, ...dry);
    assert.deepEqual([refused.before.n, refused.problem], [4, 'size-not-named']);
    const possible = await run<Dry>(0, ...dry, '--shrinks-to', '3');
    assert.deepEqual([possible.after, possible.problem], [{ n: 3, f: 0, quorum: 2 }, undefined]);
    assert.deepEqual((await run<{ items: unknown[] }>(0, 'gov', 'list')).items, []);

    const three = ['admin:acme', 'admin:globex', 'admin:initech'];
    const adminFile = join(folder.path, 'hooli.key');
    const admin = await newKey(adminFile, 'account');
    assert.equal((await decide(['admit', 'hooli', '--admin', admin], three)).state, 'effective');

    const { config, key, peerKey } = await makeNode(dev.ready, 'hooli');
    const entry = `hooli:hooli:${key}:${peerKey}`;
    assert.match((await typed('genesis', 'show', dev.ready.genesisFile)).stdout, new RegExp(dev.ready.genesisId));
    const passed = await decide(['add', entry], [adminFile, ...three]);
    assert.equal(passed.state, 'passed');
    const hooli = await follow(config);
    const status = await typed('status', '--url', hooli);
    assert.equal(status.code, 0, status.stdout);
    assert.match(status.stdout, / observing /);
    const activated = await run<Answer>(
      0,
      ...['gov', 'activate', passed.proposal, '--candidate', hooli, '--as', 'admin:umbrella'],
    );
    assert.equal(activated.state, 'effective');
    await untilMode(hooli, 'active');
    assert.equal((await getJson<{ name: string }>(`${hooli}/v1/status`)).name, 'hooli');
    assert.equal(await names(hooli), 'acme globex initech umbrella hooli');

    const globex = dev.ready.validators[1]!;
    const next = join(dirname(globex.config), 'keys/next.json');
    const nextKey = await newKey(next, 'consensus');
    const file = await readFile(globex.config, 'utf8');
    await writeFile(globex.config, file.replace('[keys]\n', '[keys]\nnext = "keys/next.json"\n'));
    await endProcess(globex.pid, 'SIGTERM');
    started.push(await startValidator(globex, '--log-level', 'silent'));
    const rotation = await decide(['rotate', 'globex', '--next-key', next], ['admin:globex']);
    assert.equal(rotation.state, 'effective');
    assert.match((await typed('gov', 'show', rotation.proposal, '--url', url)).stdout, /took effect/);
    await eventually(async () => (await validators(globex.url))[1]!.key === nextKey, 'globex is in the next epoch');
    await untilMode(globex.url, 'active');

    // Four of five make a quorum: without initech both the new member and the new key must vote.
    const initech = dev.ready.validators[2]!;
    process.kill(initech.pid, 'SIGSTOP');
    try {
      await eventually(async () => (await send(late!, 'final')) === 'final', 'a record is final without initech');
    } finally {
      process.kill(initech.pid, 'SIGCONT');
    }

    const left = await decide(['remove', 'hooli'], [...three, 'admin:umbrella']);
    assert.equal(left.state, 'effective');
    await untilMode(hooli, 'observing');
    stop.abort();
    const sent = await sending;
    const urls = dev.ready.validators.map((one) => one.url);
    for (const at of urls) await eventually(async () => (await names(at)) === 'acme globex initech umbrella', at);
    for (const { id } of sent) {
      const { status } = await getJson<{ status: string }>(`${url}/v1/transactions/${toHex(id)}?wait=final`);
      assert.equal(status, 'final');
    }
    await assertSameChain(urls);
    const { epoch } = await getJson<{ epoch: number }>(`${url}/v1/chain`);
    assert.equal(epoch, 3);
    const { items } = await run<{ items: { proposal: { change: { kind: string } } }[] }>(0, 'gov', 'history');
    assert.deepEqual(
      items.map(({ proposal }) => proposal.change.kind),
      ['admit', 'validators', 'rotate', 'validators'],
    );

    const [last] = await signRecords(dev.ready, 1, 'the last');
    assert.equal(await send(last!, 'final'), 'final');
    for (const proof of [fromTheBeginning, await proofOf(last!, 'last.proof.json')]) {
      const { code, stdout } = await quorate('verify', proof, '--genesis', dev.ready.genesisFile);
      assert.equal(code, 0, stdout);
    }
    // Nothing that the runbooks say to type was left out.
    for (const heading of ['Joining with a validator', "Rotating a validator's key", 'Leaving']) {
      const { commands } = runbook(heading);
      assert(commands.length > 0, heading);
      for (const command of commands)
        if (command.startsWith('quorate')) assert(kinds.has(kindOf(command)), `${heading}: ${command}`);
    }
  });

  it('T9: limits that the organisations gave a role hold at the door of the node, and are told to clients', async () => {
    // Four of the five that there are now.
    const four = ['admin:acme', 'admin:globex', 'admin:initech', 'admin:umbrella'];
    const limits = ['--pending', '20', '--per-second', '1000', '--burst', '1000'];
    const propose = ['gov', 'propose', 'limits', 'writer', '--as', 'admin:acme', '--dry-run'];
    type Dry = { limits: { role: string; old: unknown; new: { pending: number } | null }; problem?: string };
    assert.equal((await run<Dry>(1, ...propose, '--none')).problem, 'no-change');
    const dry = await run<Dry>(0, ...propose, ...limits);
    assert.deepEqual(dry.limits, { role: 'writer', old: null, new: { pending: 20, perSecond: 1_000, burst: 1_000 } });
    const { proposal, state } = await decide(['limits', 'writer', ...limits], four);
    assert.equal(state, 'effective');
    const { stdout } = await quorate('gov', 'show', proposal, '--url', url);
    assert.match(stdout, /limits: accounts with role writer; 20 pending, 1000 per second, 1000 at once/);

    const load = await signRecords(dev.ready, 100, 'a flood');
    const body = packTransactions(load.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>;
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await fetch(`${url}/v1/transactions/batch`, { method: 'POST', headers, body });
    type Result = { status?: string; error?: { code: string; status: number; retry: string; detail: string } };
    const { results } = (await answer.json()) as { results: Result[] };
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [202, '1']);
    assert.equal(results.filter(({ status }) => status === 'pending').length, 20);
    const { code, status, retry, detail } = results[99]!.error!;
    assert.deepEqual([code, status, retry], ['too-many-pending', 429, 'same']);
    assert.equal(detail, '20 transactions of this account are pending at this node, at most 20');

    // As a good client: the same bytes again, until all are taken. Nobody is told anything else than to wait.
    const rest = new Set(load.slice(20));
    await eventually(async () => {
      for (const one of [...rest].slice(0, 20)) {
        const response = await fetch(`${url}/v1/transactions`, {
          method: 'POST',
          headers,
          body: one.bytes as Uint8Array<ArrayBuffer>,
        });
        assert([200, 202, 429].includes(response.status), `${response.status}`);
        if (response.ok) rest.delete(one);
        await response.arrayBuffer();
      }
      return rest.size === 0;
    }, 'all of it was taken');
    for (const { id } of load) {
      const { status } = await getJson<{ status: string }>(`${url}/v1/transactions/${toHex(id)}?wait=final`);
      assert.equal(status, 'final');
    }

    assert.equal((await decide(['limits', 'writer', '--none'], four)).state, 'effective');
    const many = await signRecords(dev.ready, 100, 'as many as before');
    const again = await fetch(`${url}/v1/transactions/batch`, {
      method: 'POST',
      headers,
      body: packTransactions(many.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>,
    });
    const { results: all } = (await again.json()) as { results: Result[] };
    assert.deepEqual(
      all.filter(({ error }) => error !== undefined),
      [],
    );
  });
});
