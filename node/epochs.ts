import type { Genesis } from '../genesis/genesis.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { decode } from '../ledger/codec.ts';
import type { Epoch } from '../ledger/modules/epoch.ts';
import type { Validator, ValidatorSet } from '../ledger/validators.ts';
import type { GuestInfo, PeerSet } from '../p2p/index.ts';
import type { Signing } from './guard.ts';
import { JournalError } from './journal/error.ts';
import { CATCH_UP_DELAY_MS, STATUS_INTERVAL_MS } from './limits.ts';
import type { ReplicaConfig } from './pbft/state.ts';
import type { MessageContext } from './pbft/verify.ts';
import { NO_MEMBER } from './pool-entry.ts';
import type { JournalBeginning, JournalPort, Membership, OpenedLedger } from './ports.ts';
import type { Signer } from './signatures.ts';

/** E3: the epoch that a node starts in: that of the next block, unless the newest block ends one and is not stable here. */
export function startingEpoch({ membership, head, certificate }: OpenedLedger): Epoch {
  const { current, previous } = membership;
  if (previous === undefined || head.height >= current.firstHeight) return current;
  const height = certificate && decode(certificateCodec, certificate).checkpoint.height;
  return height === head.height ? current : previous;
}

/** Who this node is in an epoch: the member with its peer key, if it holds the consensus key that the set names for it. */
export function signingIn({ number, validators }: Epoch, peerKey: Uint8Array, signers: readonly Signer[]): Signing {
  const index = indexIn(validators, { peerKey });
  const signer = signers.find(({ publicKey }) => index >= 0 && equalBytes(publicKey, validators[index]!.key));
  return { epoch: number, signer, self: signer === undefined ? undefined : index };
}

/**
 * Whom the node with this peer key talks to in an epoch, also when it has no vote there. E6: members of the epoch before go on
 * being served as guests while `servesLeaving`. `genesis` has hints where to find those that were there from the beginning.
 */
export function peerSetOf(
  { number, validators }: Epoch,
  peerKey: Uint8Array,
  { previous, guests }: Membership,
  servesLeaving: boolean,
  genesis: Pick<Genesis, 'validators' | 'addresses'>,
): PeerSet {
  const leaving = servesLeaving && previous !== undefined && previous.number === number - 1 ? previous.validators : [];
  const index = indexIn(validators, { peerKey });
  return {
    epoch: number,
    self: index === NO_MEMBER ? undefined : index,
    peers: validators.map((peer) => ({
      name: peer.name,
      peerKey: peer.peerKey,
      addresses: genesis.addresses[indexIn(genesis.validators, peer)] ?? [],
    })),
    guests: withoutMembers([...guests, ...leaving], validators),
  };
}

/** How messages are checked in every epoch. */
export type Checks = Pick<MessageContext, 'genesisId' | 'verify' | 'isVerified'>;

export function contextOf({ number, firstHeight, validators, parameters }: Epoch, checks: Checks): MessageContext {
  return { ...checks, epoch: number, validators, beginning: firstHeight - 1, window: parameters.window };
}

export function configOf(
  { number, firstHeight, validators, parameters }: Epoch,
  self: number | undefined,
  genesisId: Uint8Array,
): ReplicaConfig {
  return {
    genesisId,
    epoch: number,
    firstHeight,
    validators,
    self,
    parameters,
    statusIntervalMs: STATUS_INTERVAL_MS,
    catchUpDelayMs: CATCH_UP_DELAY_MS,
  };
}

/** R6: a journal begins anew; why it does not, if it is in doubt through this epoch too. */
export async function renewed(journal: JournalPort, beginning: JournalBeginning): Promise<string | undefined> {
  try {
    await journal.renew(beginning);
    return undefined;
  } catch (error) {
    if (error instanceof JournalError && error.code === 'JOURNAL_IN_DOUBT') return error.message;
    throw error;
  }
}

/** Where a peer is in a set; NO_MEMBER if it is not. */
export function indexIn(
  set: readonly Pick<Validator, 'peerKey'>[],
  peer: { readonly peerKey: Uint8Array } | undefined,
): number {
  return peer === undefined ? NO_MEMBER : set.findIndex(({ peerKey }) => equalBytes(peerKey, peer.peerKey));
}

function withoutMembers(guests: readonly GuestInfo[], validators: ValidatorSet): GuestInfo[] {
  const known = validators.map(({ peerKey }) => peerKey);
  const kept: GuestInfo[] = [];
  for (const { name, peerKey } of guests) {
    if (known.some((key) => equalBytes(key, peerKey))) continue;
    known.push(peerKey);
    kept.push({ name, peerKey });
  }
  return kept;
}
