import { type Batch, batchCodec, batchDigest } from '../../ledger/block.ts';
import { type Checkpoint, certificateCodec, checkpointCodec } from '../../ledger/checkpoint.ts';
import {
  blob,
  bool,
  bytes32,
  bytes64,
  type Codec,
  type CodecType,
  encode,
  list,
  oneOf,
  struct,
  u16,
  u64,
  union,
} from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { GUESTS_MAX, VALIDATORS_MAX, WINDOW_MAX } from '../../ledger/limits.ts';
import { type SignKind, signBytes } from '../../ledger/sign-bytes.ts';
import { multiSignatureCodec } from '../../ledger/validators.ts';

/**
 * What PRE-PREPARE, PREPARE and COMMIT sign: the same body under different kinds, the same bytes for every signer. The
 * sender stands outside the signature; it only says whose key to try.
 */
export const voteCodec = struct({ epoch: u64, view: u64, height: u64, digest: bytes32 });
export type Vote = CodecType<typeof voteCodec>;

/** The leader's signed vote and the batch it is about. Bodies travel apart. */
export const prePrepareCodec = struct({ vote: voteCodec, signature: bytes64, batch: batchCodec });
export type PrePrepare = CodecType<typeof prePrepareCodec>;

export const signedVoteCodec = struct({ vote: voteCodec, sender: u16, signature: bytes64 });
export type SignedVote = CodecType<typeof signedVoteCodec>;

export const signedCheckpointCodec = struct({ checkpoint: checkpointCodec, sender: u16, signature: bytes64 });
export type SignedCheckpoint = CodecType<typeof signedCheckpointCodec>;

/** N7: the leader's PRE-PREPARE and q-1 PREPAREs of distinct others for one (e,v,h,d). */
export const preparedCertificateCodec = struct({
  vote: voteCodec,
  prePrepareSignature: bytes64,
  prepares: multiSignatureCodec,
});
export type PreparedCertificate = CodecType<typeof preparedCertificateCodec>;

/** N8: q COMMITs for one (e,v,h,d), with the batch, so that whoever gets it can execute. */
export const commitCertificateCodec = struct({ vote: voteCodec, commits: multiSignatureCodec, batch: batchCodec });
export type CommitCertificate = CodecType<typeof commitCertificateCodec>;

/** V4. `stable` is `beginning` only while no checkpoint of the epoch is stable. */
export const viewChangeBodyCodec = struct({
  epoch: u64,
  view: u64,
  stable: union({ beginning: [0, struct({})], certificate: [1, certificateCodec] }),
  /** Ascending by height, each within the window above `stable`. */
  prepared: list(preparedCertificateCodec, WINDOW_MAX),
});
export type ViewChangeBody = CodecType<typeof viewChangeBodyCodec>;
export const viewChangeCodec = struct({ body: viewChangeBodyCodec, sender: u16, signature: bytes64 });
export type ViewChange = CodecType<typeof viewChangeCodec>;

/** V6: q VIEW-CHANGEs in index order and the leader's PRE-PREPARE signature for every height of the carry, ascending. */
export const newViewBodyCodec = struct({
  epoch: u64,
  view: u64,
  viewChanges: list(viewChangeCodec, VALIDATORS_MAX),
  prePrepares: list(struct({ vote: voteCodec, signature: bytes64 }), WINDOW_MAX),
});
export type NewViewBody = CodecType<typeof newViewBodyCodec>;
export const newViewCodec = struct({ body: newViewBodyCodec, signature: bytes64 });
export type NewView = CodecType<typeof newViewCodec>;

export const MODES = { starting: 0, active: 1, behind: 2, doubt: 3, halted: 4 } as const;
/** `observing`: no member, so it sends no STATUS. */
export type Mode = keyof typeof MODES | 'observing';

const memberBitmap = blob(VALIDATORS_MAX / 8);

