import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '../ledger/codec.ts';
import { governanceProposalCodec } from '../ledger/modules/governance-change.ts';
import { writeKeyFile } from '../light/keystore/key-file.ts';
import { devSigner } from '../node/cli/accounts.ts';
import { parseConfig } from '../node/config.ts';
import { createSigner } from '../node/signatures.ts';
import { submitAndWait } from './load.ts';
import { type BenchNetwork, BIN } from './network.ts';
import { signCall } from './transfers.ts';

/** Organisations whose approvals admit an observer: three of four. One transaction each. */
export const APPROVING = ['acme', 'globex', 'initech'] as const;
const ANSWERS_MS = 60_000;

/** Lets three of the four organisations admit observers, and makes their files; the directories. */
export async function admitObservers(
  network: BenchNetwork,
  count: number,
  validUntil: number,
): Promise<readonly string[]> {
  const network0 = dirname(dirname(network.validators[0]!.config));
  const known = network.validators[1]!.config;
  const { bootstrap } = parseConfig(await readFile(known, 'utf8'), known).p2p;
  const p2p = `[p2p]\nlisten = ["/ip4/127.0.0.1/tcp/0"]\nbootstrap = ${JSON.stringify(bootstrap)}\n`;
  const approvals = [];
  const homes: string[] = [];
  for (let i = 0; i < count; i++) {
    const home = join(network0, `observer-${i}`);
    await mkdir(join(home, 'keys'), { recursive: true, mode: 0o700 });
    const { seed } = writeKeyFile(join(home, 'keys/peer.json'), 'peer', randomBytes(32));
    await writeFile(join(home, 'node.toml'), `genesis = "../genesis.json"\n${p2p}[api]\nport = 0\n`);
    const { publicKey: peerKey } = createSigner(seed);
    const value = { name: `observer-${i}`, organisation: 'acme', peerKey };
    const proposal = { nonce: randomBytes(8), expires: validUntil, change: { kind: 'observer' as const, value } };
    const args = governanceProposalCodec.toJson(proposal) as { [name: string]: Json };
    for (const organisation of APPROVING) {
      const signer = devSigner(`admin:${organisation}`);
      const account = { signer, publicKey: signer.publicKey };
      approvals.push(signCall(network, account, 'approve', args, i, validUntil, 'governance'));
    }
    homes.push(home);
  }
  await submitAndWait(network, 0, approvals);
  return homes;
}

export interface RunningObserver {
  readonly child: ChildProcess;
  readonly url: string;
}

/** Until it answers, whether it follows yet or not. */
export async function startObserver(home: string): Promise<RunningObserver> {
  const readyFile = join(home, 'ready.json');
  await rm(readyFile, { force: true });
  const args = [BIN, 'start', '--config', join(home, 'node.toml'), '--observer', '--ready-file', readyFile];
  const child = spawn(process.execPath, [...args, '--log-level', 'error'], { stdio: 'ignore' });
  for (const end = performance.now() + ANSWERS_MS; performance.now() < end; await delay(25)) {
    const text = await readFile(readyFile, 'utf8').catch(() => undefined);
    if (text !== undefined) return { child, url: JSON.parse(text).url };
  }
  child.kill('SIGKILL');
  throw new Error(`${home} does not answer after ${ANSWERS_MS / 1_000} s`);
}

export async function endObserver({ child }: RunningObserver): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
