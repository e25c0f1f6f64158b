import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { openDevHome } from '../../node/cli/dev-home.ts';
import { type Dev, startDev } from './processes.ts';
import { type ProxiedConnection, TcpProxy } from './tcp-proxy.ts';

/** A development network whose validators reach each other through our proxies only. */
export interface ProxiedNetwork {
  readonly dev: Dev;
  readonly proxies: readonly TcpProxy[];
  /** Nothing passes between these members from now on; nobody is told. */
  cut(cuts: (a: number, b: number) => boolean): void;
  heal(): void;
  stop(): Promise<void>;
}

/** Four real processes; which of them dialed a connection is read from /proc, so this runs on Linux only. */
export async function startProxied(home: string): Promise<ProxiedNetwork> {
  const { nodes: validators } = await openDevHome(home, 4, 0);
  const proxies: TcpProxy[] = [];
  const texts = await Promise.all(validators.map(({ config }) => readFile(config, 'utf8')));
  const ports = texts.map((text) => Number(/listen = \["\/ip4\/127\.0\.0\.1\/tcp\/(\d+)"/.exec(text)![1]));
  for (const port of ports) proxies.push(await TcpProxy.start(port));
  for (const [i, { config }] of validators.entries()) {
    const announced = texts[i]!.replace('[p2p]', `[p2p]\nannounce = ["/ip4/127.0.0.1/tcp/${proxies[i]!.port}"]`);
    await writeFile(config, announced.replace(/(bootstrap = .*tcp\/)\d+/, `$1${proxies[0]!.port}`));
  }
  const dev = await startDev(home);
  const dialers = new Map<ProxiedConnection, number>();
  const dialerOf = (connection: ProxiedConnection): number => {
    let dialer = dialers.get(connection);
    if (dialer === undefined) {
      dialer = dev.ready.validators.findIndex(({ pid }) => ownsPort(pid, connection.port));
      if (dialer >= 0) dialers.set(connection, dialer);
    }
    return dialer;
  };
  const hold = (cuts: (a: number, b: number) => boolean): void => {
    for (const [target, proxy] of proxies.entries()) {
      proxy.holds = (connection) => {
        const dialer = dialerOf(connection);
        return cuts(dialer, target) || cuts(target, dialer);
      };
    }
    for (const proxy of proxies) proxy.update();
  };
  return {
    dev,
    proxies,
    cut: hold,
    heal: () => hold(() => false),
    async stop() {
      await dev.stop();
      for (const proxy of proxies) await proxy.close();
    },
  };
}

/** Whether a process has the socket that is bound to this port of the loopback interface. */
function ownsPort(pid: number, port: number): boolean {
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
