import { toHex } from '../../ledger/bytes.ts';
import { P2pError } from '../../p2p/errors.ts';
import type { PeerNetwork, PeerSet, RequestOptions } from '../../p2p/port.ts';
import type { Loop } from './loop.ts';
import { PeerSession } from './peer-session.ts';
import type { Random } from './random.ts';

/** How messages travel now. Times in ms. */
export interface Weather {
  readonly delayMs: readonly [number, number];
  readonly loss: number;
  readonly duplicate: number;
  /** Chance of a much longer delay, which lets later messages overtake. */
  readonly late: number;
  readonly lateMs: number;
}

export const CALM: Weather = { delayMs: [0.2, 3], loss: 0, duplicate: 0, late: 0, lateMs: 0 };

/** Where a process runs, one after the other: a machine, or one of the two copies that a twin has of it. */
export interface Endpoint {
  /** Distinct, also for the copies. */
  readonly id: number;
  readonly machine: number;
  /** Of the machine: who it is on the network. */
  readonly peerKey: Uint8Array;
  isUp(): boolean;
  /** Does this in the process: now, or when its pause is over; never in a later process. */
  touch(run: () => void): void;
}

/** What a Byzantine member's network does with a frame instead of sending it: one frame, none or several, to each. */
export type Corrupt = (from: Endpoint, to: Endpoint, frame: Uint8Array) => readonly Uint8Array[];

export interface NetworkCounts {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  late: number;
  blocked: number;
  /** Came to a process that does not admit its sender. */
  refused: number;
}

interface Site {
  readonly endpoint: Endpoint;
  /** Peer key in hex. */
  readonly key: string;
  /** Of the newest process. */
  session: PeerSession | undefined;
}

/**
 * All frames between all processes: loss, delay, reordering, duplication and cut links in each direction.
 *
 * A channel between two processes exists only while each of them admits the other, and one of them dials the other, being a
 * member in its eyes. Each decides by its own set, which may be that of another epoch than the other's.
 */
export class SimNetwork {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #sites = new Map<number, Site>();
  /** Directed cut links: `from to`. */
  readonly #blocked = new Set<string>();
  /** Open channels: `from to`, both directions. */
  readonly #open = new Set<string>();
  /** What ends the questions that wait for an answer over a channel: `from to`. */
  readonly #questions = new Map<string, Set<(reason: string) => void>>();
  weather: Weather = CALM;
  corrupt: Corrupt = (_from, _to, frame) => [frame];
  /** What a member answers to a question, or says instead. */
  corruptAnswer: (from: Endpoint, to: Endpoint, question: Uint8Array, answer: Uint8Array) => Uint8Array = (
    _from,
    _to,
    _question,
    answer,
  ) => answer;
  /** Sees every frame that is put on a wire. */
  tap: (from: Endpoint, to: Endpoint, frame: Uint8Array) => void = () => {};
  readonly counts: NetworkCounts = { sent: 0, delivered: 0, lost: 0, duplicated: 0, late: 0, blocked: 0, refused: 0 };

  constructor(loop: Loop, random: Random) {
    this.#loop = loop;
    this.#random = random;
  }

  add(endpoint: Endpoint): void {
    this.#sites.set(endpoint.id, { endpoint, key: toHex(endpoint.peerKey), session: undefined });
  }

  /** The network as a new process sees it, which begins with this set. Throws RangeError as `update` does. */
  networkOf(self: Endpoint, set: PeerSet, isAlive: () => boolean): PeerNetwork {
    const site = this.#siteOf(self);
    const session = new PeerSession(self.peerKey, set, {
      isOpen: (peer) => this.#linked(site, peer).length > 0,
      send: (peer, frame) => isAlive() && this.#send(site, peer, frame),
      request: (peer, body, options) => this.#request(site, this.#linked(site, peer)[0]!, body, options, isAlive),
      updated: (reason) => isAlive() && this.#updated(site, reason),
    });
    site.session = session;
    return session;
  }

  /** A process has started: channels open as soon as both ends see each other. */
  started(endpoint: Endpoint): void {
    const site = this.#siteOf(endpoint);
    for (const other of this.#othersThan(site)) {
      this.#close(other, site);
      this.#reopen(site, other);
    }
  }

