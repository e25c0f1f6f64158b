import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import {
  type GovernanceChange,
  governanceProposalCodec,
  governanceProposalId,
} from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { rotationMessage } from '../../ledger/ready.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { createLightClient, verifyBundle } from '../../light/index.ts';
import { readKeyFile, writeKeyFile } from '../../light/keystore/key-file.ts';
import { devSigner } from '../../node/cli/accounts.ts';
import { chooseSignatures, createSigner, type Signer } from '../../node/signatures.ts';
import { openEvents } from '../support/events.ts';
import {
  assertSameChain,
  type Dev,
  eventually,
  getJson,
  startDev,
  startQuorate,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';

const { verify } = chooseSignatures();
const ORGANISATIONS = ['acme', 'globex', 'initech', 'umbrella'];

/** One process of the network, whoever began it. */
interface Node {
  readonly name: string;
  readonly organisation: string;
  readonly home: string;
  url: string;
  pid: number;
  /** Clients leave it alone, since it is being started again. */
  resting: boolean;
}
interface Validators {
  readonly items: readonly { readonly name: string; readonly key: string }[];
}
interface Status {
  readonly index?: number;
  readonly chain: { readonly epoch: number; readonly height: number };
  readonly consensus: { readonly mode: string };
}

describe('epochs over real processes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let genesis: string;
  let nonce = 0;
  const processes: ChildProcess[] = [];
  let nodes: Node[];
  let epoch = 0;
  /** A proof of block 1, made in the first epoch. */
  let first: string;
  const accepted: string[] = [];
  let loading = false;
  let load = Promise.resolve();

  before(async () => {
    folder = await temporaryFolder();
    process.env.NODE_OPTIONS = `--import=${new URL('../support/clock-ahead.ts', import.meta.url)}`;
    dev = await startDev(join(folder.path, 'network'));
    nodes = dev.ready.validators.map(({ name, config, url, pid }) => {
      return { name, organisation: name, home: dirname(config), url, pid, resting: false };
    });
    genesis = await readFile(dev.ready.genesisFile, 'utf8');
    startLoad();
    await eventually(async () => {
      first = await (await fetch(`${nodes[0]!.url}/v1/blocks/1/proof`)).text();
      return verifyBundle(first, genesis, { verify }).ok;
    }, 'a proof of the first epoch');
    assert.equal(await epochOf(nodes[0]!), 0);
  });

  after(async () => {
    await stopLoad();
    for (const child of processes) await stopProcess(child);
    await dev?.stop();
    await folder?.remove();
  });

  async function sign(signer: Signer, module: string, action: string, json: Json): Promise<Transaction> {
    const args = quorateApplication.argsFromJson(module, action, json);
    assert(args.ok, args.ok ? '' : args.problem);
    const { time } = await getJson<{ time: number }>(`${awake()[0]!.url}/v1/chain`);
    const nonceBytes = new Uint8Array(8);
    new DataView(nonceBytes.buffer).setUint32(0, nonce++);
    const calls = [{ module, action, args: args.value }];
    const memo = new Uint8Array(0);
    const body = { sender: signer.publicKey, nonce: nonceBytes, validUntil: time + 600_000, calls, memo };
    return signTransaction(fromHex(dev.ready.genesisId)!, body, (message) => signer.sign(message));
  }

  async function post(url: string, { bytes }: Transaction, wait = 'none') {
    const response = await fetch(`${url}/v1/transactions?wait=${wait}&timeoutMs=20000`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    const answer = (await response.json()) as { status?: string | number; code?: string; receipt?: { code: string } };
    return { ...answer, httpStatus: response.status };
  }

  /** Sent again while the node says that it can't take it at the moment, as it may while it catches up. */
  async function postUntilTaken(url: string, transaction: Transaction) {
    let answer: Awaited<ReturnType<typeof post>>;
    await eventually(async () => {
      answer = await post(url, transaction, 'final');
      return answer.httpStatus !== 503;
    }, `${url} takes it`);
    return answer!;
  }

  const awake = (): readonly Node[] => nodes.filter(({ resting }) => !resting);
  const epochOf = async ({ url }: Node): Promise<number> => (await getJson<Status>(`${url}/v1/status`)).chain.epoch;

  /** A client that goes on whatever happens to the set. What was accepted counts. */
  async function submitAllTheTime(): Promise<void> {
    const signer = devSigner('writer');
    while (loading) {
      try {
        const digest = `0x${'ab'.repeat(32)}`;
        const transaction = await sign(signer, 'records', 'register', { key: `load ${nonce}`, digest, note: '' });
        const { status } = await post(awake()[nonce % awake().length]!.url, transaction);
        if (status === 'pending') accepted.push(toHex(transaction.id));
      } catch {
        // That node is being started again.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  function startLoad(): void {
    loading = true;
    load = submitAllTheTime();
  }

  async function stopLoad(): Promise<void> {
    loading = false;
    await load;
  }

  const statusOf = async (id: string): Promise<string> => {
    const path = `/v1/transactions/${id}?wait=final&timeoutMs=20000`;
    return (await getJson<{ status: string }>(`${awake()[1]!.url}${path}`)).status;
  };

  /** What one node has accepted others know a moment later. */
  async function newestIsFinal(): Promise<void> {
    const id = accepted.at(-1)!;
    await eventually(async () => (await statusOf(id)) === 'final', `${id} is final`);
  }

  /** Approves by as many organisations as it takes, and gives the proposal's id. */
  async function decide(
    change: GovernanceChange,
    voters: readonly string[] = ORGANISATIONS.slice(0, 3),
  ): Promise<string> {
    const { time } = await getJson<{ time: number }>(`${nodes[0]!.url}/v1/chain`);
    const proposal = { nonce: randomBytes(8), expires: time + 600_000, change };
    for (const [i, organisation] of voters.entries()) {
      const signer = devSigner(`admin:${organisation}`);
      const transaction = await sign(signer, 'governance', 'approve', governanceProposalCodec.toJson(proposal) as Json);
      const { status, code, receipt } = await postUntilTaken(nodes[i % 2]!.url, transaction);
      assert.equal(status, 'final', `${change.kind}: ${code ?? receipt?.code}`);
    }
    return toHex(governanceProposalId(proposal));
  }

  /** The next one, at every node that is a member. */
  async function nextEpoch(): Promise<void> {
    epoch++;
    await eventually(
      async () => (await Promise.all(nodes.map(epochOf))).every((one) => one === epoch),
      `epoch ${epoch} everywhere`,
    );
    await Promise.all(nodes.map(votes));
  }

  async function votes({ url, name }: Node): Promise<void> {
    await eventually(
      async () => (await getJson<Status>(`${url}/v1/status`)).consensus.mode === 'active',
      `${name} votes`,
    );
  }

  async function members(at = nodes[0]!): Promise<Validators['items']> {
    return (await getJson<Validators>(`${at.url}/v1/validators`)).items;
  }

  /** A new machine: keys, and a configuration that knows one address. */
  async function prepare(name: string, organisation: string): Promise<Node> {
    const home = join(folder.path, name);
    await mkdir(join(home, 'keys'), { recursive: true, mode: 0o700 });
    for (const kind of ['consensus', 'peer'] as const)
      writeKeyFile(join(home, `keys/${kind}.json`), kind, randomBytes(32));
    const known = await readFile(dev.ready.validators[1]!.config, 'utf8');
    const config = [
      `genesis = "${dev.ready.genesisFile}"`,
      'observer = true',
      '[keys]',
      'consensus = "keys/consensus.json"',
      '[p2p]',
      'listen = ["/ip4/127.0.0.1/tcp/0"]',
      /bootstrap = .*/.exec(known)![0],
      '[api]',
      'port = 0',
    ];
    await writeFile(join(home, 'node.toml'), config.join('\n'));
    return { name, organisation, home, url: '', pid: 0, resting: false };
  }

  async function run(node: Node): Promise<void> {
    const readyFile = join(node.home, 'ready.json');
    await rm(readyFile, { force: true });
    const child = startQuorate(['start', '--config', join(node.home, 'node.toml'), '--ready-file', readyFile]);
    child.stdout!.resume();
    child.stderr!.resume();
    processes.push(child);
    await eventually(async () => (await readFile(readyFile, 'utf8')) !== '', `${node.name} runs`);
    node.url = JSON.parse(await readFile(readyFile, 'utf8')).url;
    node.pid = child.pid!;
  }

  /** Its process ends without a word, once others have what it accepted; another one begins with its files. */
  async function restart(node: Node): Promise<void> {
    node.resting = true;
    await newestIsFinal();
    process.kill(node.pid, 'SIGKILL');
    const isUp = (): Promise<boolean> =>
      fetch(node.url).then(
        () => true,
        () => false,
      );
    await eventually(async () => !(await isUp()), 'it is down');
    await run(node);
    await votes(node);
    node.resting = false;
  }

  const keyFile = ({ home }: Node, name: string): string => join(home, `keys/${name}.json`);

  /** By its own organisation alone: another consensus key for a validator. */
  async function propose(node: Node, next: Signer): Promise<void> {
    const { name, organisation } = node;
    const { publicKey: key } = readKeyFile(keyFile(node, 'consensus'), 'consensus');
    const { publicKey: peerKey } = readKeyFile(keyFile(node, 'peer'), 'peer');
    const rotated = { name, organisation, key: next.publicKey, peerKey };
    const possession = next.sign(rotationMessage(fromHex(dev.ready.genesisId)!, rotated));
    await decide({ kind: 'rotate', value: { key, next: next.publicKey, peerKey, possession } }, [organisation]);
  }

  /** As docs/operations.md says: the next key is made known to the node, proposed, and then its only one. */
  async function rotate(node: Node): Promise<void> {
    const next = createSigner(writeKeyFile(keyFile(node, 'next'), 'consensus', randomBytes(32)).seed);
    const file = join(node.home, 'node.toml');
    const config = await readFile(file, 'utf8');
    await writeFile(file, config.replace('[keys]', '[keys]\nnext = "keys/next.json"'));
    await restart(node);
    await propose(node, next);
    await nextEpoch();
    assert.equal((await members(node)).find(({ name }) => name === node.name)!.key, toHex(next.publicKey));
    await writeFile(file, config.replace('keys/consensus.json', 'keys/next.json'));
    await rm(keyFile(node, 'consensus'));
  }

  it('grows from four to seven under load, one by one', { timeout: 300_000 }, async () => {
    for (const [i, name] of ['fifth', 'sixth', 'seventh'].entries()) {
      const node = await prepare(name, ORGANISATIONS[i]!);
      const { publicKey: key } = readKeyFile(keyFile(node, 'consensus'), 'consensus');
      const { publicKey: peerKey } = readKeyFile(keyFile(node, 'peer'), 'peer');
      const add = [{ name, organisation: node.organisation, key, peerKey }];
      const id = await decide({ kind: 'validators', value: { add, remove: [], shrinksTo: 0 } });
      await run(node);
      let ready: Json = null;
      await eventually(async () => {
        ready = await getJson<Json>(`${node.url}/v1/candidacy`);
        return true;
      }, `${name} follows`);
      const signer = devSigner('admin:acme');
      const activation = await sign(signer, 'governance', 'activate', { proposal: id, ready: [ready] });
      const { status, code, receipt } = await postUntilTaken(nodes[0]!.url, activation);
      assert.equal(status, 'final', code ?? receipt?.code);
      nodes.push(node);
      await nextEpoch();
      assert.equal((await members()).length, 5 + i);
      assert.equal((await getJson<Status>(`${node.url}/v1/status`)).index, 4 + i);
    }
  });

  it('every one of the four of genesis gets another consensus key, each by its own organisation alone', {
    timeout: 300_000,
  }, async () => {
    for (const node of nodes.slice(0, 4)) await rotate(node);
  });

  it('an hour later so does each that has joined, and not before', { timeout: 300_000 }, async () => {
    await assert.rejects(propose(nodes[4]!, createSigner(randomBytes(32))), /rotate: rotated-recently/);
    // What waits would be over in an hour.
    await stopLoad();
    await newestIsFinal();
    process.env.CLOCK_AHEAD_MS = '3600000';
    const { time } = await getJson<{ time: number }>(`${nodes[0]!.url}/v1/chain`);
    for (const { pid } of nodes) process.kill(pid, 'SIGUSR2');
    startLoad();
    await eventually(async () => {
      const { header } = await getJson<{ header: { timestamp: number } }>(`${nodes[0]!.url}/v1/blocks/latest`);
      return header.timestamp >= time + 3_600_000;
    }, 'an hour has passed');
    for (const node of nodes.slice(4)) await rotate(node);
    const keys = (await members()).map((one) => one.key);
    for (const { key: old } of JSON.parse(genesis).validators) assert(!keys.includes(old));
  });

  it('shrinks to four again, and loses and repeats no transaction; proofs of every epoch verify', {
    timeout: 300_000,
  }, async () => {
    for (const left of [6, 5, 4]) {
      const node = nodes.pop()!;
      const key = fromHex((await members()).find(({ name }) => name === node.name)!.key)!;
      await decide({ kind: 'validators', value: { add: [], remove: [key], shrinksTo: left === 6 ? 6 : 0 } });
      await nextEpoch();
      assert.equal((await members()).length, left);
    }
    await stopLoad();
    assert(accepted.length > 500, `${accepted.length} transactions`);
    const urls = nodes.map(({ url }) => url);
    await assertSameChain(urls);
    // What only a removed node had accepted it handed to the others before.
    const lost: string[] = [];
    for (const id of accepted) {
      const status = await statusOf(id);
      if (status !== 'final') lost.push(`${id} ${status}`);
    }
    assert.deepEqual(lost, []);
    await assertOnce(urls[0]!, accepted);
    await assertSameEvents(urls);
    const client = createLightClient({ genesis, urls });
    const position = await client.follow();
    assert.equal(position.epoch, 13);
    assert.equal(position.certificate.checkpoint.epoch, 13);
    assert.deepEqual(
      position.validators.map(({ key }) => toHex(key)),
      (await members()).map(({ key }) => key),
    );
    const last = await (await fetch(`${urls[3]}/v1/transactions/${accepted.at(-1)}/proof`)).text();
    for (const bundle of [first, last]) assert(verifyBundle(bundle, genesis, { verify }).ok, bundle.slice(0, 200));
  });
});

/** H15: every node gives the same events with the same ids, and they tell where each epoch ends and who is in the next. */
async function assertSameEvents(urls: readonly string[]): Promise<void> {
  const { finalHeight } = await getJson<{ finalHeight: number }>(`${urls[0]}/v1/chain`);
  const [first, ...others] = await Promise.all(
    urls.map(async (url) => {
      await using reader = await openEvents(url, '?topics=block,transaction,event,checkpoint,epoch&from=1');
      // Awaited here: the reader ends with this function.
      return await reader.until(`${finalHeight}.0`);
    }),
  );
  for (const events of others) assert.deepEqual(events, first);
  const ends = first!.filter(({ event }) => event === 'epoch').map(({ data }) => data);
  const { items } = await getJson<Validators>(`${urls[0]}/v1/validators`);
  assert.deepEqual(
    ends.map(({ epoch }) => epoch),
    Array.from({ length: 13 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    (ends.at(-1)!.validators as Validators['items']).map(({ key }) => key),
    items.map(({ key }) => key),
  );
  let epoch = 0;
  for (const { event, data } of first!) {
    if (event === 'checkpoint') assert.equal(data.epoch, epoch, `block ${data.height}`);
    if (event === 'epoch') epoch++;
  }
}

/** Every one of these is in exactly one block, and so is everything else. */
async function assertOnce(url: string, ids: readonly string[]): Promise<void> {
  const { height } = await getJson<{ height: number }>(`${url}/v1/chain`);
  const seen = new Set<string>();
  for (let from = 1; from <= height; from += 32) {
    const heights = Array.from({ length: Math.min(32, height + 1 - from) }, (_, i) => from + i);
    const blocks = await Promise.all(heights.map((at) => getJson<Block>(`${url}/v1/blocks/${at}`)));
    for (const { id } of blocks.flatMap(({ transactions }) => transactions)) {
      assert(!seen.has(id), `${id} is there twice`);
      seen.add(id);
    }
  }
  for (const id of ids) assert(seen.has(id), `${id} is in no block`);
}

interface Block {
  readonly transactions: readonly { readonly id: string }[];
}
