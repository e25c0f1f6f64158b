import assert from 'node:assert/strict';
import { equalBytes } from '../ledger/bytes.ts';
import { type Reply, replySignBytes, type SignedReply } from '../ledger/reply.ts';
import {
  type Message,
  type Signable,
  signableBytes,
  signMessage,
  type Unsigned,
  type VoteKind,
} from './pbft/messages.ts';
import type { Signer } from './signatures.ts';

/** Who signs in an epoch: nobody, where this node is no member. */
export interface Signing {
  readonly epoch: number;
  readonly signer: Signer | undefined;
  readonly self: number | undefined;
}

interface Signed {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * S2, N2: the one place that holds the consensus key. One signed content per slot; asked again it answers the first. A
 * second, different content is our own bug and stops the process before it becomes equivocation.
 */
export class SigningGuard {
  readonly #genesisId: Uint8Array;
  #signer: Signer | undefined;
  /** Index of this member; undefined, like the signer, while it is none. */
  #self: number | undefined;
  #epoch: number;
  /** By height; 0 holds VIEW-CHANGE and NEW-VIEW. */
  readonly #slots = new Map<number, Map<string, Signed>>();
  #floor = 0;
  /** V5: the view of the newest VIEW-CHANGE; no vote below it. */
  #asked = 0;

  constructor(genesisId: Uint8Array, signing: Signing) {
    this.#genesisId = genesisId;
    this.#epoch = signing.epoch;
    this.#signer = signing.signer;
    this.#self = signing.self;
  }

  /** E3: a later epoch, with its own views and slots. Nothing of an earlier one is signed any more. */
  enter({ epoch, signer, self }: Signing): void {
    assert(epoch > this.#epoch, `asked to enter epoch ${epoch} after epoch ${this.#epoch}`);
    this.#epoch = epoch;
    this.#signer = signer;
    this.#self = self;
    this.#asked = 0;
    this.#slots.clear();
  }

  /** The signed message. */
  sign(unsigned: Unsigned): Message {
    // V6: the PRE-PREPAREs of a carry are as unique as the NEW-VIEW that holds them, also where heights became stable.
    const carries = unsigned.kind === 'newView';
    return signMessage(unsigned, this.#member(), (one) => this.#signOne(one, carries));
  }

  /** C5. A reply fills no slot: it is signed whenever it is asked for, by its own kind of bytes. */
  signReply(reply: Reply): SignedReply {
    const sender = this.#member();
    return { reply, sender, signature: this.#sign(replySignBytes(this.#genesisId, reply)) };
  }

  /** Nothing at or below `height` is ever signed again. */
  forget(height: number): void {
    if (height <= this.#floor) return;
    this.#floor = height;
    for (const known of this.#slots.keys()) if (known !== 0 && known <= height) this.#slots.delete(known);
  }

  #signOne(signable: Signable, carries: boolean): Uint8Array {
    const bytes = signableBytes(this.#genesisId, signable);
    if (signable.kind === 'status') return this.#sign(bytes);
    const epoch = signable.kind === 'checkpoint' ? signable.checkpoint.epoch : signable.vote.epoch;
    assert(epoch === this.#epoch, `asked to sign ${signable.kind} of epoch ${epoch} in epoch ${this.#epoch}`);
    const { height, slot } = slotOf(signable);
    if (signable.kind === 'viewChange' || signable.kind === 'newView') this.#enter(signable.kind, signable.vote.view);
    else assert(carries || height > this.#floor, `asked to sign ${slot} at or below the stable height ${this.#floor}`);
    if (signable.kind !== 'checkpoint' && signable.kind !== 'viewChange') {
      const { view } = signable.vote;
      assert(view >= this.#asked, `asked to sign ${slot} after a VIEW-CHANGE for view ${this.#asked}`);
    }
    let atHeight = this.#slots.get(height);
    if (atHeight === undefined) {
      atHeight = new Map();
      this.#slots.set(height, atHeight);
    }
    const first = atHeight.get(slot);
    if (first !== undefined) {
      assert(equalBytes(first.bytes, bytes), `asked to sign a second content for ${slot}`);
      return first.signature;
    }
    const signature = this.#sign(bytes);
    atHeight.set(slot, { bytes, signature });
    return signature;
  }

  #member(): number {
    assert(this.#self !== undefined, `asked to sign in epoch ${this.#epoch}, of which this node is no member`);
    return this.#self;
  }

  #sign(bytes: Uint8Array): Uint8Array {
    assert(this.#signer !== undefined, 'asked to sign without a key');
    return this.#signer.sign(bytes);
  }

  /** Views only rise; what was signed about lower ones is not needed to refuse them. */
  #enter(kind: 'viewChange' | 'newView', view: number): void {
    assert(view >= this.#asked, `asked to sign ${kind} of view ${view} after a VIEW-CHANGE for view ${this.#asked}`);
    if (view === this.#asked) return;
    this.#asked = view;
    this.#slots.delete(0);
  }
}

function slotOf(signable: Exclude<Signable, { kind: 'status' }>): { height: number; slot: string } {
  if (signable.kind === 'checkpoint') {
    const { epoch, height } = signable.checkpoint;
    return { height, slot: `checkpoint ${epoch} ${height}` };
  }
  const { epoch, view, height } = signable.vote;
  return { height, slot: `${signable.kind satisfies VoteKind} ${epoch} ${view} ${height}` };
}
