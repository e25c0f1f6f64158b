import type { Certificate } from '../ledger/checkpoint.ts';
import { encode, tryDecode } from '../ledger/codec.ts';
import {
  ASK_SNAPSHOT_MS,
  SNAPSHOT_BUDGET_MAX_MS,
  SNAPSHOT_BUDGET_MS,
  SNAPSHOT_PAUSE_MS,
  SNAPSHOT_TRIES,
} from './limits.ts';
import type { Message } from './pbft/messages.ts';
import type { Verified } from './pbft/verify.ts';
import type { Head, Installed, JournalMark, LedgerPort, SnapshotProgress, SnapshotStep } from './ports.ts';
import { requestCodec, type Snapshot, snapshotAnswerCodec, snapshotCodec } from './wire.ts';

export interface SnapshotContext {
  readonly ledger: LedgerPort;
  mark(): JournalMark;
  executed(): Head;
  /** Members that may have blocks above a height, in the order in which they are asked; each turn begins with another. */
  sources(above: number, turn: number): readonly number[];
  /** `leastMs`: how long the answer may take in any case. */
  ask(member: number, body: Uint8Array, leastMs?: number): Promise<Uint8Array>;
  /** A certificate of a peer, judged as every message is. */
  verifyCertificate(certificate: Certificate): Verified<Message> | string;
  certified(message: Verified<Message>): void;
  /** T2: a verified piece has come. */
  onPiece(): void;
  onInstalled(installed: Installed): Promise<void>;
  onDiverged(reason: string): void;
  /** Monotonic clock in ms. */
  now(): number;
  readonly patience: SnapshotPatience;
  /** How many members may be faulty. */
  f(): number;
  blame(member: number, reason: string): void;
}

export interface SnapshotPatience {
  /** How long the transfer of one offer may take: longer after each round in which none could be ended. */
  budgetMs: number;
  /** Rounds in a row in which at most f members, but some, lacked the blocks and nobody had them. */
  lacks: number;
  /** Each round begins with another member. */
  turn: number;
  /** When one is asked for again, on the monotonic clock, and how long blocks are executed at least after the next round in vain. */
  askAt: number;
  pauseMs: number;
}

export const newPatience = (): SnapshotPatience => ({
  budgetMs: SNAPSHOT_BUDGET_MS,
  lacks: 0,
  turn: 0,
  askAt: Number.NEGATIVE_INFINITY,
  pauseMs: SNAPSHOT_PAUSE_MS,
});

/** What became of a round: `late` if a transfer had begun and took more than its time, `none` if there was nothing to take. */
export type SnapshotOutcome = 'installed' | 'none' | 'late';

/**
 * R8: takes a snapshot of a height above `above`, of the first member that offers one. Its certificate proves every piece,
 * so that pieces may come from any member, and whoever gives a wrong one is known at once.
 */
export async function takeSnapshot(
  context: SnapshotContext,
  above: number,
  signal: AbortSignal,
): Promise<SnapshotOutcome> {
  const { patience } = context;
  const members = context.sources(above, patience.turn++);
  const question = encode(requestCodec, { kind: 'snapshot', value: { above } });
  let silent = 0;
  let outcome: SnapshotOutcome = 'none';
  for (const member of members) {
    // Of f + 1 that do not answer an honest one is making a snapshot: no more of them have to.
    if (signal.aborted || silent > context.f()) break;
    const bytes = await ask(context, member, question, ASK_SNAPSHOT_MS);
    if (bytes === undefined) silent++;
    const snapshot = bytes && offered(context, member, above, bytes);
    if (snapshot === undefined) continue;
    const others = members.filter((one) => one !== member);
    const transferred = await transfer(context, snapshot, [member, ...others], signal);
    if (transferred === 'installed') {
      Object.assign(patience, newPatience(), { turn: patience.turn });
      return 'installed';
    }
    if (transferred === 'late') outcome = 'late';
  }
  if (outcome === 'late') patience.budgetMs = Math.min(2 * patience.budgetMs, SNAPSHOT_BUDGET_MAX_MS);
  return outcome;
}

