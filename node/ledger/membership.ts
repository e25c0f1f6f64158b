import { equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { type Epoch, epochTable, idHorizonAt, PREVIOUS, readEpoch } from '../../ledger/modules/epoch.ts';
import { guests, isGuestAt, summary } from '../../ledger/modules/node-keys.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import type { StateChange, StateReader } from '../../ledger/overlay.ts';
import { validatorsHash } from '../../ledger/validators.ts';
import type { Guest, Head, Membership } from '../ports.ts';
import { LedgerError } from './error.ts';

type Next = Pick<Head, 'nextEpoch' | 'nextValidatorsHash'>;

/** E1: the epochs that the rows of the newest block speak of. */
export class Epochs {
  /** Of the next block. */
  readonly current: Epoch;
  readonly previous: Epoch | undefined;
  readonly #hash: Uint8Array;

  constructor(state: StateReader) {
    const current = readEpoch(state, CURRENT);
    if (current === undefined) throw new LedgerError('STATE_DAMAGED', 'the state has no epoch');
    this.current = current;
    this.previous = readEpoch(state, PREVIOUS);
    this.#hash = validatorsHash(current.validators);
  }

  /** What a head says about the block above it. */
  get next(): Next {
    return { nextEpoch: this.current.number, nextValidatorsHash: this.#hash };
  }

  /** The same of a block inside one of both epochs. */
  inside(number: number): Next {
    if (number === this.current.number) return this.next;
    return { nextEpoch: number, nextValidatorsHash: validatorsHash(this.previous!.validators) };
  }

  /** The epoch of a block that is in one of both. */
  numberAt(height: number): number {
    return height >= this.current.firstHeight ? this.current.number : this.current.number - 1;
  }

  /** E8: in ms at a block time. */
  idHorizonAt(time: number): number {
    return idHorizonAt(this.current, time);
  }

  /** After a block with these changes on top of `below`. */
  after(changes: readonly StateChange[], below: StateReader): Epochs {
    if (!changes.some(({ table }) => table === epochTable.name)) return this;
    return new Epochs(readerOf(changes, below));
  }

  /** With whom `state`, of the same block and its time, admits besides. */
  membership(state: StateReader, time: number): Membership {
    return { current: this.current, previous: this.previous, ...guestsAt(state, time) };
  }
}

/** The state that changes give on top of another. */
export function readerOf(changes: readonly StateChange[], below?: StateReader): StateReader {
  return {
    get(table, key) {
      const change = changes.find((one) => one.table === table && equalBytes(one.key, key));
      return change === undefined ? below?.get(table, key) : (change.value ?? undefined);
    },
  };
}

/** Whether a block with these changes admits somebody else to the network. */
export function changesMembership(changes: readonly StateChange[]): boolean {
  return changes.some(({ table }) => table === epochTable.name || table === guests.name);
}

/** A candidate whose proposal is over is no guest any more, though its row stays until somebody needs the place. */
function guestsAt(state: StateReader, time: number): Pick<Membership, 'guests' | 'guestsUntil'> {
  const row = state.get(summary.name, utf8Encode(CURRENT));
  const admitted: Guest[] = [];
  let guestsUntil: number | undefined;
  for (const peerKey of row === undefined ? [] : decode(summary.value, row).guests) {
    const guest = decode(guests.value, state.get(guests.name, peerKey)!);
    if (!isGuestAt(guest, time)) continue;
    admitted.push({ name: guest.name, peerKey });
    if (guest.until !== 0) guestsUntil = Math.min(guestsUntil ?? guest.until, guest.until);
  }
  return { guests: admitted, guestsUntil };
}
