import { blockHash, type Header, headerCodec } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { encode, tryDecode } from '../ledger/codec.ts';
import { LACKS_TRIES, SNAPSHOT_PAUSE_MS } from './limits.ts';
import type { Message } from './pbft/messages.ts';
import type { Verified } from './pbft/verify.ts';
import type { Executed, Head } from './ports.ts';
import { type SnapshotContext, type SnapshotOutcome, type SnapshotPatience, takeSnapshot } from './snapshot-sync.ts';
import { type BlocksAnswer, blocksAnswerCodec, requestCodec } from './wire.ts';

export interface SyncContext extends SnapshotContext {
  /** R8: how many blocks behind its target a snapshot is taken. */
  readonly snapshotBlocks: number;
  /** The greatest height that is known to be certified, also in a later epoch. */
  newest(): number;
  /** The keys (idKey) of packed transactions if their signatures are valid and they are `count`, or what is wrong with them. */
  checkBodies(packed: Uint8Array, count: number): Promise<readonly string[] | string>;
  /** `keys` of the block's transactions, in order. */
  onExecuted(executed: Executed, keys: readonly string[]): void;
}

/**
 * R7: catches up from peers. Nothing a peer claims is believed: its certificate is verified, the headers lead back from
 * it to our own block, bodies are checked against roots, and every block is executed and compared. Far behind, or where
 * blocks lack, a snapshot takes their place (R8).
 */
export async function syncTo(context: SyncContext, target: number, signal: AbortSignal): Promise<void> {
  const { patience, now } = context;
  // Each in turn: one that is slow, or gives little at a time, does not set the pace (R21).
  for (let turn = 0; !signal.aborted; turn++) {
    const own = context.executed().height;
    if (own >= target) {
      patience.pauseMs = SNAPSHOT_PAUSE_MS;
      return;
    }
    if (now() >= patience.askAt && Math.max(target, context.newest()) - own >= context.snapshotBlocks) {
      const start = now();
      const outcome = await takeSnapshot(context, own + context.snapshotBlocks - 1, signal);
      if (outcome === 'installed') continue;
      rest(patience, outcome, now(), start);
    }
    const lacking = await syncOnce(context, turn, signal);
    if (context.executed().height > own) {
      context.patience.lacks = 0;
      continue;
    }
    if (!isLost(context, lacking) || (await takeSnapshot(context, own, signal)) !== 'installed') return;
  }
}

/**
 * R8, after a round in vain: members may still be making a snapshot, so blocks are executed for as long as was lost, and longer each
 * time. What began and was late costs its whole budget; it is not tried again before that has passed tenfold (R21).
 */
function rest(patience: SnapshotPatience, outcome: SnapshotOutcome, now: number, start: number): void {
  const took = now - start;
  patience.pauseMs = Math.max(patience.pauseMs, took);
  patience.askAt = now + (outcome === 'late' ? 10 * took : patience.pauseMs);
  patience.pauseMs *= 2;
}

/**
 * R8: f + 1 members that lack the blocks can't all be liars, and whoever keeps only what is newer has its state. Fewer may
 * be: they count once nobody had the blocks in several rounds.
 */
function isLost({ patience, f }: SyncContext, lacking: number): boolean {
  if (lacking === 0) return false;
  return lacking > f() || ++patience.lacks >= LACKS_TRIES;
}

/** One answer of the first member that gives a useful one. How many members said that they lack the blocks. */
async function syncOnce(context: SyncContext, turn: number, signal: AbortSignal): Promise<number> {
  const { height: above } = context.executed();
  let lacking = 0;
  for (const member of context.sources(above, turn)) {
    if (signal.aborted) break;
    const answer = await askBlocks(context, member, above);
    if (answer?.kind === 'lacks') lacking++;
    if (answer?.kind !== 'blocks' || context.executed().height !== above) continue;
    await applyAnswer(context, member, answer.value, signal);
    if (context.executed().height > above) break;
  }
  return lacking;
}

