import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import type { Application } from '../ledger/application.ts';
import { createApp } from './app.ts';
import { answerUnreadable } from './client-errors.ts';
import { Gate } from './gate.ts';
import { SERVER_LIMITS, type ServerLimits } from './limits.ts';
import { OpenRequests } from './open-requests.ts';
import type { BuiltPage, NodePort } from './ports.ts';

export interface ApiOptions {
  readonly node: NodePort;
  readonly application: Application;
  /** On which people verify proofs. Undefined where it was not built: `/verify` says so then. */
  readonly verifyPage: BuiltPage | undefined;
  /** On which people read and try the API, at `/docs`. */
  readonly docsPage: BuiltPage | undefined;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Origins (`https://app.example`) whose pages may read answers; without them no other origin is let in. */
  readonly origins?: readonly string[];
  readonly log: { error(fields: object, message: string): void };
  readonly limits?: Partial<ServerLimits>;
}

/** What the server holds at this moment, and what it has refused since its start because it held too much. */
export interface ApiCounts {
  readonly connections: number;
  readonly requests: number;
  /** Transactions that requests wait for. */
  readonly waits: number;
  readonly bodyBytes: number;
  readonly connectionsRefused: number;
  readonly requestsRefused: number;
}

export interface Api {
  readonly url: string;
  counts(): Promise<ApiCounts>;
  /** Takes no more requests, wakes those that wait, and lets answers in work finish for a moment. */
  close(): Promise<void>;
}

/** Serves the route table over HTTP. Resolves when it listens; rejects when the address can't be taken. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const open = new OpenRequests();
  const gates = {
    waiting: new Gate('waits', limits.waitingMax),
    dryRuns: new Gate('dry-runs', limits.dryRunsMax),
    streams: new Gate('event streams', limits.streamsMax),
    bodies: new Gate('bytes of bodies', limits.bodiesBytesMax),
  };
  const handle = createApp(options, limits, open, gates).callback();
  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.timeoutCheckMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Checked by the application, which answers with a problem.
    requireHostHeader: false,
  });
  server.maxConnections = limits.connectionsMax;
  server.timeout = limits.idleMs;
  let connectionsRefused = 0;
  server.on('drop', () => void connectionsRefused++);
  // An unknown Expect is ignored, as RFC 9110 allows.
  for (const event of ['request', 'checkExpectation']) {
    server.on(event, (request, response) => {
      // Behind a stream nothing is answered any more.
      if (open.isStreaming(request.socket)) return request.socket.destroy();
      open.add(response);
      handle(request, response);
    });
  }
  server.on('clientError', (error, socket) => answerUnreadable(error, socket, open, options.node));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    counts: async () => ({
      connections: await promisify<number>(server.getConnections.bind(server))(),
      requests: open.size,
      waits: gates.waiting.held,
      bodyBytes: gates.bodies.held,
      connectionsRefused,
      requestsRefused: open.refused,
    }),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await open.close(limits.closeGraceMs);
      server.closeAllConnections();
      await closed;
    },
  };
}
