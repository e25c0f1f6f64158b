import { concatBytes, utf8Encode } from '../bytes.ts';
import {
  bytes,
  bytes32,
  bytes64,
  type CodecType,
  checked,
  encode,
  list,
  struct,
  text,
  u16,
  u64,
  union,
} from '../codec.ts';
import { sha256 } from '../hash.ts';
import { CHANGED_MEMBERS_MAX, GOVERNANCE_APPROVALS_MAX, NAME_BYTES_MAX, RECOVERY_REASON_BYTES_MAX } from '../limits.ts';
import { parametersCodec } from '../parameters.ts';
import { bytesPart, defineTable } from '../table.ts';
import { chosenLimits } from './account-limits.ts';
import { administration, nameCodec, repeatedKey, roleList } from './changes.ts';

/** What organisations decide together, and what is kept of it. */

/** A Validator with a name that people can read. */
const validator = struct({ name: nameCodec, organisation: nameCodec, key: bytes32, peerKey: bytes32 });

export const governanceChangeCodec = union({
  /** All of them, as they will be. */
  parameters: [1, parametersCodec],
  /** The set: additions at its end, in this order; whoever stays keeps the order. */
  validators: [
    2,
    checked(
      struct({
        add: list(validator, CHANGED_MEMBERS_MAX),
        /** Consensus keys. */
        remove: list(bytes32, CHANGED_MEMBERS_MAX),
        /** E4: the size of the set that results if it is below 4 or tolerates fewer faults than now; else 0. */
        shrinksTo: u16,
      }),
      ({ add, remove }) =>
        repeatedKey([...remove, ...add.flatMap(({ key, peerKey }) => [key, peerKey])]) ??
        (new Set(add.map(({ name }) => name)).size === add.length ? undefined : 'expected each name once'),
    ),
  ],
  /** Other keys for a validator, which keeps its name and place. Its own organisation decides. */
  rotate: [
    3,
    struct({
      /** Its consensus key. */
      key: bytes32,
      /** As they will be; one of them may stay as it is. */
      next: bytes32,
      peerKey: bytes32,
      /** By `next`, over `rotationMessage`. */
      possession: bytes64,
    }),
  ],
  admit: [4, struct({ name: nameCodec, administration, roles: roleList(0) })],
  /** For ever. */
  expel: [5, struct({ organisation: nameCodec })],
  observer: [6, struct({ name: nameCodec, organisation: nameCodec, peerKey: bytes32 })],
  removeObserver: [7, struct({ peerKey: bytes32 })],
  /** How much an account with this role may send at one node; `none`: as if nothing had ever been said of it. */
  limits: [8, struct({ role: nameCodec, limits: union({ none: [1, struct({})], these: [2, chosenLimits] }) })],
});
export type GovernanceChange = CodecType<typeof governanceChangeCodec>;
export type ChangeOf<K extends GovernanceChange['kind']> = Extract<GovernanceChange, { readonly kind: K }>['value'];

/** Exactly what administrators approve. */
export const governanceProposalCodec = struct({
  /** Only makes ids differ: the same change twice needs two of them. */
  nonce: bytes(8),
  /** Block time in ms up to which it can be approved and activated. */
  expires: u64,
  change: governanceChangeCodec,
});
export type GovernanceProposal = CodecType<typeof governanceProposalCodec>;

const DOMAIN = utf8Encode('governance proposal');

export function governanceProposalId(proposal: GovernanceProposal): Uint8Array {
  return sha256(concatBytes(DOMAIN, encode(governanceProposalCodec, proposal)));
}

export const governanceApprovalCodec = struct({
  organisation: text(NAME_BYTES_MAX, 1),
  administrator: bytes32,
  /** Block time in ms. */
  time: u64,
});
export type GovernanceApproval = CodecType<typeof governanceApprovalCodec>;

const approved = {
  proposal: governanceProposalCodec,
  approvals: list(governanceApprovalCodec, GOVERNANCE_APPROVALS_MAX, 1),
};

/** Id to a proposal that has approvals, and to what became of it: what was effective once is so never again. */
export const governanceProposals = defineTable(
  'governance.proposals',
  [bytesPart(32)],
  union({
    open: [1, struct(approved)],
    /** Decided; takes effect when its candidates have shown that they are ready, if that is before it expires. */
    passed: [2, struct(approved)],
    effective: [3, struct({ number: u64 })],
  }),
);

/** Number, from 1 without a gap, to a change that took effect. */
export const governanceHistory = defineTable(
  'governance.history',
  [bytesPart(8)],
  struct({
    ...approved,
    /** In this block, and by the administrator who sent the last transaction that it needed. */
    height: u64,
    time: u64,
    by: bytes32,
  }),
);

/** R10: number of an epoch that was ended by a recovery to what it said. */
export const recoveries = defineTable(
  'governance.recoveries',
  [bytesPart(8)],
  struct({
    /** Of the empty block that it put on top of the last certified one. */
    height: u64,
    time: u64,
    reason: text(RECOVERY_REASON_BYTES_MAX, 1),
  }),
);
