import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type DelayProxy, startDelayProxy } from '../../bench/delayed-network.ts';

const DELAY_MS = 40;
const PIECE = 64 * 1024;
const PIECES = 256;
const SKIP = existsSync('/proc/net/tcp') ? false : 'who dialed a connection is read from /proc/net/tcp';

describe('the proxy that delays what validators send', () => {
  /** Sends back what it gets. */
  let echo: Server;
  let proxy: DelayProxy;
  let port: number;
  /** When bytes last came to the echo. */
  let arrivedAt = 0;
  const open: Socket[] = [];

  before(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => {
        arrivedAt = performance.now();
      });
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await startDelayProxy();
    [port] = (await proxy.ask({ kind: 'start', ports: [portOf(echo)] })).ports as [number];
  });

  after(() => {
    for (const socket of open) socket.destroy();
    proxy?.stop();
    echo?.close();
  });

  async function dial(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    open.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  /** How long a byte takes there, and back, in ms. */
  async function roundTrip(socket: Socket): Promise<readonly [number, number]> {
    const start = performance.now();
    socket.write('x');
    await once(socket, 'data');
    return [arrivedAt - start, performance.now() - arrivedAt];
  }

  it('holds bytes for the delay, both ways', async () => {
    const socket = await dial();
    await proxy.ask({ kind: 'delay', ms: 0 });
    await roundTrip(socket);
    await proxy.ask({ kind: 'delay', ms: DELAY_MS });
    const [there, back] = await roundTrip(socket);
    assert(there >= DELAY_MS - 2 && back >= DELAY_MS - 2, `${there} and ${back} ms`);
  });

  it('holds only what one member sends: what it dialed, and what it answers', { skip: SKIP }, async () => {
    const socket = await dial();
    for (const [index, pid, delayed] of [
      // Of neither end.
      [1, 1, []],
      // Of the end that dials, which is this process.
      [1, process.pid, ['there']],
      // Of the end that is dialed.
      [0, 1, ['back']],
    ] as const) {
      await proxy.ask({ kind: 'delay', ms: DELAY_MS, from: { index, pid } });
      const trips = [];
      for (let i = 0; i < 5; i++) trips.push(await roundTrip(socket));
      const least = { there: Math.min(...trips.map(([ms]) => ms)), back: Math.min(...trips.map(([, ms]) => ms)) };
      const held = (['there', 'back'] as const).filter((way) => least[way] >= DELAY_MS - 2);
      assert.deepEqual(held, delayed, `member ${index} of process ${pid}: ${JSON.stringify(least)}`);
    }
  });

  it('does not limit the rate: much more than fits one window is under way at once', async () => {
    await proxy.ask({ kind: 'delay', ms: 1_000 });
    const socket = await dial();
    let received = 0;
    let firstAt = 0;
    const all = new Promise<number>((resolve) => {
      socket.on('data', (bytes) => {
        firstAt ||= performance.now();
        received += bytes.length;
        if (received === PIECE * PIECES) resolve(performance.now() - firstAt);
      });
    });
    for (let i = 0; i < PIECES; i++) socket.write(new Uint8Array(PIECE).fill(i));
    // Held to a window of 1 MiB a second and way, 16 MiB would take 16 seconds.
    const ms = await all;
    assert(ms < 8_000, `16 MiB arrived within ${ms} ms`);
  });
});

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}
