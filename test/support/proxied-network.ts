import { ownsPort, proxyHome } from '../../bench/proxied-home.ts';
import { type ProxiedConnection, TcpProxy } from '../../bench/tcp-proxy.ts';
import { type Dev, startDev } from './processes.ts';

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
  const proxies: TcpProxy[] = [];
  await proxyHome(home, async (ports) => {
    for (const port of ports) proxies.push(await TcpProxy.start(port));
    return proxies.map(({ port }) => port);
  });
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
