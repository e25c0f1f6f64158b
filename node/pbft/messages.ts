import { batchCodec, batchDigest } from '../../ledger/block.ts';
import { certificateCodec, checkpointCodec } from '../../ledger/checkpoint.ts';
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
import { VALIDATORS_MAX, WINDOW_MAX } from '../../ledger/limits.ts';
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

/** V4. `stable` is absent only while no checkpoint above genesis is stable. */
export const viewChangeBodyCodec = struct({
  epoch: u64,
  view: u64,
  stable: union({ genesis: [0, struct({})], certificate: [1, certificateCodec] }),
  prepared: list(preparedCertificateCodec, WINDOW_MAX),
});
export const viewChangeCodec = struct({ body: viewChangeBodyCodec, sender: u16, signature: bytes64 });

/** V6: q VIEW-CHANGEs in index order and the leader's PRE-PREPARE signature for every height of the carry. */
export const newViewBodyCodec = struct({
  epoch: u64,
  view: u64,
  viewChanges: list(viewChangeCodec, VALIDATORS_MAX),
  prePrepares: list(struct({ vote: voteCodec, signature: bytes64 }), WINDOW_MAX),
});
export const newViewCodec = struct({ body: newViewBodyCodec, signature: bytes64 });

export const MODES = { starting: 0, active: 1, behind: 2, doubt: 3, halted: 4 } as const;
export type Mode = keyof typeof MODES;

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
  /** Highest VIEW-CHANGE view held of each member. */
  viewChanges: list(u64, VALIDATORS_MAX),
  /** Pieces of evidence held against each member. */
  evidence: list(u16, VALIDATORS_MAX),
});
export type StatusBody = CodecType<typeof statusBodyCodec>;
export const statusCodec = struct({ body: statusBodyCodec, sender: u16, signature: bytes64 });
export type Status = CodecType<typeof statusCodec>;

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
});
export type Message = CodecType<typeof messageCodec>;

/** Own content that may leave only after what it rests on is durable (S1): it becomes a Message when signed. */
export type Unsigned =
  | { readonly kind: 'prePrepare'; readonly vote: Vote; readonly batch: CodecType<typeof batchCodec> }
  | { readonly kind: 'prepare'; readonly vote: Vote }
  | { readonly kind: 'commit'; readonly vote: Vote }
  | { readonly kind: 'checkpoint'; readonly checkpoint: CodecType<typeof checkpointCodec> }
  | { readonly kind: 'status'; readonly body: StatusBody };

/** The bytes that `unsigned` is signed over. */
export function unsignedBytes(genesisId: Uint8Array, unsigned: Unsigned): Uint8Array {
  switch (unsigned.kind) {
    case 'prePrepare':
    case 'prepare':
    case 'commit':
      return voteBytes(genesisId, unsigned.kind, unsigned.vote);
    case 'checkpoint':
      return bodyBytes(genesisId, 'checkpoint', checkpointCodec, unsigned.checkpoint);
    case 'status':
      return bodyBytes(genesisId, 'status', statusBodyCodec, unsigned.body);
  }
}

/** The bytes that a PRE-PREPARE, PREPARE or COMMIT is signed over. */
export function voteBytes(genesisId: Uint8Array, kind: 'prePrepare' | 'prepare' | 'commit', vote: Vote): Uint8Array {
  return bodyBytes(genesisId, kind, voteCodec, vote);
}

/** The signed message of member `sender`. */
export function signedMessage(unsigned: Unsigned, sender: number, signature: Uint8Array): Message {
  switch (unsigned.kind) {
    case 'prePrepare':
      return { kind: 'prePrepare', value: { vote: unsigned.vote, signature, batch: unsigned.batch } };
    case 'prepare':
    case 'commit':
      return { kind: unsigned.kind, value: { vote: unsigned.vote, sender, signature } };
    case 'checkpoint':
      return { kind: 'checkpoint', value: { checkpoint: unsigned.checkpoint, sender, signature } };
    case 'status':
      return { kind: 'status', value: { body: unsigned.body, sender, signature } };
  }
}

/** The vote for this batch at this place. */
export function voteFor(epoch: number, view: number, batch: CodecType<typeof batchCodec>): Vote {
  return { epoch, view, height: batch.height, digest: batchDigest(batch) };
}

export function bodyBytes<T>(genesisId: Uint8Array, kind: SignKind, codec: Codec<T>, body: T): Uint8Array {
  return signBytes(kind, genesisId, encode(codec, body));
}
