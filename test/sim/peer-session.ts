import { fromHex, toHex } from '../../ledger/bytes.ts';
import { P2pError } from '../../p2p/errors.ts';
import type { GuestStatus, NetworkCounts, PeerNetwork, PeerSet, PeerStatus, RequestOptions } from '../../p2p/port.ts';
import { PeerTable } from './peer-table.ts';

/** What one process has of the wires between all of them. Peers are called by their keys in hex. */
export interface Wires {
  isOpen(key: string): boolean;
  /** False if there is no channel. */
  send(key: string, frame: Uint8Array): boolean;
  /** Over a channel that is open. */
  request(key: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** The table is another one. */
  updated(reason: string): void;
}

/**
 * The network as one process sees it, between keys and the indexes of its set. The two ends of a channel may be in different
 * epochs, so nothing but keys crosses it, and they are looked up when a handler is called, not when a frame is sent.
 */
export class PeerSession implements PeerNetwork {
  readonly #ownKey: Uint8Array;
  readonly #wires: Wires;
  #table: PeerTable;
  /** Of frames, by key. */
  readonly #bytes = new Map<string, { sent: number; received: number }>();
  #frame: (from: number, frame: Uint8Array) => void = () => {};
  #request: (from: number, body: Uint8Array) => Promise<Uint8Array> = notReady;
  #channel: (index: number, open: boolean) => void = () => {};
  #unreachable: (index: number) => void = () => {};
  #guestRequest: (peerKey: Uint8Array, body: Uint8Array) => Promise<Uint8Array> = notReady;
  #guestChannel: (peerKey: Uint8Array, open: boolean) => void = () => {};

  constructor(ownKey: Uint8Array, set: PeerSet, wires: Wires) {
    this.#ownKey = ownKey;
    this.#wires = wires;
    this.#table = new PeerTable(set, ownKey);
  }

  get self(): number | undefined {
    return this.#table.set.self;
  }

  addresses(): string[] {
    return [];
  }

  connected(): number[] {
    return this.#others().filter((index) => this.#wires.isOpen(this.#table.keyOf(index)!));
  }

  peerStatus(): readonly PeerStatus[] {
    const { peers } = this.#table.set;
    return this.#others().map((index) => ({ index, ...this.#statusOf(peers[index]!) }));
  }

  guests(): readonly GuestStatus[] {
    const guests = this.#table.set.guests.filter(({ peerKey }) => this.#table.isGuest(toHex(peerKey)));
    return guests.map((guest) => ({ peerKey: guest.peerKey, ...this.#statusOf(guest) }));
  }

  send(to: number, frame: Uint8Array): boolean {
    const key = this.#table.keyOf(to);
    if (key === undefined || !this.#wires.send(key, frame)) return false;
    this.#bytesOf(key).sent += frame.length;
    return true;
  }

  broadcast(frame: Uint8Array): void {
    for (const index of this.#others()) this.send(index, frame);
  }

  request(to: number, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    return this.#ask(this.#table.keyOf(to), `member ${to}`, body, options);
  }

  requestGuest(peerKey: Uint8Array, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const key = toHex(peerKey);
    return this.#ask(this.#table.isGuest(key) ? key : undefined, `guest ${key}`, body, options);
  }

  onFrame(handler: (from: number, frame: Uint8Array) => void): void {
    this.#frame = handler;
  }

  onRequest(handler: (from: number, body: Uint8Array) => Promise<Uint8Array>): void {
    this.#request = handler;
  }

  onChannel(handler: (index: number, open: boolean) => void): void {
    this.#channel = handler;
  }

  onUnreachable(handler: (index: number) => void): void {
    this.#unreachable = handler;
  }

  onGuestRequest(handler: (peerKey: Uint8Array, body: Uint8Array) => Promise<Uint8Array>): void {
    this.#guestRequest = handler;
  }

  onGuestChannel(handler: (peerKey: Uint8Array, open: boolean) => void): void {
    this.#guestChannel = handler;
  }

  update(set: PeerSet): void {
    this.#table = new PeerTable(set, this.#ownKey);
    this.#wires.updated(`neither member nor guest as of epoch ${set.epoch}`);
  }

  async counts(): Promise<NetworkCounts> {
    const open = [...this.peerStatus(), ...this.guests()].filter(({ connected }) => connected).length;
    return {
      connections: open,
      channels: open,
      dialers: 0,
      records: 0,
      stored: 0,
      gossiping: 0,
      listening: 0,
      topics: 0,
    };
  }

  async close(): Promise<void> {}

  admits(key: string): boolean {
    return this.#table.admits(key);
  }

  /** Nobody dials a guest. */
  dials(key: string): boolean {
    return this.#table.indexOf(key) !== undefined;
  }

  /** A frame has come; those of guests reach nobody. */
  cameFrame(from: string, frame: Uint8Array): void {
    const index = this.#table.indexOf(from);
    this.#bytesOf(from).received += frame.length;
    if (index !== undefined) this.#frame(index, frame);
  }

  /** A question of somebody who is admitted has come. */
  cameRequest(from: string, body: Uint8Array): Promise<Uint8Array> {
    const index = this.#table.indexOf(from);
    return index === undefined ? this.#guestRequest(fromHex(from)!, body) : this.#request(index, body);
  }

  channelIs(key: string, open: boolean): void {
    const index = this.#table.indexOf(key);
    if (index !== undefined) this.#channel(index, open);
    else if (this.#table.isGuest(key)) this.#guestChannel(fromHex(key)!, open);
  }

  /** It could not be dialed. */
  isUnreachable(key: string): void {
    const index = this.#table.indexOf(key);
    if (index !== undefined) this.#unreachable(index);
  }

  /** Indexes of the other members. */
  #others(): number[] {
    return [...this.#table.set.peers.keys()].filter((index) => index !== this.self);
  }

  #ask(key: string | undefined, name: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    if (key === undefined || !this.#wires.isOpen(key))
      return Promise.reject(new P2pError('NO_CHANNEL', `no channel to ${name}`));
    return this.#wires.request(key, body, options);
  }

  #statusOf({ name, peerKey }: { name: string; peerKey: Uint8Array }): Omit<PeerStatus, 'index'> {
    const key = toHex(peerKey);
    const { sent, received } = this.#bytesOf(key);
    return { name, connected: this.#wires.isOpen(key), addresses: [], bytesSent: sent, bytesReceived: received };
  }

  #bytesOf(key: string): { sent: number; received: number } {
    const bytes = this.#bytes.get(key) ?? { sent: 0, received: 0 };
    this.#bytes.set(key, bytes);
    return bytes;
  }
}

function notReady(): Promise<Uint8Array> {
  return Promise.reject(new P2pError('REFUSED', 'not ready'));
}
