/**
 * Hard limits of the formats, the same on every chain. Parameters of a chain (genesis/parameters) may be stricter, never
 * laxer. All sizes in bytes.
 */
export const VALIDATORS_MAX = 128;
export const NAME_BYTES_MAX = 32;
export const CALLS_MAX = 256;
export const CALL_ARGS_BYTES_MAX = 16_384;
export const MEMO_BYTES_MAX = 256;
export const TRANSACTION_BYTES_MAX = 65_536;
export const BATCH_TRANSACTIONS_MAX = 4_096;
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;
export const WINDOW_MAX = 64;
/** The greatest message between validators: what fits a frame of theirs, with its tags. */
export const MESSAGE_BYTES_MAX = 8 * 1024 * 1024 - 1024;
export const EVENTS_PER_RECEIPT_MAX = 512;
export const EVENT_BYTES_MAX = 16_384;
export const TABLE_KEY_BYTES_MAX = 256;
export const TABLE_VALUE_BYTES_MAX = 65_536;
/** Siblings of any Merkle proof: 2^53 list items, or 256 bits of a state path. */
export const LIST_PROOF_MAX = 53;
export const STATE_PROOF_MAX = 256;
/** Hand-off certificates in one bundle: epochs between genesis and the fact. */
export const HANDOFFS_MAX = 4_096;
/** Hand-offs in one answer of a node. */
export const UPDATES_MAX = 64;
/** Members that one change of the set may add, remove and rotate in all (E4): f of the greatest set. */
export const CHANGED_MEMBERS_MAX = 42;
/** Nodes that are admitted to the network without being members. */
export const GUESTS_MAX = 64;
export const ORGANISATIONS_MAX = 1_024;
/** Approvals of one proposal of governance: one of each of two thirds of the most organisations, and some more. */
export const GOVERNANCE_APPROVALS_MAX = 768;
/** How long a validator's key stays before its organisation alone may change it, in ms: an epoch is everybody's expense. */
export const ROTATION_PAUSE_MS = 3_600_000;
/** Administrators of one organisation; roles of one account. */
export const ADMINISTRATORS_MAX = 64;
/** R10: a recovery with the signatures of all who signed it. */
export const RECOVERY_BYTES_MAX = 1024 * 1024;
/** R10: why, in the words of those who recover. */
export const RECOVERY_REASON_BYTES_MAX = 512;
export const ROLES_MAX = 16;
/** Approvals that one administrator has given to what is not effective yet, of its organisation and of governance each. */
export const OPEN_APPROVALS_MAX = 32;
/** How long after the block in which it is approved a proposal may still be open, in ms. */
export const PROPOSAL_LIFETIME_MAX_MS = 30 * 86_400_000;
