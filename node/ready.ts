import { equalBytes } from '../ledger/bytes.ts';
import { readyMessage, type SignedReady } from '../ledger/ready.ts';
import type { ReplicaState } from './pbft/state.ts';
import type { Signer } from './signatures.ts';

/**
 * E5: the READY of a node that follows the chain and could vote from the next block on, by the consensus key that it would
 * vote with: the last of its keys that the set does not name. Or why there is none.
 */
export function signReady(
  { config, executed, mode }: ReplicaState,
  peerKey: Uint8Array,
  signers: readonly Signer[],
  isCurrent: boolean,
): SignedReady | string {
  if (mode !== 'observing') return 'this node is a validator already';
  // Whoever does not know that it is behind may only not have heard of anything yet.
  if (!isCurrent) return `this node is catching up, from height ${executed.height} of epoch ${config.epoch}`;
  const named = (key: Uint8Array): boolean => config.validators.some((validator) => equalBytes(validator.key, key));
  const signer = signers.findLast(({ publicKey }) => !named(publicKey));
  if (signer === undefined) return 'this node has no consensus key';
  const { protocolVersion, application, applicationVersion } = config.parameters;
  const ready = {
    epoch: config.epoch,
    height: executed.height,
    protocolVersion,
    application,
    applicationVersion,
    key: signer.publicKey,
    peerKey,
  };
  return { ready, signature: signer.sign(readyMessage(config.genesisId, ready)) };
}