async function askBlocks(context: SyncContext, member: number, above: number): Promise<BlocksAnswer | undefined> {
  try {
    const body = encode(requestCodec, { kind: 'blocks', value: { above } });
    const decoded = tryDecode(blocksAnswerCodec, await context.ask(member, body));
    if (!decoded.ok) {
      context.blame(member, `blocks: ${decoded.problem}`);
      return undefined;
    }
    return decoded.value;
  } catch {
    // Unreachable or too slow: the next member is asked.
    return undefined;
  }
}

type Blocks = Extract<BlocksAnswer, { kind: 'blocks' }>['value'];

async function applyAnswer(context: SyncContext, member: number, answer: Blocks, signal: AbortSignal): Promise<void> {
  const judged = context.verifyCertificate(answer.certificate);
  const problem = typeof judged === 'string' ? judged : chainProblem(context.executed(), answer);
  if (problem !== undefined) return context.blame(member, `blocks: ${problem}`);
  context.certified(judged as Verified<Message>);
  const { checkpoint } = answer.certificate;
  let checking = checkBlock(context, answer, 0);
  for (const [i, header] of answer.headers.entries()) {
    const transactions = answer.transactions[i];
    if (transactions === undefined || signal.aborted) return;
    const keys = await checking;
    if (typeof keys === 'string') return context.blame(member, `block ${header.height}: ${keys}`);
    // The signatures of the next block are verified while this one is executed.
    checking = checkBlock(context, answer, i + 1);
    // S4: a block that the normal path executed meanwhile is dropped.
    if (header.height <= context.executed().height) continue;
    const expected: Head | undefined = header.height === checkpoint.height ? checkpoint : undefined;
    try {
      const block = { header: encode(headerCodec, header), transactions };
      context.onExecuted(await context.ledger.executeSynced(block, expected, context.mark()), keys);
      // Whoever asks us later needs one within each answer.
      if (expected !== undefined) await context.ledger.storeCertificate(encode(certificateCodec, answer.certificate));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const code = (error as { code?: string }).code;
      if (code === 'DIVERGED') return context.onDiverged(error.message);
      if (code === 'BAD_BLOCK') return context.blame(member, error.message);
      throw error;
    }
  }
}

function checkBlock(
  context: SyncContext,
  { headers, transactions }: Blocks,
  index: number,
): Promise<readonly string[] | string> {
  const header = headers[index];
  const packed = transactions[index];
  if (header === undefined || packed === undefined) return Promise.resolve([]);
  const checking = context.checkBodies(packed, header.count);
  // Nobody may come to it any more.
  checking.catch(() => {});
  return checking;
}

/** Headers from our own head up to the certified block, each the parent of the next. */
function chainProblem(own: Head, { certificate, headers }: Blocks): string | undefined {
  const { height, blockHash: certified } = certificate.checkpoint;
  if (height <= own.height) return `a certificate of height ${height}, own height is ${own.height}`;
  if (headers.length !== height - own.height) return `${headers.length} headers from ${own.height} to ${height}`;
  let parent = own.blockHash;
  let timestamp = own.timestamp;
  for (const [i, header] of headers.entries()) {
    const problem = linkProblem(header, own.height + 1 + i, parent, timestamp);
    if (problem !== undefined) return problem;
    parent = blockHash(header);
    timestamp = header.timestamp;
  }
  return equalBytes(parent, certified)
    ? undefined
    : `headers end at ${toHex(parent)}, certified is ${toHex(certified)}`;
}

function linkProblem(header: Header, height: number, parent: Uint8Array, timestamp: number): string | undefined {
  if (header.height !== height) return `header of height ${header.height}, expected ${height}`;
  if (!equalBytes(header.parent, parent))
    return `header ${height} has parent ${toHex(header.parent)}, expected ${toHex(parent)}`;
  return header.timestamp > timestamp
    ? undefined
    : `header ${height} has time ${header.timestamp}, parent ${timestamp}`;
}
