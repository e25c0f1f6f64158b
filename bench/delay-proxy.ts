import { ownsPort } from './proxied-home.ts';
import { type ProxiedConnection, TcpProxy } from './tcp-proxy.ts';

/** What the bench asks of this process, one at a time. */
export type DelayRequest =
  /** Once: proxies in front of these ports of 127.0.0.1. Answered with theirs. */
  | { readonly kind: 'start'; readonly ports: readonly number[] }
  /** From now on all bytes are `ms` under way; `from`: only those that this member of the network sends. */
  | { readonly kind: 'delay'; readonly ms: number; readonly from?: { readonly index: number; readonly pid: number } };
export type DelayAnswer = { readonly ports: readonly number[] };

/** What a validator can send within a second or two: nothing waits for room here. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;

/**
 * A process of its own, so that its CPU counts as nobody else's: the network between the validators of one machine, with a
 * delay. It holds bytes for as long as it is told and does not limit their rate. Started by `startDelayed`, ends with it.
 */
const proxies: TcpProxy[] = [];

process.on('message', async (request: DelayRequest) => {
  if (request.kind === 'delay') setDelay(request);
  else for (const port of request.ports) proxies.push(await TcpProxy.start(port, HELD_BYTES_MAX));
  process.send!({ ports: proxies.map(({ port }) => port) } satisfies DelayAnswer);
});
process.on('disconnect', () => process.exit(0));

function setDelay({ ms, from }: Extract<DelayRequest, { kind: 'delay' }>): void {
  const dialed = new WeakMap<ProxiedConnection, boolean>();
  const isDialer = (connection: ProxiedConnection): boolean => {
    let found = dialed.get(connection);
    if (found === undefined) {
      found = from !== undefined && ownsPort(from.pid, connection.port);
      dialed.set(connection, found);
    }
    return found;
  };
  for (const [index, proxy] of proxies.entries()) {
    proxy.delayMs = (connection, toTarget) => {
      if (from === undefined) return ms;
      return (toTarget ? isDialer(connection) : index === from.index) ? ms : 0;
    };
  }
}
