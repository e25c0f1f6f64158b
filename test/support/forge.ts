import { type Batch, batchDigest } from '../../ledger/block.ts';
import { utf8Encode } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import { sha256 } from '../../ledger/hash.ts';
import { leaderIndex, multiSignature, quorum, type Validator, validatorsHash } from '../../ledger/validators.ts';
import { carryOf } from '../../node/pbft/carry.ts';
import {
  type CommitCertificate,
  type Message,
  type NewView,
  type PreparedCertificate,
  type Signable,
  signableBytes,
  signMessage,
  type Unsigned,
  type ViewChange,
  type Vote,
} from '../../node/pbft/messages.ts';
import { type MessageContext, verifyMessage } from '../../node/pbft/verify.ts';
import { chooseSignatures, type Signer } from '../../node/signatures.ts';

const { verify } = chooseSignatures();
const WINDOW = 8;

/** What signs a message: a chain and the keys of its members. */
export interface Signing {
  readonly genesisId: Uint8Array;
  readonly validators: readonly Validator[];
  readonly members: readonly { readonly signer: Signer }[];
}

export const digestOf = (name: string): Uint8Array => sha256(utf8Encode(name));

/** Holds the keys of all members and signs whatever is asked for, right or wrong. */
export class Forge {
  readonly chain: Signing;
  readonly n: number;
  readonly q: number;
  readonly context: MessageContext;

  constructor(chain: Signing) {
    const { genesisId, validators } = chain;
    this.chain = chain;
    this.n = validators.length;
    this.q = quorum(this.n);
    this.context = { genesisId, epoch: 0, validators, verify, beginning: 0, window: WINDOW };
  }

  sign(member: number, one: Signable): Uint8Array {
    return this.chain.members[member]!.signer.sign(signableBytes(this.chain.genesisId, one));
  }

  message(member: number, unsigned: Unsigned): Message {
    return signMessage(unsigned, member, (one) => this.sign(member, one));
  }

  leader(view: number): number {
    return leaderIndex(0, view, this.n);
  }

  vote(view: number, height: number, digest = digestOf(`batch ${height}`)): Vote {
    return { epoch: 0, view, height, digest };
  }

  proposal(view: number, batch: Batch): Message {
    const vote = this.vote(view, batch.height, batchDigest(batch));
    return this.message(this.leader(view), { kind: 'prePrepare', vote, batch });
  }

  /** N7: PREPAREs of `signers`, the first q-1 that don't lead if not given. */
  prepared({ view, height, digest }: Vote, signers = this.followers(view).slice(0, this.q - 1)): PreparedCertificate {
    const vote = this.vote(view, height, digest);
    const prepares = multiSignature(
      this.n,
      new Map(signers.map((member) => [member, this.sign(member, { kind: 'prepare', vote })])),
    );
    return { vote, prePrepareSignature: this.sign(this.leader(view), { kind: 'prePrepare', vote }), prepares };
  }

  commits(vote: Vote, signers: readonly number[]): CommitCertificate['commits'] {
    const signatures = new Map(signers.map((member) => [member, this.sign(member, { kind: 'commit', vote })]));
    return multiSignature(this.n, signatures);
  }

  followers(view: number): number[] {
    return this.membersBut(this.leader(view));
  }

  membersBut(...left: readonly number[]): number[] {
    return Array.from({ length: this.n }, (_, member) => member).filter((member) => !left.includes(member));
  }

  checkpoint(height: number, change: Partial<Checkpoint> = {}): Checkpoint {
    const set = validatorsHash(this.chain.validators);
    const roots = { blockHash: digestOf(`block ${height}`), stateRoot: digestOf('state'), historyRoot: digestOf('h') };
    const at = { epoch: 0, validatorsHash: set, height, timestamp: 1_000_000 + height };
    return { ...at, ...roots, nextEpoch: 0, nextValidatorsHash: set, ...change };
  }

  certificate(
    checkpoint: Checkpoint,
    signers: readonly number[] = this.membersBut().slice(0, this.q),
    genesisId = this.chain.genesisId,
  ): Certificate {
    const message = checkpointSignBytes(genesisId, checkpoint);
    const signatures = new Map(signers.map((member) => [member, this.chain.members[member]!.signer.sign(message)]));
    return { scheme: 'ed25519-list', checkpoint, proof: multiSignature(this.n, signatures) };
  }

  viewChange(
    sender: number,
    view: number,
    { stable, prepared = [] }: { stable?: Certificate; prepared?: readonly PreparedCertificate[] } = {},
  ): ViewChange {
    const base =
      stable === undefined
        ? ({ kind: 'beginning', value: {} } as const)
        : ({ kind: 'certificate', value: stable } as const);
    const body = { epoch: 0, view, stable: base, prepared: [...prepared] };
    const message = this.message(sender, { kind: 'viewChange', body });
    return message.value as ViewChange;
  }

  /** `votes`: what the carry gives, if not said. */
  newView(view: number, viewChanges: readonly ViewChange[], votes = carryOf(0, view, viewChanges, 0).votes): NewView {
    const unsigned = { kind: 'newView' as const, epoch: 0, view, viewChanges, votes };
    return this.message(this.leader(view), unsigned).value as NewView;
  }

  /** `ok`, or the code and the detail of the refusal. */
  judge(message: Message, context: Partial<MessageContext> = {}): string {
    const judged = verifyMessage(message, { ...this.context, ...context });
    return judged.ok ? 'ok' : `${judged.reject.code}: ${judged.reject.detail}`;
  }
}