function offered(context: SnapshotContext, member: number, above: number, bytes: Uint8Array): Snapshot | undefined {
  const answer = tryDecode(snapshotAnswerCodec, bytes);
  if (!answer.ok) return blamed(context, member, answer.problem);
  if (answer.value.kind === 'nothing') return undefined;
  const snapshot = answer.value.value;
  const judged = context.verifyCertificate(snapshot.certificate);
  if (typeof judged === 'string') return blamed(context, member, judged);
  const { height } = snapshot.certificate.checkpoint;
  // R18: an old certificate is as real as a new one.
  if (height <= above) return blamed(context, member, `height ${height}, asked for one above ${above}`);
  context.certified(judged);
  return snapshot;
}

function blamed(context: SnapshotContext, member: number, problem: string): undefined {
  context.blame(member, `snapshot: ${problem}`);
}

/** Fetches what lacks, from one member after the other in turn, and installs it. */
async function transfer(
  context: SnapshotContext,
  snapshot: Snapshot,
  members: readonly number[],
  signal: AbortSignal,
): Promise<SnapshotOutcome> {
  try {
    const begin: SnapshotStep = { kind: 'begin', snapshot: encode(snapshotCodec, snapshot) };
    let progress = await context.ledger.stage(begin);
    if (progress.problem !== undefined) {
      context.blame(members[0]!, `snapshot: ${progress.problem}`);
      return 'none';
    }
    const { height } = snapshot.certificate.checkpoint;
    // R21: one that offers what it alone has, and gives it drop by drop, holds nobody up for long.
    const deadline = context.now() + context.patience.budgetMs;
    for (const kind of ['rows', 'blocks'] as const) {
      progress = await fetchAll(context, kind, height, progress, members, deadline, signal);
      if (progress[kind] !== undefined) return context.now() < deadline ? 'none' : 'late';
    }
    const installed = await context.ledger.install(context.mark());
    if (installed !== undefined) await context.onInstalled(installed);
    return installed === undefined ? 'none' : 'installed';
  } catch (error) {
    if ((error as { code?: string }).code !== 'DIVERGED') throw error;
    context.onDiverged((error as Error).message);
    return 'none';
  }
}

/** All pieces of a kind, or as many as these members give. */
async function fetchAll(
  context: SnapshotContext,
  kind: 'rows' | 'blocks',
  height: number,
  begun: SnapshotProgress,
  members: readonly number[],
  deadline: number,
  signal: AbortSignal,
): Promise<SnapshotProgress> {
  const left = members.map((member) => ({ member, tries: SNAPSHOT_TRIES }));
  let progress = begun;
  while (progress[kind] !== undefined && left.length > 0 && !signal.aborted && context.now() < deadline) {
    // In turn: a slow member slows only its share.
    const asked = left.shift()!;
    const answer = await ask(context, asked.member, questionOf(kind, height, progress));
    if (answer === undefined) {
      if (--asked.tries > 0) left.push(asked);
      continue;
    }
    const before = progress;
    progress = await context.ledger.stage({ kind, answer });
    if (progress.problem !== undefined)
      context.blame(asked.member, `snapshot of height ${height}: ${progress.problem}`);
    // Whoever has nothing here is asked no more.
    if (progress.parts === before.parts && progress.blocks === before.blocks) continue;
    context.onPiece();
    left.push(asked);
  }
  return progress;
}

function questionOf(kind: 'rows' | 'blocks', height: number, { rows, blocks }: SnapshotProgress): Uint8Array {
  if (kind === 'rows') return encode(requestCodec, { kind: 'snapshotRows', value: { height, ...rows! } });
  return encode(requestCodec, { kind: 'blockIds', value: { from: blocks! } });
}

async function ask({ ask: request }: SnapshotContext, member: number, body: Uint8Array, leastMs?: number) {
  try {
    return await request(member, body, leastMs);
  } catch {
    // Unreachable or too slow.
    return undefined;
  }
}
