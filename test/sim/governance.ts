import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import {
  type GovernanceChange,
  type GovernanceProposal,
  governanceProposalCodec,
  governanceProposalId,
} from '../../ledger/modules/governance-change.ts';
import { readyMessage, rotationMessage, type SignedReady, signedReadyCodec } from '../../ledger/ready.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import type { Validator } from '../../ledger/validators.ts';
import type { SimChain } from './chain.ts';
import type { SimNode } from './node.ts';

/** What the administrators of one run sign, each transaction with another nonce. */
export class Administrators {
  readonly #chain: SimChain;
  #nonce = 1_000_000;

  constructor(chain: SimChain) {
    this.#chain = chain;
  }

  /** The approval by each of these organisations; `validUntil` in ms of chain time. */
  approvals(proposal: GovernanceProposal, organisations: readonly string[], validUntil: number): Transaction[] {
    const args = governanceProposalCodec.toJson(proposal) as Json;
    return organisations.map((name) => this.#transaction(name, 'approve', args, validUntil));
  }

  activation(
    proposal: GovernanceProposal,
    organisation: string,
    ready: readonly SignedReady[],
    validUntil: number,
  ): Transaction {
    const args = {
      proposal: toHex(governanceProposalId(proposal)),
      ready: ready.map((one) => signedReadyCodec.toJson(one)),
    } as Json;
    return this.#transaction(organisation, 'activate', args, validUntil);
  }

  /** E4: a key that was in a set once is in none again, so a machine comes with a new one. */
  newValidator(node: SimNode): Validator {
    const { genesis } = this.#chain;
    const signer = this.#chain.newSigner(node.machine);
    node.addKey(signer);
    const organisation = genesis.organisations[node.machine % genesis.organisations.length]!.name;
    const name = `v${node.machine}-${this.#nonce}`;
    return { name, organisation, key: signer.publicKey, peerKey: node.peerKey };
  }

  /** Another consensus key for a member. */
  rotation(node: SimNode, own: Validator): GovernanceChange {
    const signer = this.#chain.newSigner(node.machine);
    node.addKey(signer);
    const next = { ...own, key: signer.publicKey };
    const message = rotationMessage(this.#chain.genesis.id, next);
    const possession = this.#chain.realSignerOf(signer).sign(message);
    return { kind: 'rotate', value: { key: own.key, next: signer.publicKey, peerKey: own.peerKey, possession } };
  }

  #transaction(organisation: string, action: string, args: Json, validUntil: number): Transaction {
    const signer = this.#chain.administratorOf(organisation);
    const options = { nonce: this.#nonce++, validUntil, signer };
    return this.#chain.sign(`admin ${organisation}`, 'governance', action, args, options);
  }
}

/** E5: what a candidate that follows signs; nothing while it does not. */
export function readyOf(chain: SimChain, node: SimNode): SignedReady | undefined {
  const state = node.validator?.state;
  if (state === undefined || state.mode !== 'observing' || state.low > state.executed.height) return undefined;
  const { parameters, epoch } = state.config;
  const { protocolVersion, application, applicationVersion } = parameters;
  const signer = node.signers.at(-1)!;
  const versions = { protocolVersion, application, applicationVersion };
  const ready = { epoch, height: state.executed.height, ...versions, key: signer.publicKey, peerKey: node.peerKey };
  return { ready, signature: chain.realSignerOf(signer).sign(readyMessage(chain.genesis.id, ready)) };
}
