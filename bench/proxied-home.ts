import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { openDevHome } from '../node/cli/dev-home.ts';

/**
 * Makes the files of a development network of four whose validators reach each other at the ports that `proxied` gives for
 * those at which they listen.
 */
export async function proxyHome(
  home: string,
  proxied: (ports: readonly number[]) => Promise<readonly number[]>,
): Promise<void> {
  const { nodes } = await openDevHome(home, 4, 0);
  const texts = await Promise.all(nodes.map(({ config }) => readFile(config, 'utf8')));
  const ports = await proxied(
    texts.map((text) => Number(/listen = \["\/ip4\/127\.0\.0\.1\/tcp\/(\d+)"/.exec(text)![1])),
  );
  for (const [i, { config }] of nodes.entries()) {
    const announced = texts[i]!.replace('[p2p]', `[p2p]\nannounce = ["/ip4/127.0.0.1/tcp/${ports[i]}"]`);
    await writeFile(config, announced.replace(/(bootstrap = .*tcp\/)\d+/, `$1${ports[0]}`));
  }
}

/** Whether a process has the socket that is bound to this port of the loopback interface (Linux). */
export function ownsPort(pid: number, port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const inodes = rows.map((row) => row.trim().split(/\s+/)).filter((row) => row[1] === address);
  const links = new Set(inodes.map((row) => `socket:[${row[9]}]`));
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return links.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
