import assert from 'node:assert/strict';
import { equalBytes } from '../ledger/bytes.ts';
import { type Unsigned, unsignedBytes } from './pbft/messages.ts';
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
  readonly #slots = new Map<number, Map<string, Signed>>();
  #floor = 0;

  constructor(genesisId: Uint8Array, signer: Signer) {
    this.#genesisId = genesisId;
    this.#signer = signer;
  }

  /** 64 bytes over the sign bytes of `unsigned`. */
  sign(unsigned: Unsigned): Uint8Array {
    const bytes = unsignedBytes(this.#genesisId, unsigned);
    if (unsigned.kind === 'status') return this.#signer.sign(bytes);
    const { height, slot } = slotOf(unsigned);
    assert(height > this.#floor, `asked to sign ${slot} at or below the stable height ${this.#floor}`);
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

  /** Nothing at or below `height` is ever signed again. */
  forget(height: number): void {
    if (height <= this.#floor) return;
    this.#floor = height;
    for (const known of this.#slots.keys()) if (known <= height) this.#slots.delete(known);
  }
}

function slotOf(unsigned: Exclude<Unsigned, { kind: 'status' }>): { height: number; slot: string } {
  if (unsigned.kind === 'checkpoint') {
    const { epoch, height } = unsigned.checkpoint;
    return { height, slot: `checkpoint ${epoch} ${height}` };
  }
  const { epoch, view, height } = unsigned.vote;
  return { height, slot: `${unsigned.kind} ${epoch} ${view} ${height}` };
}
