import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../../node/config.ts';
import { type DevReady, eventually, quorate } from './processes.ts';

/** More nodes beside those of a development network, made as the runbooks say. */

/** The public key of a new key file. */
export async function newKey(file: string, kind: string): Promise<string> {
  const { code, stdout, stderr } = await quorate('keys', 'new', file, '--kind', kind, '--json');
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { publicKey: string }).publicKey;
}

export interface NewNode {
  /** Its node.toml. */
  readonly config: string;
  readonly key: string;
  readonly peerKey: string;
}

/** A node's directory in the home of a network, with new keys, which finds the others by the second validator. */
export async function makeNode({ home, validators }: DevReady, directory: string): Promise<NewNode> {
  const own = join(home, directory);
  await mkdir(join(own, 'keys'), { recursive: true, mode: 0o700 });
  const key = await newKey(join(own, 'keys/consensus.json'), 'consensus');
  const peerKey = await newKey(join(own, 'keys/peer.json'), 'peer');
  const { config: known } = validators[1]!;
  const { p2p } = parseConfig(await readFile(known, 'utf8'), known);
  const bootstrap = JSON.stringify([...p2p.listen, ...p2p.bootstrap]);
  const config = join(own, 'node.toml');
  const section = `[p2p]\nlisten = ["/ip4/127.0.0.1/tcp/0"]\nbootstrap = ${bootstrap}\n`;
  await writeFile(config, `genesis = "../genesis.json"\n${section}[api]\nport = 0\n`);
  return { config, key, peerKey };
}

/** Sends a signal, and waits until the process is gone. */
export async function endProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  process.kill(pid, signal);
  await eventually(async () => !isRunning(pid), `process ${pid} ends`);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
