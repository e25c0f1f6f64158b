import type { Receipt } from '../../ledger/block.ts';
import { toHex } from '../../ledger/bytes.ts';
import { signEd25519 } from '../../ledger/ed25519.ts';
import type { GenesisPieces } from '../../ledger/execution.ts';
import type { RoleLimits } from '../../ledger/modules/account-limits.ts';
import { type Epoch, readEpoch } from '../../ledger/modules/epoch.ts';
import {
  type GovernanceChange,
  type GovernanceProposal,
  governanceProposalCodec,
  governanceProposalId,
} from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import { type Ready, readyMessage, rotationMessage, type SignedReady, signedReadyCodec } from '../../ledger/ready.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import type { Validator } from '../../ledger/validators.ts';
import { seedOf } from './chain.ts';
import { GENESIS_ID, START, TestChain, verdict } from './execution.ts';
import { memberKey } from './members.ts';

/** Organisations of the tests: three of the four decide. */
const ORGANISATIONS = {
  acme: { administrators: ['a1', 'a2', 'a3'], threshold: 2 },
  globex: { administrators: ['g1', 'g2'], threshold: 1 },
  initech: { administrators: ['i1'], threshold: 1 },
  umbra: { administrators: ['u1'], threshold: 1 },
} as const;
const NAMES = Object.keys(ORGANISATIONS);

/** The last one of them decides. */
export const DECIDERS = ['a1', 'a2', 'g1', 'i1'] as const;
const EXPIRES = START + 20 * 86_400_000;

export interface ProposalOptions {
  readonly nonce?: number;
  readonly expires?: number;
}

/** Validator `v3` of the third organisation, with peer key `p3`. */
export function validatorOf(index: number): Validator {
  return candidateOf(`v${index}`, NAMES[index % 4]!, `p${index}`);
}

export function candidateOf(name: string, organisation = 'umbra', peer = `peer of ${name}`): Validator {
  return { name, organisation, key: memberKey(name), peerKey: memberKey(peer) };
}

/** Four organisations with validators in turn, and what their administrators do. */
export class GovernanceChain extends TestChain {
  constructor(n = 4, parameters: Partial<Parameters> = {}, pieces: Partial<GenesisPieces> = {}) {
    super(quorateApplication, parameters, {
      organisations: Object.entries(ORGANISATIONS).map(([name, { administrators, threshold }]) => ({
        name,
        administrators: administrators.map(memberKey),
        threshold,
        roles: ['writer'],
      })),
      validators: Array.from({ length: n }, (_, index) => validatorOf(index)),
      accounts: [
        { key: memberKey('ann'), name: 'ann', organisation: 'acme', roles: ['writer'] },
        { key: memberKey('uma'), name: 'uma', organisation: 'umbra', roles: ['writer'] },
      ],
      ...pieces,
    });
  }

  get epoch(): Epoch {
    return readEpoch(this.state, CURRENT)!;
  }

  /** Names of the set, in its order. */
  get names(): readonly string[] {
    return this.epoch.validators.map(({ name }) => name);
  }

  approval(by: string, change: GovernanceChange, options: ProposalOptions = {}): Transaction {
    const args = governanceProposalCodec.toJson(proposalOf(change, options));
    return this.transaction(memberKey(by), [this.call('governance', 'approve', args)]);
  }

  approve(by: string, change: GovernanceChange, options: ProposalOptions = {}): string {
    return outcomeOf(this.run([this.approval(by, change, options)]).receipts[0]!);
  }

  /** By as many as are needed; what became of it with the last. */
  decide(change: GovernanceChange, options: ProposalOptions = {}): string {
    for (const by of DECIDERS.slice(0, -1)) {
      const outcome = this.approve(by, change, options);
      if (outcome !== 'open') return outcome;
    }
    return this.approve(DECIDERS.at(-1)!, change, options);
  }

  retract(by: string, change: GovernanceChange, options: ProposalOptions = {}): string {
    const proposal = toHex(idOf(change, options));
    return verdict(this.send(memberKey(by), 'governance', 'retract', { proposal }));
  }

