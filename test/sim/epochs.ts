import { equalBytes, toHex } from '../../ledger/bytes.ts';
import type { Checkpoint } from '../../ledger/checkpoint.ts';
import { type ValidatorSet, validatorsHash } from '../../ledger/validators.ts';
import type { Vote } from '../../node/pbft/messages.ts';

/**
 * One epoch as the checker sees it: its set, and what correct members have signed in it. Members are called by their consensus
 * keys in hex, since an index is another member's in the next epoch.
 */
export class Epoch {
  readonly number: number;
  readonly validators: ValidatorSet;
  readonly firstHeight: number;
  readonly n: number;
  readonly f: number;
  /** Votes of this many are a quorum. */
  readonly q: number;
  readonly #keys: readonly string[];
  readonly #isFaulty: (key: string) => boolean;
  /** Who sent COMMIT, by height, digest and view. */
  readonly #commits = new Map<number, Map<string, Map<number, Set<string>>>>();
  /** What could be committed: the digest of a height and the lowest view in which it could. */
  readonly committed = new Map<number, { readonly digest: string; readonly view: number }>();
  /** Who signed PRE-PREPARE or PREPARE, by view, height and digest. */
  readonly #preparers = new Map<string, Set<string>>();
  /** Who signed VIEW-CHANGE, by view. */
  readonly #askers = new Map<number, Set<string>>();
  /** The highest view in which a member sent COMMIT, by member and height. */
  readonly #commitViews = new Map<string, Map<number, number>>();

  constructor(number: number, validators: ValidatorSet, firstHeight: number, isFaulty: (key: string) => boolean) {
    this.number = number;
    this.validators = validators;
    this.firstHeight = firstHeight;
    this.#isFaulty = isFaulty;
    this.#keys = validators.map(({ key }) => toHex(key));
    // Written out here: a mistake in the product's formula must not be shared.
    this.n = validators.length;
    this.f = Math.floor((this.n - 1) / 3);
    this.q = Math.ceil((this.n + this.f + 1) / 2);
  }

  has(key: string): boolean {
    return this.#keys.includes(key);
  }

  /** How many members may do anything. */
  get faulty(): number {
    return this.#keys.filter((key) => this.#isFaulty(key)).length;
  }

  /** Whether these correct members, with the signatures that all faulty ones of the set would give, are a quorum. */
  suffices(correct: ReadonlySet<string>): boolean {
    const signers = this.#keys.filter((key) => correct.has(key) || this.#isFaulty(key));
    return correct.size > 0 && signers.length >= this.q;
  }

  preparers({ view, height, digest }: Vote): Set<string> {
    return at(this.#preparers, `${view} ${height} ${toHex(digest)}`, () => new Set());
  }

  askers(view: number): Set<string> {
    return at(this.#askers, view, () => new Set());
  }

  /** By height, of one member. */
  commitViewsOf(key: string): ReadonlyMap<number, number> {
    return this.#commitViews.get(key) ?? new Map();
  }

  committers(height: number, digest: string, view: number): ReadonlySet<string> {
    return this.#commits.get(height)?.get(digest)?.get(view) ?? new Set();
  }

  /** I2: what is wrong when commit certificates of two digests could be made, of whichever two views. */
  countCommit(key: string, { height, view, digest }: Vote): string | undefined {
    const views = at(this.#commitViews, key, () => new Map<number, number>());
    views.set(height, Math.max(view, views.get(height) ?? 0));
    const name = toHex(digest);
    const ofHeight = at(this.#commits, height, () => new Map<string, Map<number, Set<string>>>());
    const signers = at(
      at(ofHeight, name, () => new Map<number, Set<string>>()),
      view,
      () => new Set<string>(),
    );
    signers.add(key);
    if (!this.suffices(signers)) return undefined;
    const known = this.committed.get(height);
    if (known !== undefined && known.digest !== name)
      return `height ${height} of epoch ${this.number}: ${known.digest} committed in view ${known.view}, ${name} in view ${view}`;
    if (known === undefined || view < known.view) this.committed.set(height, { digest: name, view });
    return undefined;
  }
}

/** What an epoch's last block gives. */
export interface NextEpoch {
  readonly number: number;
  readonly validators: ValidatorSet;
}

/**
 * All epochs that correct nodes have come to by executing, and how far a light client could follow: from genesis on, from one
 * set to the next by nothing but certificates (I16).
 */
export class Epochs {
  readonly #all: Epoch[];
  readonly #isFaulty: (key: string) => boolean;
  /** Newest epoch to whose set accepted certificates lead. */
  #trusted = 0;

  constructor(genesis: ValidatorSet, isFaulty: (key: string) => boolean) {
    this.#isFaulty = isFaulty;
    this.#all = [new Epoch(0, genesis, 1, isFaulty)];
  }

  get newest(): Epoch {
    return this.#all.at(-1)!;
  }

  of(number: number): Epoch | undefined {
    return this.#all[number];
  }

  /** The one to which a block of this height belongs. */
  at(height: number): Epoch {
    return this.#all.findLast(({ firstHeight }) => firstHeight <= height)!;
  }

  /** E2: above the last height of its epoch, which a correct node has executed: whoever knows that drops what it has there. */
  isVoid(number: number, height: number): boolean {
    const next = this.#all[number + 1];
    return next !== undefined && height >= next.firstHeight;
  }

  /** Its set, if a light client has reached it. */
  trusted(number: number): Epoch | undefined {
    return number <= this.#trusted ? this.#all[number] : undefined;
  }

  /** A correct node says what executing this height gave. What is wrong if others say otherwise. */
  ended(height: number, { number, validators }: NextEpoch): string | undefined {
    const known = this.#all[number];
    if (known === undefined) {
      const { newest } = this;
      if (number !== newest.number + 1) return `ends with epoch ${number}, the newest one is ${newest.number}`;
      if (height < newest.firstHeight) return `ends at ${height}, and begins at ${newest.firstHeight}`;
      this.#all.push(new Epoch(number, validators, height + 1, this.#isFaulty));
      return undefined;
    }
    if (known.firstHeight !== height + 1)
      return `epoch ${number} begins at ${height + 1}, for others at ${known.firstHeight}`;
    const [hash, other] = [validators, known.validators].map((set) => toHex(validatorsHash(set)));
    return hash === other ? undefined : `epoch ${number} has set ${hash}, for others ${other}`;
  }

  /** E2: a certificate whose signatures are right. What is wrong with the place at which it stands. */
  accepted({ epoch, height, nextEpoch, nextValidatorsHash }: Checkpoint): string | undefined {
    const { firstHeight } = this.#all[epoch]!;
    const next = this.#all[epoch + 1];
    const lastHeight = next === undefined ? Number.POSITIVE_INFINITY : next.firstHeight - 1;
    if (height < firstHeight || height > lastHeight)
      return `height ${height} of epoch ${epoch}, which has ${firstHeight} to ${lastHeight}`;
    const isLast = height === lastHeight;
    if (isLast !== nextEpoch > epoch)
      return `height ${height} leads to epoch ${nextEpoch}, and ${lastHeight} is the last one of epoch ${epoch}`;
    if (next === undefined || nextEpoch === epoch) return undefined;
    if (!equalBytes(nextValidatorsHash, validatorsHash(next.validators)))
      return `height ${height} names set ${toHex(nextValidatorsHash)}, executing it gave another`;
    this.#trusted = Math.max(this.#trusted, nextEpoch);
    return undefined;
  }
}

function at<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}
