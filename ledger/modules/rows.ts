import { bytes32, type CodecType, list, struct, text, u8, u16, u64 } from '../codec.ts';
import { ADMINISTRATORS_MAX, GUESTS_MAX, NAME_BYTES_MAX, ROLES_MAX } from '../limits.ts';

/** Rows that light clients read too (R10), without what tables are made of. */

/** The key of what there is one of. */
export const CURRENT = 'current';

export const ORGANISATIONS = 'members.organisations';
export const EXPELLED = 'members.expelled';
export const SUMMARY = 'governance.summary';

export const organisationCodec = struct({
  /** `threshold` of them act for the organisation. */
  administrators: list(bytes32, ADMINISTRATORS_MAX, 1),
  threshold: u8,
  /** What it may give to its accounts; genesis says so. */
  roles: list(text(NAME_BYTES_MAX, 1), ROLES_MAX),
  /** How many changes of it have taken effect: the number of the newest one. */
  changes: u64,
});
export type Organisation = CodecType<typeof organisationCodec>;

/** What else would have to be counted over whole tables. */
export const summaryCodec = struct({
  /** That are not expelled. */
  organisations: u16,
  /** How many changes have taken effect: the number of the newest one in `governance.history`. */
  changes: u64,
  /** Peer keys of all rows of `governance.guests`. */
  guests: list(bytes32, GUESTS_MAX),
});
