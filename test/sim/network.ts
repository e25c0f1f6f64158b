import { P2pError } from '../../p2p/errors.ts';
import type { Network } from '../../p2p/port.ts';
import type { Loop } from './loop.ts';
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

/** One process on the network: a member, or one of the two copies of a twin. */
export interface Endpoint {
  /** Distinct for each process. */
  readonly id: number;
  readonly member: number;
  isUp(): boolean;
  frame(from: number, frame: Uint8Array): void;
  request(from: number, body: Uint8Array): Promise<Uint8Array>;
  channel(member: number, open: boolean): void;
  unreachable(member: number): void;
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
}

/** All frames between all processes: loss, delay, reordering, duplication and cut links in each direction. */
export class SimNetwork {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #endpoints: Endpoint[] = [];
  /** Directed cut links: `from to`. */
  readonly #blocked = new Set<string>();
  /** Open channels: `from to`, both directions. */
  readonly #open = new Set<string>();
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
  readonly counts: NetworkCounts = { sent: 0, delivered: 0, lost: 0, duplicated: 0, late: 0, blocked: 0 };

  constructor(loop: Loop, random: Random) {
    this.#loop = loop;
    this.#random = random;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.push(endpoint);
  }

  /** The network as one process sees it. */
  networkOf(self: Endpoint, handlers: NetworkHandlers, isAlive: () => boolean): Network {
    return {
      self: self.member,
      addresses: () => [],
      connected: () => this.#connected(self),
      peerStatus: () => [],
      send: (to, frame) => isAlive() && this.#sendToMember(self, to, frame),
      broadcast: (frame) => {
        if (!isAlive()) return;
        for (const member of this.#members()) if (member !== self.member) this.#sendToMember(self, member, frame);
      },
      request: (to, body, options) => this.#request(self, to, body, options, isAlive),
      onFrame: (handler) => {
        handlers.frame = handler;
      },
      onRequest: (handler) => {
        handlers.request = handler;
      },
      onChannel: (handler) => {
        handlers.channel = handler;
      },
      onUnreachable: (handler) => {
        handlers.unreachable = handler;
      },
      close: async () => {},
    };
  }

  /** A process has started: channels open as soon as both ends see each other. */
  started(endpoint: Endpoint): void {
    for (const other of this.#endpoints) {
      if (other.member === endpoint.member) continue;
      this.#close(other, endpoint);
      this.#reopen(endpoint, other);
    }
  }

  /** A process has ended. The others notice soon, or only by silence. */
  ended(endpoint: Endpoint, noticed: boolean): void {
    for (const other of this.#endpoints) {
      if (other.member === endpoint.member) continue;
      this.#open.delete(linkOf(endpoint, other));
      if (!noticed || !this.#open.has(linkOf(other, endpoint))) continue;
      this.#loop.after(this.#random.between(0.1, 5), () => {
        if (endpoint.isUp() || !other.isUp()) return;
        this.#close(other, endpoint);
        this.#loop.after(this.#random.between(1, 60), () => {
          if (!endpoint.isUp() && other.isUp()) other.unreachable(endpoint.member);
        });
      });
    }
  }

  /** Cuts a link in one direction; `noticed` also closes the channel, as a reset would. */
  block(from: Endpoint, to: Endpoint, noticed: boolean): void {
    this.#blocked.add(linkOf(from, to));
    if (!noticed) return;
    this.#close(from, to);
    this.#close(to, from);
  }

  unblock(from: Endpoint, to: Endpoint): void {
    this.#blocked.delete(linkOf(from, to));
    this.#reopen(from, to);
  }

  /** No link is cut any more. */
  heal(): void {
    this.#blocked.clear();
    for (const a of this.#endpoints) for (const b of this.#endpoints) if (a.id < b.id) this.#reopen(a, b);
  }

  isBlocked(from: Endpoint, to: Endpoint): boolean {
    return this.#blocked.has(linkOf(from, to));
  }

  /** A frame of a Byzantine member, made by hand. */
  inject(from: Endpoint, to: Endpoint, frame: Uint8Array): void {
    this.#transmit(from, to, frame);
  }

  #members(): number[] {
    return [...new Set(this.#endpoints.map(({ member }) => member))];
  }

  #connected(self: Endpoint): number[] {
    const members = new Set<number>();
    for (const other of this.#endpoints) {
      if (this.#open.has(linkOf(self, other))) members.add(other.member);
    }
    return [...members].sort((a, b) => a - b);
  }

  #reopen(a: Endpoint, b: Endpoint): void {
    if (a.member === b.member) return;
    this.#loop.after(this.#random.between(1, 30), () => {
      if (!a.isUp() || !b.isUp() || this.isBlocked(a, b) || this.isBlocked(b, a)) return;
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const link = linkOf(from, to);
        if (this.#open.has(link)) continue;
        this.#open.add(link);
        from.channel(to.member, true);
      }
    });
  }

  #close(from: Endpoint, to: Endpoint): void {
    if (!this.#open.delete(linkOf(from, to))) return;
    // A twin's other copy may still be there.
    if (from.isUp() && !this.#connected(from).includes(to.member)) from.channel(to.member, false);
  }

  #sendToMember(from: Endpoint, member: number, frame: Uint8Array): boolean {
    let sent = false;
    for (const to of this.#endpoints) {
      if (to.member !== member || !this.#open.has(linkOf(from, to))) continue;
      sent = true;
      for (const one of this.corrupt(from, to, frame)) this.#transmit(from, to, one);
    }
    return sent;
  }

  #transmit(from: Endpoint, to: Endpoint, frame: Uint8Array): void {
    this.counts.sent++;
    this.tap(from, to, frame);
    if (this.isBlocked(from, to)) {
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

  #deliver(from: Endpoint, to: Endpoint, frame: Uint8Array): void {
    this.#loop.after(this.#delay(), () => {
      if (!to.isUp() || this.isBlocked(from, to)) return;
      this.counts.delivered++;
      to.frame(from.member, frame);
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
    from: Endpoint,
    member: number,
    body: Uint8Array,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
    isAlive: () => boolean,
  ): Promise<Uint8Array> {
    const loop = this.#loop;
    loop.settle();
    const to = this.#endpoints.find((one) => one.member === member && this.#open.has(linkOf(from, one)));
    if (to === undefined) return Promise.reject(new P2pError('NO_CHANNEL', `no channel to member ${member}`));
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        if (!isAlive()) return;
        stop();
        loop.settle();
        settle();
      };
      const stop = loop.after(timeoutMs, () => finish(() => reject(new P2pError('TIMEOUT', 'no answer'))));
      signal?.addEventListener('abort', () => reject(new P2pError('ABORTED', 'aborted')));
      if (this.#isLost(from, to)) return;
      loop.after(this.#delay(), () => {
        if (!to.isUp()) return;
        loop.settle();
        const answer = (bytes: Uint8Array | undefined): void => {
          if (this.#isLost(to, from)) return;
          loop.after(this.#delay(), () =>
            finish(() =>
              bytes === undefined
                ? reject(new P2pError('REFUSED', 'refused'))
                : resolve(this.corruptAnswer(to, from, body, bytes)),
            ),
          );
        };
        to.request(from.member, body).then(answer, () => answer(undefined));
      });
    });
  }

  #isLost(from: Endpoint, to: Endpoint): boolean {
    return this.isBlocked(from, to) || (this.weather.loss > 0 && this.#random.chance(this.weather.loss));
  }
}

export interface NetworkHandlers {
  frame(from: number, frame: Uint8Array): void;
  request(from: number, body: Uint8Array): Promise<Uint8Array>;
  channel(member: number, open: boolean): void;
  unreachable(member: number): void;
}

function linkOf(from: Endpoint, to: Endpoint): string {
  return `${from.id} ${to.id}`;
}
