import type { SenderLimits } from './senders.ts';

/** Limits of one process that are no parameters of the chain: what it keeps, asks and answers. */

/** Pending transactions and their bytes, all origins together. */
export const POOL_TRANSACTIONS_MAX = 200_000;
export const POOL_BYTES_MAX = 128 * 1024 * 1024;
/** R11: a file of acknowledged transactions, and what may be in all of them besides twice what is still pending. */
export const PENDING_SEGMENT_BYTES = 2 * 1024 * 1024;
export const PENDING_SLACK_BYTES = 4 * 1024 * 1024;
/** T9: so many transactions of clients may wait at a node in any case; beyond that what was executed in so many ms. */
export const ADMITTED_MIN = 3_000;
export const ADMITTED_WAIT_MS = 3_000;
/** Bytes of transactions in one frame to a peer. */
export const FORWARD_BYTES_MAX = 256 * 1024;
/** Transactions of one peer or one client call that may wait for the verify threads. */
export const VERIFYING_MAX = 20_000;
/** T9: an account of which `governance.limits` says nothing, and an administrator: as many pending, as fast as it can. */
export const NO_ROW_LIMITS: SenderLimits = { pending: 10_000, rate: undefined };
/** Accounts that were slowed down lately are kept in mind up to here before it is asked whether they still need it. */
export const BUCKETS_SWEPT_MIN = 1_024;
/** Ids of executed and of expired transactions remembered for quick answers. */
export const RECENT_IDS_MAX = 100_000;
/** Bytes of bodies in one answer to a peer. */
export const BODIES_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of transactions in one catch-up answer; one block of the greatest size always fits. */
export const SYNC_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** Blocks whose headers one catch-up answer covers. */
export const SYNC_BLOCKS_MAX = 256;
/** R8: a validator that is this many blocks behind a certificate takes a snapshot of the state instead of executing them. */
export const SNAPSHOT_BLOCKS_MIN = 4_096;
/** Bytes of rows in one chunk of a snapshot; a chunk of one row may be larger. */
export const SNAPSHOT_CHUNK_BYTES = 512 * 1024;
/** Rows, or headers and ids of blocks, in one answer, whatever they are cut into: all answers stay below 4 MiB. */
export const SNAPSHOT_ANSWER_BYTES_MAX = 2 * 1024 * 1024;
export const SNAPSHOT_ROWS_MAX = 65_536;
export const SNAPSHOT_BLOCKS_MAX = 4_096;
/** Chunks of one snapshot; a larger state is not offered. */
export const SNAPSHOT_PARTS_MAX = 65_536;
/** Requests to one member that may get lost during one transfer of a snapshot. */
export const SNAPSHOT_TRIES = 3;
/** R8: after so many rounds in which nobody had the blocks, also f members or fewer are believed that they lack. */
export const LACKS_TRIES = 3;
/** How long one offered snapshot may take at first, and at most when none could be ended before. */
export const SNAPSHOT_BUDGET_MS = 60_000;
export const SNAPSHOT_BUDGET_MAX_MS = 3_600_000;
/** How long a member may take to make a snapshot before another is asked for one. */
export const ASK_SNAPSHOT_MS = 2_000;
/** R8: for how long, at first, blocks are executed where nobody gave a snapshot, before one is asked for again. */
export const SNAPSHOT_PAUSE_MS = 500;
/** Block time for which a snapshot that is not read any more is kept for others, before another may be made. */
export const SNAPSHOT_KEPT_MS = 600_000;
/** Rows of a snapshot for others in one write. */
export const STORE_BATCH_BYTES = 1024 * 1024;
/** Transactions and heights that calls wait for: more than the API lets in. */
export const WAITERS_MAX = 50_000;
/** How long a proposal's bodies may still be on their way by themselves before they are asked for. */
export const BODIES_GRACE_MS = 40;
/** Until the next member is asked for bodies that one did not give. */
export const BODIES_RETRY_MS = 400;
export const REQUEST_TIMEOUT_MS = 5_000;
/** How long the first answer of a catch-up may take; doubled when nobody answers, up to REQUEST_TIMEOUT_MS. */
export const ASK_FIRST_MS = 500;
/** How long a member that did not answer is asked after all others. */
export const UNANSWERED_MS = 10_000;
/** T9: what is still pending is offered again. */
export const RESEND_INTERVAL_MS = 2_000;
/** Ids in one offer, and in one request for what lacks of it. */
export const OFFER_IDS_MAX = 1_024;
/** Pending transactions offered in one round. */
export const OFFERED_MAX = 32_768;
/** Offers of one member that are being fetched. */
export const OFFERS_FETCHED_MAX = 2;
/** Signed messages of one member that another shows it (R5): three kinds of votes and CHECKPOINTs of two windows. */
export const SHOWN_MAX = 1_024;
/** Until members that have not answered are asked again what they hold of us (R6). */
export const SHOWN_RETRY_MS = 1_000;
/** Pieces of evidence that are logged one by one; the rest are only counted. */
export const EVIDENCE_LOGGED_MAX = 64;
export const STATUS_INTERVAL_MS = 500;
export const CATCH_UP_DELAY_MS = 150;
/** How often a node without a vote asks for the newest certificate. */
export const FOLLOW_INTERVAL_MS = 250;
/** How many blocks a node without a vote may be behind and still hand on what it gets. */
export const FOLLOW_BLOCKS_MAX = 256;
/** How often a member asks for hand-offs, when it hears of a later epoch or of too few members of its own (E7). */
export const HANDOFF_RETRY_MS = 1_000;
/** How long it counts that a node knew all that a member knew, and how far behind in block time it may be for that. */
export const CURRENT_MS = 3_000;
/** E6: how long those that have left are served after the first final block of the epoch. */
export const LEAVING_MS = 60_000;
/** How often one member is told that its epoch has ended. */
export const HANDOFF_TOLD_MS = 250;
