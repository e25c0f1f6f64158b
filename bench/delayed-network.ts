import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DelayAnswer, DelayRequest } from './delay-proxy.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { proxyHome } from './proxied-home.ts';

/** A network whose validators reach each other through a process that delays what they send. */
export interface DelayedNetwork extends BenchNetwork {
  readonly proxyPid: number;
  /** One-way delay between all validators from now on; `from`: only of what this one sends. At first 0 ms. */
  setDelay(ms: number, from?: BenchNetwork['validators'][number]): Promise<void>;
}

const PROXY = fileURLToPath(new URL('delay-proxy.ts', import.meta.url));

/** The process that delays. */
export interface DelayProxy {
  readonly pid: number;
  /** One at a time. */
  ask(request: DelayRequest): Promise<DelayAnswer>;
  stop(): void;
}

export async function startDelayProxy(): Promise<DelayProxy> {
  const proxy = fork(PROXY, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(proxy, 'exit').then(([code]) => Promise.reject(new Error(`the proxy ended with ${code}`)));
  // Of interest to who asks only.
  ended.catch(() => {});
  await once(proxy, 'spawn');
  return {
    pid: proxy.pid!,
    async ask(request) {
      proxy.send(request);
      const [answer] = await Promise.race([once(proxy, 'message'), ended]);
      return answer as DelayAnswer;
    },
    stop: () => proxy.disconnect(),
  };
}

export async function startDelayed(): Promise<DelayedNetwork> {
  const proxy = await startDelayProxy();
  try {
    const network = await startNetwork({
      prepare: (home) => proxyHome(home, async (ports) => (await proxy.ask({ kind: 'start', ports })).ports),
    });
    return {
      ...network,
      proxyPid: proxy.pid,
      async setDelay(ms, from) {
        await proxy.ask({ kind: 'delay', ms, ...(from && { from: { index: from.index, pid: from.pid } }) });
      },
      async stop() {
        await network.stop();
        proxy.stop();
      },
    };
  } catch (error) {
    proxy.stop();
    throw error;
  }
}
