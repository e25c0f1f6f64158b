import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import {
  assertAgreement,
  type Dev,
  type DevValidator,
  eventually,
  getJson,
  startDev,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

const BYZANTINE = fileURLToPath(new URL('../support/byzantine-node.ts', import.meta.url));
const STRATEGIES = ['silent', 'equivocate', 'censor', 'slow'] as const;
/** Index of the faulty member in the set. */
const FAULTY = 1;

interface Consensus {
  readonly view: number;
  readonly leader: number;
  readonly mode: string;
}

describe('a leader that fails, as real processes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  const children = new Map<number, ChildProcess>();
  const loads = new Map<string, readonly Transaction[]>();

  beforeEach(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    // All at first: the node that tells the chain's time will not always be there.
    for (const name of ['before', 'without the leader', 'after', ...STRATEGIES]) {
      loads.set(name, await signRecords(dev.ready, 24, name));
    }
  });

  afterEach(async () => {
    for (const child of children.values()) await stopProcess(child, 'SIGKILL');
    children.clear();
    await dev?.stop();
    await folder?.remove();
  });

  const kill = async (index: number): Promise<void> => {
    const child = children.get(index);
    if (child !== undefined) await stopProcess(child, 'SIGKILL');
    else process.kill(dev.ready.validators[index]!.pid, 'SIGKILL');
  };
  const restart = async (index: number): Promise<void> => {
    children.set(index, await startValidator(dev.ready.validators[index]!));
  };
  /** Asked again: a connection that is kept alive may be to a process that was killed. */
  const consensus = async ({ url, name }: DevValidator): Promise<Consensus> => {
    let answer: Consensus | undefined;
    await eventually(async () => {
      answer = await getJson<Consensus>(`${url}/v1/consensus`);
      return true;
    }, `${name} answers`);
    return answer!;
  };
  const correct = (): readonly DevValidator[] => dev.ready.validators.filter(({ index }) => index !== FAULTY);

  /** Submits to correct validators, and all of it becomes final at each of them. */
  async function allFinal(name: string, among = correct()): Promise<void> {
    const urls = among.map(({ url }) => url);
    const load = loads.get(name)!;
    for (const [i, url] of urls.entries()) {
      const body = packTransactions(load.filter((_, at) => at % urls.length === i).map(({ bytes }) => bytes));
      const headers = { 'content-type': 'application/octet-stream' };
      await eventually(async () => {
        const request = { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> };
        return (await fetch(`${url}/v1/transactions/batch`, request)).ok;
      }, `${url} accepts`);
    }
    for (const { id } of load) {
      await eventually(
        async () => {
          const path = `/v1/transactions/${toHex(id)}?wait=final&timeoutMs=5000`;
          return (await getJson<{ status: string }>(urls[0] + path)).status === 'final';
        },
        `${name}: ${toHex(id)} is final`,
      );
    }
    await assertAgreement(urls);
  }

  it('killed: the others go on without it, and it comes back', async () => {
    const [first] = dev.ready.validators;
    await allFinal('before');
    await kill(0);
    await allFinal('without the leader', dev.ready.validators.slice(2));
    assert((await consensus(dev.ready.validators[2]!)).view > 0);
    await restart(0);
    await allFinal('after');
    assert((await consensus(first!)).view > 0);
  });

  for (const strategy of STRATEGIES) {
    it(`${strategy}: what correct validators accept becomes final all the same`, async () => {
      const faulty = dev.ready.validators[FAULTY]!;
      await kill(FAULTY);
      const child = spawn(process.execPath, [BYZANTINE, faulty.config, strategy, dev.ready.genesisId], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.set(FAULTY, child);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await delay(500);
      await makeLeader(FAULTY);
      child.kill('SIGUSR2');
      await allFinal(strategy);
      if (strategy !== 'equivocate') return;
      await eventually(async () => {
        const { items } = await getJson<{ items: { member: number }[] }>(`${correct()[0]!.url}/v1/evidence`);
        return items.some(({ member }) => member === FAULTY);
      }, 'the evidence is kept');
    });
  }

  /** Kills and restarts correct leaders until the view is this one's. */
  async function makeLeader(index: number): Promise<void> {
    for (let tries = 0; tries < 8; tries++) {
      const witness = correct()[tries % 3]!;
      const { leader } = await consensus(witness);
      if (leader === index) return;
      await kill(leader);
      const other = correct().find((one) => one.index !== leader)!;
      await eventually(async () => (await consensus(other)).leader !== leader, 'the next view');
      await restart(leader);
    }
  }
});
