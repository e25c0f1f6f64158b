/** Limits of the REST side. Sizes in bytes, times in ms. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;
export const SINGLE_BODY_BYTES_MAX = 256 * 1024;
export const BATCH_MAX = 500;
export const WAIT_DEFAULT_MS = 30_000;
export const WAIT_MAX_MS = 60_000;
/** For `minHeight`: a node that is not far behind gets there sooner. */
export const HEIGHT_WAIT_DEFAULT_MS = 5_000;
/** A height further above the own one is not waited for: no wait is long enough to execute as many blocks. */
export const HEIGHTS_AHEAD_MAX = 10_000;
export const PAGE_DEFAULT = 20;
export const PAGE_MAX = 200;
export const CURSOR_CHARS_MAX = 800;
export const JSON_DEPTH_MAX = 32;

/** What one server holds at a time, and how long it waits for a client. */
export interface ServerLimits {
  readonly connectionsMax: number;
  /** Requests in work, whatever they are; pipelining lets one connection have many. */
  readonly requestsMax: number;
  /** Transactions and heights that long-polls wait for; a batch waits for each of its transactions. Below what the node itself can hold. */
  readonly waitingMax: number;
  /** Dry-runs in work: each costs the ledger's time, and no fee. */
  readonly dryRunsMax: number;
  /** Bytes of bodies being read or in work, all requests together. */
  readonly bodiesBytesMax: number;
  readonly headerBytesMax: number;
  readonly headersMax: number;
  readonly headersTimeoutMs: number;
  /** For the whole request with its body. */
  readonly requestTimeoutMs: number;
  /** How often the two above are looked at. */
  readonly timeoutCheckMs: number;
  readonly keepAliveMs: number;
  /** A connection on which nothing moves, also when its client does not read; above the longest wait. */
  readonly idleMs: number;
  /** How long `close` lets answers in work finish. */
  readonly closeGraceMs: number;
}

export const SERVER_LIMITS: ServerLimits = {
  connectionsMax: 2_000,
  requestsMax: 5_000,
  waitingMax: 40_000,
  dryRunsMax: 4,
  bodiesBytesMax: 256 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  headersMax: 100,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  timeoutCheckMs: 5_000,
  keepAliveMs: 65_000,
  idleMs: 90_000,
  closeGraceMs: 2_000,
};
