import { type CodecType, struct, text, u16, u32, u64 } from './codec.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_TRANSACTIONS_MAX,
  CALLS_MAX,
  MESSAGE_BYTES_MAX,
  NAME_BYTES_MAX,
  TRANSACTION_BYTES_MAX,
  WINDOW_MAX,
} from './limits.ts';
import { quorum } from './validators.ts';

/** E1: what all validators of an epoch must agree on besides the set. Times in ms, sizes in bytes. */
export const parametersCodec = struct({
  /** Version of the protocol rules and of the S5 signature rule. */
  protocolVersion: u16,
  application: text(NAME_BYTES_MAX, 1),
  applicationVersion: u16,
  /** Heights in flight above the stable checkpoint. */
  window: u16,
  batchTransactionsMax: u32,
  /** Sum of the transactions' bytes in one batch. */
  batchBytesMax: u32,
  /** N3: how long a batch waits for more transactions, for each other one in flight. */
  batchDelayMs: u32,
  transactionBytesMax: u32,
  callsMax: u16,
  /** A transaction is valid at block time t only if t <= validUntil <= t + maxLifetimeMs (N4). */
  maxLifetimeMs: u64,
  /** An idle chain orders an empty batch after this long, and at least this long after the block before (N5). */
  heartbeatMs: u64,
  viewTimeoutMs: u64,
  /** T4: how far a fresh timestamp may be ahead of a validator's wall clock. */
  maxAheadMs: u64,
  /** T4: how far behind; at least the longest view timeout. */
  maxBehindMs: u64,
  /** V1: blocks after which a leader's term is over. */
  leaderTerm: u32,
  /** T7: how long a transaction handed to the leader may wait while others are ordered. */
  inclusionTimeoutMs: u64,
  /** E5: heights for which a candidate's word that it is ready counts. */
  readyWindow: u32,
  /** N10: metering limits of one transaction. */
  readsMax: u32,
  writesMax: u32,
  stateBytesMax: u32,
});
export type Parameters = CodecType<typeof parametersCodec>;

export const PROTOCOL_VERSION = 1;

/** What a chain gets when its founders choose nothing else. Literals only: so bundlers drop it where nothing uses it. */
export const defaultParameters: Parameters = {
  protocolVersion: PROTOCOL_VERSION,
  application: 'quorate',
  applicationVersion: 1,
  window: 8,
  batchTransactionsMax: 1_000,
  batchBytesMax: 1_048_576,
  batchDelayMs: 5,
  transactionBytesMax: TRANSACTION_BYTES_MAX,
  callsMax: CALLS_MAX,
  maxLifetimeMs: 3_600_000,
  heartbeatMs: 10_000,
  viewTimeoutMs: 2_000,
  maxAheadMs: 5_000,
  maxBehindMs: 600_000,
  leaderTerm: 10_000,
  inclusionTimeoutMs: 4_000,
  readyWindow: 10_000,
  readsMax: 10_000,
  writesMax: 10_000,
  stateBytesMax: 1_048_576,
};

/** Why this binary can't use these parameters, or undefined. */
export function parametersProblem(p: Parameters): string | undefined {
  return protocolProblem(p) ?? rangesProblem(p);
}

/** E1: why this binary can't follow the protocol of these parameters, or undefined. */
export function protocolProblem({ protocolVersion }: Parameters): string | undefined {
  if (protocolVersion === PROTOCOL_VERSION) return undefined;
  return `protocolVersion ${protocolVersion}, this binary implements ${PROTOCOL_VERSION}`;
}

/** What is out of its range, whoever implements the versions: governance names versions that come after this one. */
export function rangesProblem(p: Parameters): string | undefined {
  const ranges: readonly [keyof Parameters, number, number][] = [
    ['window', 1, WINDOW_MAX],
    ['batchTransactionsMax', 1, BATCH_TRANSACTIONS_MAX],
    ['transactionBytesMax', 256, TRANSACTION_BYTES_MAX],
    ['batchBytesMax', p.transactionBytesMax, BATCH_BYTES_MAX],
    ['batchDelayMs', 0, 60_000],
    ['callsMax', 1, CALLS_MAX],
    ['maxLifetimeMs', 1_000, 30 * 86_400_000],
    ['heartbeatMs', 100, 86_400_000],
    ['viewTimeoutMs', 50, 3_600_000],
    ['maxAheadMs', 1, 86_400_000],
    // T5: the view timeout grows to 8 x base, and its cap to 10 min.
    ['maxBehindMs', Math.max(8 * p.viewTimeoutMs, 600_000), 30 * 86_400_000],
    ['leaderTerm', 1, 0xffffffff],
    ['inclusionTimeoutMs', p.viewTimeoutMs, 86_400_000],
    ['readyWindow', 16, 0xffffffff],
    ['readsMax', 1, 1_000_000],
    ['writesMax', 1, 1_000_000],
    ['stateBytesMax', 1_024, 64 * 1024 * 1024],
  ];
  for (const [name, low, high] of ranges) {
    const value = p[name] as number;
    if (value < low || value > high) return `${name} is ${value}, expected ${low} to ${high}`;
  }
  return undefined;
}

/** Why a set of this size can't work with this window, or undefined: its leader could not begin a view (V6). */
export function sizeProblem(n: number, window: number): string | undefined {
  const bytes = newViewBytesMax(n, window);
  if (bytes <= MESSAGE_BYTES_MAX) return undefined;
  const much = `a NEW-VIEW of up to ${Math.ceil(bytes)} bytes, at most ${MESSAGE_BYTES_MAX}`;
  return `window ${window} with ${n} validators makes ${much}`;
}

/**
 * V6: the greatest NEW-VIEW of n members, in bytes: q VIEW-CHANGEs, each with a stable certificate and a prepared
 * certificate for each height of the window.
 */
export function newViewBytesMax(n: number, window: number): number {
  const q = quorum(n);
  const signatures = 64 * q + n / 8 + 16;
  const prepared = 56 + 64 + signatures;
  const viewChange = 256 + signatures + window * prepared + 128;
  return q * viewChange + window * (56 + 64) + 128;
}
