import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metric, MetricsSource } from './catalogue.ts';
import { METRICS } from './catalogue.ts';

/** What this listener holds at a time, and for how long: a few scrapers ask a few times a minute. */
export interface MetricsLimits {
  readonly connectionsMax: number;
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  /** For a request, and for a connection on which nothing moves. */
  readonly idleMs: number;
  readonly timeoutCheckMs: number;
}

const LIMITS: MetricsLimits = {
  connectionsMax: 32,
  headerBytesMax: 8 * 1024,
  headersTimeoutMs: 5_000,
  idleMs: 120_000,
  timeoutCheckMs: 2_000,
};

/** How often the delay of the event loop is looked at. */
const LOOP_PRECISION_MS = 20;

export interface MetricsOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly source: MetricsSource;
  readonly log: { warn(fields: object, message: string): void };
  readonly limits?: Partial<MetricsLimits>;
}

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` in the text format of Prometheus, and nothing else, on a listener of its own (H09). Resolves when
 * it listens; rejects when the address can't be taken.
 */
export async function startMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const { host, port, source, log } = options;
  const limits = { ...LIMITS, ...options.limits };
  const page = await metricsPage(source);
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      keepAliveTimeout: limits.idleMs,
    },
    (request, response) => {
      answer(request, response, page).catch((error: unknown) => {
        log.warn({ err: error }, 'metrics could not be read');
        end(response, 500, 'text/plain; charset=utf-8', 'the node has logged why\n');
      });
    },
  );
  server.maxConnections = limits.connectionsMax;
  server.timeout = limits.idleMs;
  server.listen(port, host);
  await once(server, 'listening');
  const { address, family, port: own } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${own}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      page.close();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, page: MetricsPage): Promise<void> {
  const { method, url } = request;
  // Nobody has anything to send here.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
    response.setHeader('connection', 'close');
  if (url !== '/metrics') return end(response, 404, 'text/plain; charset=utf-8', 'only /metrics is here\n');
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return end(response, 405, 'text/plain; charset=utf-8', 'it can only be read\n');
  }
  end(response, 200, page.contentType, await page.text());
}

function end(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

interface MetricsPage {
  readonly contentType: string;
  /** All values as they are now; who asks while they are being read gets the same. */
  text(): Promise<string>;
  close(): void;
}

/** prom-client is loaded where metrics are served only: a start without them stays as fast as it was. */
async function metricsPage(source: MetricsSource): Promise<MetricsPage> {
  const { collectDefaultMetrics, Counter, Gauge, Registry } = await import('prom-client');
  const register = new Registry();
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  for (const metric of METRICS) {
    const { name, help, labels = [] } = metric;
    const common = { name, help, labelNames: [...labels], registers: [register] };
    if (metric.type === 'gauge') {
      const made: InstanceType<typeof Gauge> = new Gauge({
        ...common,
        collect: () => take(metric, source, made, (of, value) => made.set(of, value)),
      });
    } else {
      // It is counted elsewhere: what is shown is what stands there.
      const made: InstanceType<typeof Counter> = new Counter({
        ...common,
        collect: () => take(metric, source, made, (of, value) => made.inc(of, value)),
      });
    }
  }
  let reading: Promise<string> | undefined;
  return {
    contentType: register.contentType,
    text() {
      reading ??= register.metrics().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    close: () => register.clear(),
  };
}

async function take(
  { read }: Metric,
  source: MetricsSource,
  shown: { reset(): void },
  put: (labels: Record<string, string>, value: number) => void,
): Promise<void> {
  const reading = await read(source);
  shown.reset();
  for (const { labels, value } of typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading)
    put(labels, value);
}