/** R4: what a member holds and lacks. No vote: sent from the first moment, also in doubt. */
export const statusBodyCodec = struct({
  epoch: u64,
  /** Increases with every STATUS of this member, also across restarts (its wall clock in ms at the least). */
  number: u64,
  view: u64,
  viewAsked: u64,
  mode: oneOf(MODES),
  suspects: bool,
  low: u64,
  executed: u64,
  /** Heights above `executed` or `low`, whichever is lower: which votes of the current view are held, by member. */
  held: list(
    struct({
      height: u64,
      prePrepare: bool,
      prepares: memberBitmap,
      commits: memberBitmap,
      checkpoints: memberBitmap,
    }),
    2 * WINDOW_MAX,
  ),
  /** Members with a live channel to this one. */
  hears: memberBitmap,
  /** E5: peer keys of those without a vote that have one. */
  guests: list(bytes32, GUESTS_MAX),
  /** Highest VIEW-CHANGE view held of each member; 0 for none. */
  viewChanges: list(u64, VALIDATORS_MAX),
  /** Pieces of evidence held against each member. */
  evidence: list(u16, VALIDATORS_MAX),
});
export type StatusBody = CodecType<typeof statusBodyCodec>;
export const statusCodec = struct({ body: statusBodyCodec, sender: u16, signature: bytes64 });
export type Status = CodecType<typeof statusCodec>;

/** Kinds whose signature is over a Vote: one content per (epoch, view, height), height 0 for the last two (N2). */
export const VOTE_KINDS = { prePrepare: 1, prepare: 2, commit: 3, viewChange: 4, newView: 5 } as const;
export type VoteKind = keyof typeof VOTE_KINDS;

/** C6: two different signed contents of one slot. Whoever has it can show it to anybody. */
export const evidenceCodec = union({
  vote: [
    1,
    struct({
      kind: oneOf(VOTE_KINDS),
      member: u16,
      first: struct({ vote: voteCodec, signature: bytes64 }),
      second: struct({ vote: voteCodec, signature: bytes64 }),
    }),
  ],
  checkpoint: [2, struct({ first: signedCheckpointCodec, second: signedCheckpointCodec })],
});
export type Evidence = CodecType<typeof evidenceCodec>;

/** R5: a signed message of a member, small: VIEW-CHANGE and NEW-VIEW by the hash of their content. */
export const shownCodec = union({
  vote: [1, struct({ kind: oneOf(VOTE_KINDS), vote: voteCodec, signature: bytes64 })],
  checkpoint: [2, signedCheckpointCodec],
});
export type Shown = CodecType<typeof shownCodec>;

/** Everything of PBFT that travels between validators. */
export const messageCodec = union({
  prePrepare: [1, prePrepareCodec],
  prepare: [2, signedVoteCodec],
  commit: [3, signedVoteCodec],
  checkpoint: [4, signedCheckpointCodec],
  viewChange: [5, viewChangeCodec],
  newView: [6, newViewCodec],
  status: [7, statusCodec],
  certificate: [8, certificateCodec],
  commitCertificate: [9, commitCertificateCodec],
  evidence: [10, evidenceCodec],
});
export type Message = CodecType<typeof messageCodec>;

/** The epoch that a message belongs to. */
export function epochOfMessage({ kind, value }: Message): number {
  switch (kind) {
    case 'prePrepare':
    case 'prepare':
    case 'commit':
    case 'commitCertificate':
      return value.vote.epoch;
    case 'checkpoint':
    case 'certificate':
      return value.checkpoint.epoch;
    case 'viewChange':
    case 'newView':
    case 'status':
      return value.body.epoch;
    case 'evidence':
      return value.kind === 'vote' ? value.value.first.vote.epoch : value.value.first.checkpoint.epoch;
  }
}