  /** A READY of a candidate, signed by the key of whoever is `by`. */
  ready(candidate: Validator, other: Partial<Ready> = {}, by = candidate.name): SignedReady {
    const { number, parameters } = this.epoch;
    const { protocolVersion, application, applicationVersion } = parameters;
    const { key, peerKey } = candidate;
    const versions = { protocolVersion, application, applicationVersion };
    const ready = { epoch: number, height: this.height, ...versions, key, peerKey, ...other };
    return { ready, signature: signEd25519(readyMessage(GENESIS_ID, ready), seedOf(by)) };
  }

  activation(change: GovernanceChange, ready = this.readyAll(change), options: ProposalOptions = {}): Transaction {
    const args = {
      proposal: toHex(idOf(change, options)),
      ready: ready.map((one) => signedReadyCodec.toJson(one)),
    };
    return this.transaction(memberKey('u1'), [this.call('governance', 'activate', args)]);
  }

  activate(change: GovernanceChange, ready = this.readyAll(change), options: ProposalOptions = {}): string {
    return outcomeOf(this.run([this.activation(change, ready, options)]).receipts[0]!);
  }

  readyAll(change: GovernanceChange): readonly SignedReady[] {
    return change.kind === 'validators' ? change.value.add.map((one) => this.ready(one)) : [];
  }
}

export function proposalOf(change: GovernanceChange, options: ProposalOptions = {}): GovernanceProposal {
  const nonce = new Uint8Array(8);
  new DataView(nonce.buffer).setUint32(4, options.nonce ?? 0);
  return { nonce, expires: options.expires ?? EXPIRES, change };
}

export function idOf(change: GovernanceChange, options: ProposalOptions = {}): Uint8Array {
  return governanceProposalId(proposalOf(change, options));
}

/** `open`, `passed` or `effective`, or the code of a failure. */
export function outcomeOf(receipt: Receipt): string {
  const came = verdict(receipt);
  const said = (name: string) => receipt.events.some((one) => one.module === 'governance' && one.name === name);
  return came !== 'ok' ? came : said('changed') ? 'effective' : said('passed') ? 'passed' : 'open';
}

/** Changes by the names of keys. */
export const decision = {
  parameters: (chain: GovernanceChain, other: Partial<Parameters>): GovernanceChange => ({
    kind: 'parameters',
    value: { ...chain.epoch.parameters, ...other },
  }),
  add: (candidate: Validator, shrinksTo = 0): GovernanceChange => ({
    kind: 'validators',
    value: { add: [candidate], remove: [], shrinksTo },
  }),
  remove: (name: string, shrinksTo = 0): GovernanceChange => ({
    kind: 'validators',
    value: { add: [], remove: [memberKey(name)], shrinksTo },
  }),
  set: (add: readonly Validator[], remove: readonly string[], shrinksTo = 0): GovernanceChange => ({
    kind: 'validators',
    value: { add, remove: remove.map(memberKey), shrinksTo },
  }),
  /** `other`: what the next key signs instead, or who signs. */
  rotate: (
    now: Validator,
    next: string,
    { peerKey = now.peerKey, by = next, genesisId = GENESIS_ID, signed = {} as Partial<Validator> } = {},
  ): GovernanceChange => {
    const rotated = { ...now, key: memberKey(next), peerKey };
    const possession = signEd25519(rotationMessage(genesisId, { ...rotated, ...signed }), seedOf(by));
    return { kind: 'rotate', value: { key: now.key, next: rotated.key, peerKey, possession } };
  },
  admit: (name: string, ...administrators: string[]): GovernanceChange => ({
    kind: 'admit',
    value: {
      name,
      administration: { administrators: administrators.map(memberKey), threshold: 1 },
      roles: ['writer'],
    },
  }),
  expel: (organisation: string): GovernanceChange => ({ kind: 'expel', value: { organisation } }),
  observer: (name: string, organisation = 'umbra', key = name): GovernanceChange => ({
    kind: 'observer',
    value: { name, organisation, peerKey: memberKey(key) },
  }),
  /** `undefined`: its row goes. */
  limits: (role: string, limits: RoleLimits | undefined): GovernanceChange => ({
    kind: 'limits',
    value: { role, limits: limits === undefined ? { kind: 'none', value: {} } : { kind: 'these', value: limits } },
  }),
  removeObserver: (key: string): GovernanceChange => ({ kind: 'removeObserver', value: { peerKey: memberKey(key) } }),
};