  /** A process has ended. The others notice soon, or only by silence. */
  ended(endpoint: Endpoint, noticed: boolean): void {
    const site = this.#siteOf(endpoint);
    for (const other of this.#othersThan(site)) {
      this.#open.delete(linkOf(site, other));
      this.#questions.delete(linkOf(site, other));
      if (!noticed || !this.#open.has(linkOf(other, site))) continue;
      this.#loop.after(this.#random.between(0.1, 5), () => {
        if (endpoint.isUp() || !other.endpoint.isUp()) return;
        this.#close(other, site);
        this.#loop.after(this.#random.between(1, 60), () => {
          if (!endpoint.isUp() && other.endpoint.isUp())
            other.endpoint.touch(() => other.session?.isUnreachable(site.key));
        });
      });
    }
  }

  /** Cuts a link in one direction; `noticed` also closes the channel, as a reset would. */
  block(from: Endpoint, to: Endpoint, noticed: boolean): void {
    const [a, b] = [this.#siteOf(from), this.#siteOf(to)];
    this.#blocked.add(linkOf(a, b));
    if (!noticed) return;
    this.#close(a, b);
    this.#close(b, a);
  }

  unblock(from: Endpoint, to: Endpoint): void {
    const [a, b] = [this.#siteOf(from), this.#siteOf(to)];
    this.#blocked.delete(linkOf(a, b));
    this.#reopen(a, b);
  }

  /** No link is cut any more. */
  heal(): void {
    this.#blocked.clear();
    const sites = [...this.#sites.values()];
    for (const a of sites) for (const b of sites) if (a.endpoint.id < b.endpoint.id) this.#reopen(a, b);
  }

  /** A frame of a Byzantine member, made by hand. */
  inject(from: Endpoint, to: Endpoint, frame: Uint8Array): void {
    this.#transmit(this.#siteOf(from), this.#siteOf(to), frame);
  }

  #siteOf({ id }: Endpoint): Site {
    return this.#sites.get(id)!;
  }

  /** All but itself and its other copy. */
  #othersThan({ key }: Site): Site[] {
    return [...this.#sites.values()].filter((other) => other.key !== key);
  }

  /** The processes of a peer to which there is a channel. */
  #linked(from: Site, peer: string): Site[] {
    const found: Site[] = [];
    for (const to of this.#sites.values()) if (to.key === peer && this.#open.has(linkOf(from, to))) found.push(to);
    return found;
  }

  #isBlocked(from: Site, to: Site): boolean {
    return this.#blocked.has(linkOf(from, to));
  }

  /** Both run, each admits the other, and one of them dials. */
  #canMeet(a: Site, b: Site): boolean {
    if (!a.endpoint.isUp() || !b.endpoint.isUp() || a.session === undefined || b.session === undefined) return false;
    if (!a.session.admits(b.key) || !b.session.admits(a.key)) return false;
    return a.session.dials(b.key) || b.session.dials(a.key);
  }

  #reopen(a: Site, b: Site): void {
    if (a.key === b.key) return;
    this.#loop.after(this.#random.between(1, 30), () => {
      if (!this.#canMeet(a, b) || this.#isBlocked(a, b) || this.#isBlocked(b, a)) return;
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const link = linkOf(from, to);
        if (this.#open.has(link)) continue;
        this.#open.add(link);
        from.endpoint.touch(() => from.session?.channelIs(to.key, true));
      }
    });
  }

  #close(from: Site, to: Site, reason = 'the channel ended'): void {
    if (!this.#end(from, to, reason)) return;
    // A twin's other copy may still be there.
    if (from.endpoint.isUp() && this.#linked(from, to.key).length === 0)
      from.endpoint.touch(() => from.session?.channelIs(to.key, false));
  }

  /** One end's part of a channel, and the questions that it has asked over it. False if there was none. */
  #end(from: Site, to: Site, reason: string): boolean {
    const link = linkOf(from, to);
    if (!this.#open.delete(link)) return false;
    const questions = this.#questions.get(link) ?? [];
    this.#questions.delete(link);
    for (const end of questions) end(reason);
    return true;
  }

  /**
   * A process has another set. Its own handlers hear nothing of it; whom it does not admit any more notices soon, and who is
   * new is met once both have changed.
   */
  #updated(site: Site, reason: string): void {
    for (const other of this.#othersThan(site)) {
      if (site.session!.admits(other.key)) {
        if (!this.#open.has(linkOf(site, other))) this.#reopen(site, other);
        continue;
      }
      this.#end(site, other, reason);
      if (!this.#open.has(linkOf(other, site))) continue;
      this.#loop.after(this.#random.between(0.1, 5), () => {
        // Admitted again at once, it may have another channel by now.
        if (!this.#open.has(linkOf(site, other))) this.#close(other, site);
      });
    }
  }

  #send(from: Site, peer: string, frame: Uint8Array): boolean {
    const linked = this.#linked(from, peer);
    for (const to of linked) {
      for (const one of this.corrupt(from.endpoint, to.endpoint, frame)) this.#transmit(from, to, one);
    }
    return linked.length > 0;
  }

  #transmit(from: Site, to: Site, frame: Uint8Array): void {
    this.counts.sent++;
    this.tap(from.endpoint, to.endpoint, frame);
    if (this.#isBlocked(from, to)) {
      this.counts.blocked++;
      return;
    }
    const { loss, duplicate } = this.weather;
    if (loss > 0 && this.#random.chance(loss)) {
      this.counts.lost++;
      return;
    }
    this.#deliver(from, to, frame);
    if (duplicate > 0 && this.#random.chance(duplicate)) {
      this.counts.duplicated++;
      this.#deliver(from, to, frame);
    }
  }

  #deliver(from: Site, to: Site, frame: Uint8Array): void {
    this.#loop.after(this.#delay(), () => {
      if (!to.endpoint.isUp() || this.#isBlocked(from, to)) return;
      if (to.session?.admits(from.key) !== true) {
        this.counts.refused++;
        return;
      }
      this.counts.delivered++;
      to.endpoint.touch(() => to.session?.cameFrame(from.key, frame));
      this.#loop.settle();
    });
  }

  #delay(): number {
    const { delayMs, late, lateMs } = this.weather;
    const base = this.#random.between(delayMs[0], delayMs[1]);
    if (late === 0 || !this.#random.chance(late)) return base;
    this.counts.late++;
    return base + this.#random.between(0, lateMs);
  }

  /** A question and its answer, each as a message that may get lost. */
  #request(
    from: Site,
    to: Site,
    body: Uint8Array,
    { timeoutMs, signal }: RequestOptions,
    isAlive: () => boolean,
  ): Promise<Uint8Array> {
    const loop = this.#loop;
    loop.settle();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        if (!isAlive()) return;
        stop();
        this.#questions.get(linkOf(from, to))?.delete(closed);
        loop.settle();
        settle();
      };
      const closed = (reason: string): void => finish(() => reject(new P2pError('CLOSED', reason)));
      const stop = loop.after(timeoutMs, () => finish(() => reject(new P2pError('TIMEOUT', 'no answer'))));
      this.#questionsOf(from, to).add(closed);
      signal?.addEventListener('abort', () => reject(new P2pError('ABORTED', 'aborted')));
      if (this.#isLost(from, to)) return;
      loop.after(this.#delay(), () => {
        if (!to.endpoint.isUp() || to.session?.admits(from.key) !== true) return;
        loop.settle();
        const answer = (bytes: Uint8Array | undefined): void => {
          if (this.#isLost(to, from)) return;
          loop.after(this.#delay(), () =>
            finish(() =>
              bytes === undefined
                ? reject(new P2pError('REFUSED', 'refused'))
                : resolve(this.corruptAnswer(to.endpoint, from.endpoint, body, bytes)),
            ),
          );
        };
        to.session.cameRequest(from.key, body).then(answer, () => answer(undefined));
      });
    });
  }

  #questionsOf(from: Site, to: Site): Set<(reason: string) => void> {
    const link = linkOf(from, to);
    const questions = this.#questions.get(link) ?? new Set<(reason: string) => void>();
    this.#questions.set(link, questions);
    return questions;
  }

  #isLost(from: Site, to: Site): boolean {
    return this.#isBlocked(from, to) || (this.weather.loss > 0 && this.#random.chance(this.weather.loss));
  }
}

function linkOf(from: Site, to: Site): string {
  return `${from.endpoint.id} ${to.endpoint.id}`;
}