/** Own content that may leave only after what it rests on is durable (S1): it becomes a Message when signed. */
export type Unsigned =
  | { readonly kind: 'prePrepare'; readonly vote: Vote; readonly batch: Batch }
  | { readonly kind: 'prepare'; readonly vote: Vote }
  | { readonly kind: 'commit'; readonly vote: Vote }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'viewChange'; readonly body: ViewChangeBody }
  /** The PRE-PREPAREs of the carry are signed first, then the whole. */
  | ({ readonly kind: 'newView'; readonly viewChanges: readonly ViewChange[]; readonly votes: readonly Vote[] } & Place)
  | { readonly kind: 'status'; readonly body: StatusBody };

/** What one signature is over. */
export type Signable =
  | { readonly kind: VoteKind; readonly vote: Vote }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'status'; readonly body: StatusBody };

interface Place {
  readonly epoch: number;
  readonly view: number;
}

/** The bytes that `signable` is signed over. */
export function signableBytes(genesisId: Uint8Array, signable: Signable): Uint8Array {
  switch (signable.kind) {
    case 'checkpoint':
      return bodyBytes(genesisId, 'checkpoint', checkpointCodec, signable.checkpoint);
    case 'status':
      return bodyBytes(genesisId, 'status', statusBodyCodec, signable.body);
    default:
      return voteBytes(genesisId, signable.kind, signable.vote);
  }
}

/** The bytes that a vote of this kind is signed over. */
export function voteBytes(genesisId: Uint8Array, kind: VoteKind, vote: Vote): Uint8Array {
  return bodyBytes(genesisId, kind, voteCodec, vote);
}

/** The signed message of member `sender`; `sign` gives the 64 bytes over one content. */
export function signMessage(unsigned: Unsigned, sender: number, sign: (one: Signable) => Uint8Array): Message {
  switch (unsigned.kind) {
    case 'prePrepare': {
      const { vote, batch } = unsigned;
      return { kind: 'prePrepare', value: { vote, signature: sign({ kind: 'prePrepare', vote }), batch } };
    }
    case 'prepare':
    case 'commit': {
      const { kind, vote } = unsigned;
      return { kind, value: { vote, sender, signature: sign({ kind, vote }) } };
    }
    case 'checkpoint': {
      const { checkpoint } = unsigned;
      return { kind: 'checkpoint', value: { checkpoint, sender, signature: sign({ kind: 'checkpoint', checkpoint }) } };
    }
    case 'viewChange': {
      const { body } = unsigned;
      const signature = sign({ kind: 'viewChange', vote: viewChangeVote(body) });
      return { kind: 'viewChange', value: { body, sender, signature } };
    }
    case 'newView': {
      const { epoch, view, viewChanges, votes } = unsigned;
      const prePrepares = votes.map((vote) => ({ vote, signature: sign({ kind: 'prePrepare', vote }) }));
      const body = { epoch, view, viewChanges, prePrepares };
      return { kind: 'newView', value: { body, signature: sign({ kind: 'newView', vote: newViewVote(body) }) } };
    }
    case 'status': {
      const { body } = unsigned;
      return { kind: 'status', value: { body, sender, signature: sign({ kind: 'status', body }) } };
    }
  }
}

/** The vote for this batch at this place. */
export function voteFor(epoch: number, view: number, batch: Batch): Vote {
  return { epoch, view, height: batch.height, digest: batchDigest(batch) };
}

/**
 * What a VIEW-CHANGE is signed over: its place and the hash of its content, so that two contents of one slot are small
 * evidence. The height is 0.
 */
export function viewChangeVote(body: ViewChangeBody): Vote {
  return { epoch: body.epoch, view: body.view, height: 0, digest: sha256(encode(viewChangeBodyCodec, body)) };
}

/** What a NEW-VIEW is signed over, in the same manner. */
export function newViewVote(body: NewViewBody): Vote {
  return { epoch: body.epoch, view: body.view, height: 0, digest: sha256(encode(newViewBodyCodec, body)) };
}

export function bodyBytes<T>(genesisId: Uint8Array, kind: SignKind, codec: Codec<T>, body: T): Uint8Array {
  return signBytes(kind, genesisId, encode(codec, body));
}
