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
  readonly #signer: Signer;
  /** Index of this member. */
  readonly #self: number;
  /** By height; 0 holds VIEW-CHANGE and NEW-VIEW. */
  readonly #slots = new Map<number, Map<string, Signed>>();
  #floor = 0;
  /** V5: the view of the newest VIEW-CHANGE; no vote below it. */
  #asked = 0;

  constructor(genesisId: Uint8Array, signer: Signer, self: number) {
    this.#genesisId = genesisId;
    this.#signer = signer;
    this.#self = self;
  }

  /** The signed message. */
  sign(unsigned: Unsigned): Message {
    // V6: the PRE-PREPAREs of a carry are as unique as the NEW-VIEW that holds them, also where heights became stable.
    const carries = unsigned.kind === 'newView';
    return signMessage(unsigned, this.#self, (one) => this.#signOne(one, carries));
  }

  /** C5. A reply fills no slot: it is signed whenever it is asked for, by its own kind of bytes. */
  signReply(reply: Reply): SignedReply {
    const signature = this.#signer.sign(replySignBytes(this.#genesisId, reply));
    return { reply, sender: this.#self, signature };
  }

  /** Nothing at or below `height` is ever signed again. */
  forget(height: number): void {
    if (height <= this.#floor) return;
    this.#floor = height;
    for (const known of this.#slots.keys()) if (known !== 0 && known <= height) this.#slots.delete(known);
  }

  #signOne(signable: Signable, carries: boolean): Uint8Array {
    const bytes = signableBytes(this.#genesisId, signable);
    if (signable.kind === 'status') return this.#signer.sign(bytes);
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
    const signature = this.#signer.sign(bytes);
    atHeight.set(slot, { bytes, signature });
    return signature;
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
