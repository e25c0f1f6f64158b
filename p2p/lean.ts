import { noise } from '@chainsafe/libp2p-noise';
import type { Upgrader } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { type YamuxMuxerInit, yamux } from '@libp2p/yamux';
import { StreamState } from '@libp2p/yamux/stream';
import type { Cipher } from './port.ts';

/**
 * TCP, Noise and yamux of libp2p, which say the same in fewer writes and packets: in an idle network those are most of what a
 * block costs a validator. Each replaces one member of objects that libp2p makes, in the versions of package.json;
 * test/p2p/lean.test.ts counts what is written.
 */

/** Hands TCP what is sent in one write; libp2p makes one of each piece, and of a message that Noise encrypted two. */
export function leanTcp(): ReturnType<typeof tcp> {
  return (components) => {
    const transport = tcp()(components);
    const { dial, createListener } = transport;
    return Object.assign(transport, {
      dial: (address: Parameters<typeof dial>[0], options: Parameters<typeof dial>[1]) =>
        dial.call(transport, address, { ...options, upgrader: writingAtOnce(options.upgrader) }),
      createListener: (options: Parameters<typeof createListener>[0]) =>
        createListener.call(transport, { ...options, upgrader: writingAtOnce(options.upgrader) }),
    });
  };
}

/** What libp2p makes of a socket. */
interface SocketConnection {
  readonly socket: { write(bytes: Uint8Array): boolean };
  sendData(data: Bytes): { readonly sentBytes: number; readonly canSendMore: boolean };
}

/** A Uint8ArrayList. */
interface Bytes {
  readonly byteLength: number;
  subarray(): Uint8Array;
  getUint16(at: number): number;
}

function writingAtOnce(upgrader: Upgrader): Upgrader {
  const changed = <T extends object>(connection: T): T => {
    const { socket } = connection as unknown as SocketConnection;
    const sendData = (data: Bytes) => ({
      sentBytes: data.byteLength,
      canSendMore: socket.write(data.subarray()),
    });
    return Object.assign(connection, { sendData });
  };
  return {
    upgradeInbound: (connection, options) => upgrader.upgradeInbound(changed(connection), options),
    upgradeOutbound: (connection, options) => upgrader.upgradeOutbound(changed(connection), options),
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
  };
}

/** Noise asks for one more length until this is thrown, after each read: making an error each time cost 30 us. */
const NO_LENGTH = new RangeError('the length has not come yet');

/** `cipher` instead of libp2p's own. */
export function leanNoise(cipher?: Cipher): ReturnType<typeof noise> {
  return (components) => {
    const encrypter = noise()(components);
    const { secureInbound, secureOutbound } = encrypter;
    const { crypto } = encrypter as unknown as { readonly crypto: object };
    if (cipher !== undefined) Object.assign(crypto, ofLists(cipher));
    return Object.assign(encrypter, {
      secureInbound: async (...args: Parameters<typeof secureInbound>) =>
        withOneError(await secureInbound.apply(encrypter, args)),
      secureOutbound: async (...args: Parameters<typeof secureOutbound>) =>
        withOneError(await secureOutbound.apply(encrypter, args)),
    });
  };
}

/** Noise has both in lists of pieces, too. */
function ofLists({ encrypt, decrypt }: Cipher) {
  type Pieces = Pick<Bytes, 'subarray'>;
  return {
    encrypt: (plain: Pieces, nonce: Uint8Array, data: Uint8Array, key: Uint8Array) =>
      encrypt(plain.subarray(), nonce, data, key),
    decrypt: (sealed: Pieces, nonce: Uint8Array, data: Uint8Array, key: Uint8Array, output?: Uint8Array) =>
      decrypt(sealed.subarray(), nonce, data, key, output),
  };
}

function withOneError<T extends { readonly connection: object }>(secured: T): T {
  const { decoder } = secured.connection as { readonly decoder: { lengthDecoder(bytes: Bytes): number } };
  decoder.lengthDecoder = (bytes) => {
    if (bytes.byteLength < 2) throw NO_LENGTH;
    return bytes.getUint16(0);
  };
  return secured;
}

/** What yamux knows of a stream. */
interface WindowedStream {
  readonly state: StreamState;
  /** Bytes that the peer may still send, and as many as it may send when the window is new. */
  readonly recvWindowCapacity: number;
  recvWindow: number;
  sendWindowUpdate(): void;
  abort(reason: Error): void;
}

/** Renews the window of a stream when half of it is used, as yamux does elsewhere; this one does with each message. */
export function leanYamux(init: YamuxMuxerInit): ReturnType<typeof yamux> {
  return () => {
    const factory = yamux(init)();
    const { createStreamMuxer } = factory;
    return Object.assign(factory, {
      createStreamMuxer(...args: Parameters<typeof createStreamMuxer>) {
        const muxer = createStreamMuxer.apply(factory, args);
        const { _newStream } = muxer as unknown as { _newStream(...args: unknown[]): WindowedStream };
        return Object.assign(muxer, { _newStream: (...a: unknown[]) => renewingLate(_newStream.apply(muxer, a)) });
      },
    });
  };
}

/**
 * From the beginning: half of it lasts for 100 ms at 10 MB/s. A window that is seldom renewed grows too late for what comes
 * at once. Unread, more than 4 MiB would end the stream.
 */
const WINDOW_BYTES = 2 * 1024 * 1024;

function renewingLate(stream: WindowedStream): WindowedStream {
  // The frame that opens the stream, or answers to that, tells the peer.
  stream.recvWindow = Math.max(stream.recvWindow, WINDOW_BYTES);
  const renew = stream.sendWindowUpdate;
  stream.sendWindowUpdate = () => {
    const { state, recvWindowCapacity, recvWindow } = stream;
    // Before that the window's frame also opens the stream.
    if (state === StreamState.Finished || (state === StreamState.Established && 2 * recvWindowCapacity > recvWindow))
      return;
    try {
      renew.call(stream);
    } catch (error) {
      // The connection has just ended. Of the frame that opens a stream nobody else would catch it: yamux sends that in a task of its own.
      stream.abort(error as Error);
    }
  };
  return stream;
}
