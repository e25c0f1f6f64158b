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
/** Of the `topics` of an event stream. */
export const TOPICS_MAX = 64;
export const TOPICS_CHARS_MAX = 6_000;
/** Text handed to a stream's socket at a time: what a reader that does not read holds besides its block. */
export const EVENT_CHUNK_CHARS = 64 * 1024;
/** Transactions made into events before others may do something. */
export const EVENT_PIECE_TRANSACTIONS = 64;
/** Changes of the view that wait for a reader; the oldest ones go. */
export const VIEW_CHANGES_WAITING_MAX = 16;

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
  /** Event streams. They count as connections, not as requests. */
  readonly streamsMax: number;
  /** How often a stream says that it lives, and up to where it has come. */
  readonly heartbeatMs: number;
  /** How soon a client should come back after its stream ended; for browsers, which do so by themselves. */
  readonly streamRetryMs: number;
  /** How long a stream waits for its reader to take what was sent, before it is dropped. */
  readonly streamStallMs: number;
  /** Characters of blocks that are kept for streams; beyond, the stream that has had one longest is dropped. */
  readonly streamBlocksCharsMax: number;
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
  streamsMax: 256,
  heartbeatMs: 5_000,
  streamRetryMs: 1_000,
  streamStallMs: 10_000,
  streamBlocksCharsMax: 64 * 1024 * 1024,
  closeGraceMs: 2_000,
};
