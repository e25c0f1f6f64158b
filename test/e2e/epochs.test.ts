import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
import { accountNamed } from '../../node/cli/accounts.ts';
import { writeKeyFile } from '../../node/key-file.ts';
import { chooseSignatures, createSigner, type Signer } from '../../node/signatures.ts';
import {
  assertSameChain,
  type Dev,
  eventually,
  getJson,
  startDev,
  startQuorate,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';

const { verify } = chooseSignatures();
const ORGANISATIONS = ['acme', 'globex', 'initech', 'umbrella'];

interface Machine {
  readonly name: string;
  readonly home: string;
  readonly peerKey: Uint8Array;
  readonly key: Signer;
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
  const joined: { readonly name: string; readonly url: string }[] = [];
  const accepted: string[] = [];
  let urls: string[];
  let loading = true;
  let load: Promise<void>;

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    urls = dev.ready.validators.map(({ url }) => url);
    genesis = await readFile(dev.ready.genesisFile, 'utf8');
    load = submitAllTheTime();
  });

  after(async () => {
    loading = false;
    await load;
    for (const child of processes) await stopProcess(child);
    await dev?.stop();
    await folder?.remove();
  });

  async function sign(signer: Signer, module: string, action: string, json: Json): Promise<Transaction> {
    const args = quorateApplication.argsFromJson(module, action, json);
    assert(args.ok, args.ok ? '' : args.problem);
    const { time } = await getJson<{ time: number }>(`${urls[0]}/v1/chain`);
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
    return (await response.json()) as { status?: string; code?: string; receipt?: { code: string } };
  }

  /** A client that goes on whatever happens to the set. What was accepted counts. */
  async function submitAllTheTime(): Promise<void> {
    const { signer } = accountNamed('writer');
    for (let i = 0; loading; i++) {
      try {
        const digest = `0x${'ab'.repeat(32)}`;
        const transaction = await sign(signer, 'records', 'register', { key: `load ${i}`, digest, note: '' });
        const { status } = await post(urls[i % urls.length]!, transaction);
        if (status === 'pending') accepted.push(toHex(transaction.id));
      } catch {
        // That node is being started again.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Approves by as many organisations as it takes, and gives the proposal's id. */
  async function decide(
    change: GovernanceChange,
    voters: readonly string[] = ORGANISATIONS.slice(0, 3),
  ): Promise<string> {
    const { time } = await getJson<{ time: number }>(`${urls[0]}/v1/chain`);
    const proposal = { nonce: randomBytes(8), expires: time + 600_000, change };
    for (const [i, organisation] of voters.entries()) {
      const { signer } = accountNamed(`admin:${organisation}`);
      const transaction = await sign(signer, 'governance', 'approve', governanceProposalCodec.toJson(proposal) as Json);
      const { status, code, receipt } = await post(urls[i % 2]!, transaction, 'final');
      assert.equal(status, 'final', `${change.kind}: ${code ?? receipt?.code}`);
    }
    return toHex(governanceProposalId(proposal));
  }

  const epochs = (): Promise<number[]> =>
    Promise.all(urls.map(async (url) => (await getJson<Status>(`${url}/v1/status`)).chain.epoch));

  async function reached(epoch: number): Promise<void> {
    await eventually(async () => (await epochs()).every((one) => one >= epoch), `epoch ${epoch} everywhere`);
    await eventually(
      async () =>
        (await Promise.all(urls.map((url) => getJson<Status>(`${url}/v1/status`)))).every(
          ({ consensus }) => consensus.mode === 'active',
        ),
      'everybody votes',
    );
  }

  /** A new machine: keys, a configuration that knows one address, and a process that follows. */
  async function prepare(name: string): Promise<Machine> {
    const home = join(folder.path, name);
    await mkdir(join(home, 'keys'), { recursive: true, mode: 0o700 });
    const key = createSigner(writeKeyFile(join(home, 'keys/consensus.json'), 'consensus', randomBytes(32)).seed);
    const peer = createSigner(writeKeyFile(join(home, 'keys/peer.json'), 'peer', randomBytes(32)).seed);
    const known = await readFile(dev.ready.validators[1]!.config, 'utf8');
    const config = [
      `genesis = "${dev.ready.genesisFile}"`,
      'observer = true',
      '[p2p]',
      'listen = ["/ip4/127.0.0.1/tcp/0"]',
      /bootstrap = .*/.exec(known)![0],
      '[api]',
      'port = 0',
    ];
    await writeFile(join(home, 'node.toml'), config.join('\n'));
    return { name, home, peerKey: peer.publicKey, key };
  }

  /** Its address. */
  async function run({ home, name }: Machine): Promise<string> {
    const readyFile = join(home, 'ready.json');
    const child = startQuorate(['start', '--config', join(home, 'node.toml'), '--ready-file', readyFile]);
    child.stdout!.resume();
    child.stderr!.resume();
    processes.push(child);
    await eventually(async () => (await readFile(readyFile, 'utf8')) !== '', `${name} runs`);
    return JSON.parse(await readFile(readyFile, 'utf8')).url;
  }

  it('grows from four to seven under load, one by one', { timeout: 120_000 }, async () => {
    for (const [i, name] of ['fifth', 'sixth', 'seventh'].entries()) {
      const machine = await prepare(name);
      const add = [{ name, organisation: ORGANISATIONS[i]!, key: machine.key.publicKey, peerKey: machine.peerKey }];
      const id = await decide({ kind: 'validators', value: { add, remove: [], shrinksTo: 0 } });
      const url = await run(machine);
      let ready: Json = null;
      await eventually(async () => {
        ready = await getJson<Json>(`${url}/v1/candidacy`);
        return true;
      }, `${name} follows`);
      const { signer } = accountNamed('admin:acme');
      const activation = await sign(signer, 'governance', 'activate', { proposal: id, ready: [ready] });
      const { status, code, receipt } = await post(urls[0]!, activation, 'final');
      assert.equal(status, 'final', code ?? receipt?.code);
      urls.push(url);
      joined.push({ name, url });
      await reached(i + 1);
      const { items } = await getJson<Validators>(`${url}/v1/validators`);
      assert.equal(items.length, 5 + i);
      assert.equal((await getJson<Status>(`${url}/v1/status`)).index, 4 + i);
    }
  });

  it('a validator gets another consensus key, by its own organisation alone', { timeout: 60_000 }, async () => {
    const own = dev.ready.validators[2]!;
    const home = join(dev.ready.home, own.name);
    const next = createSigner(writeKeyFile(join(home, 'keys/next.json'), 'consensus', randomBytes(32)).seed);
    const config = await readFile(own.config, 'utf8');
    await writeFile(own.config, config.replace('[keys]', '[keys]\nnext = "keys/next.json"'));
    process.kill(own.pid, 'SIGKILL');
    await eventually(
      async () =>
        !(await fetch(own.url).then(
          () => true,
          () => false,
        )),
      'it is down',
    );
    processes.push(await startValidator(own));
    const { items } = await getJson<Validators>(`${urls[0]}/v1/validators`);
    const { key } = items.find(({ name }) => name === own.name)!;
    const peer = JSON.parse(genesis).validators.find(({ name }: { name: string }) => name === own.name).peerKey;
    const [oldKey, peerKey] = [fromHex(key)!, fromHex(peer)!];
    const validator = { name: own.name, organisation: own.name, key: next.publicKey, peerKey };
    const possession = next.sign(rotationMessage(fromHex(dev.ready.genesisId)!, validator));
    await decide({ kind: 'rotate', value: { key: oldKey, next: next.publicKey, peerKey, possession } }, [own.name]);
    await reached(4);
    const now = await getJson<Validators>(`${own.url}/v1/validators`);
    assert.equal(now.items.find(({ name }) => name === own.name)!.key, toHex(next.publicKey));
  });

  it('shrinks to four again, and loses and repeats no transaction; proofs of every epoch verify', {
    timeout: 120_000,
  }, async () => {
    const first = await (await fetch(`${urls[0]}/v1/blocks/1/proof`)).text();
    for (const [i, node] of joined.toReversed().entries()) {
      const { items } = await getJson<Validators>(`${urls[0]}/v1/validators`);
      const key = fromHex(items.find(({ name }) => name === node.name)!.key)!;
      await decide({ kind: 'validators', value: { add: [], remove: [key], shrinksTo: items.length === 7 ? 6 : 0 } });
      urls = urls.filter((url) => url !== node.url);
      await reached(5 + i);
      assert.equal((await getJson<Validators>(`${urls[0]}/v1/validators`)).items.length, 6 - i);
    }
    loading = false;
    await load;
    assert(accepted.length > 100, `${accepted.length} transactions`);
    await assertSameChain(urls);
    // What only a removed node had accepted it handed to the others before.
    const lost: string[] = [];
    for (const id of accepted) {
      const { status } = await getJson<{ status: string }>(
        `${urls[1]}/v1/transactions/${id}?wait=final&timeoutMs=20000`,
      );
      if (status !== 'final') lost.push(`${id} ${status}`);
    }
    assert.deepEqual(lost, []);
    const client = createLightClient({ genesis, urls });
    const { validators } = await client.follow();
    assert.equal(validators.length, 4);
    const last = await (await fetch(`${urls[3]}/v1/transactions/${accepted.at(-1)}/proof`)).text();
    for (const bundle of [first, last]) assert(verifyBundle(bundle, genesis, { verify }).ok, bundle.slice(0, 200));
  });
});
