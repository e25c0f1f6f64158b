import type { Stream } from '@libp2p/interface';
import type { Allowance } from './allowance.ts';
import { P2pError } from './errors.ts';
import { encodeFrame, type Frame, FrameParser, type FrameType } from './framing.ts';
import { HANDSHAKE_MS, HELLO_BYTES_MAX, REQUESTS_OUT_MAX, SILENCE_MS, WRITE_BYTES_MAX } from './limits.ts';

export interface ChannelHandlers {
  /** What the peer may do now; it can change while the channel is open. */
  allowance(): Allowance;
  /** The first frame of the peer; returns what is wrong with it. */
  hello(payload: Uint8Array): string | undefined;
  opened(): void;
  closed(reason: string): void;
  frame(payload: Uint8Array): void;
  record(payload: Uint8Array): void;
  request(body: Uint8Array): Promise<Uint8Array>;
}

interface Asked {
  resolve(body: Uint8Array): void;
  reject(error: P2pError): void;
}

/**
 * One long-lived stream to one peer. Frames that wait are joined into one write per turn of the loop; requests are
 * multiplexed by number. Anything against the format ends it.
 */
export class Channel {
  readonly #stream: Stream;
  readonly #handlers: ChannelHandlers;
  readonly #parser = new FrameParser((type, length) => this.#wants(type, length));
  readonly #asked = new Map<number, Asked>();
  #queue: Uint8Array[] = [];
  #queued = 0;
  #scheduled = false;
  #nextRequest = 1;
  #answering = 0;
  #greeted = false;
  #ended = false;
  #timer: NodeJS.Timeout;
  bytesSent = 0;
  bytesReceived = 0;

  constructor(stream: Stream, hello: Uint8Array, handlers: ChannelHandlers) {
    this.#stream = stream;
    this.#handlers = handlers;
    this.#timer = setTimeout(() => this.end('no hello'), HANDSHAKE_MS);
    stream.addEventListener('message', ({ data }) => this.#receive(data.subarray()));
    stream.addEventListener('drain', () => this.#flush());
    stream.addEventListener('close', ({ error }) => this.end(error?.message ?? 'closed by the peer'));
    stream.addEventListener('remoteCloseWrite', () => this.end('closed by the peer'));
    this.#enqueue(encodeFrame('hello', hello));
  }

  get isOpen(): boolean {
    return this.#greeted && !this.#ended;
  }

  /** Answers that we wait for. */
  get awaited(): number {
    return this.#asked.size;
  }

  sendFrame(payload: Uint8Array): boolean {
    return this.#enqueue(encodeFrame('frame', payload));
  }

  sendRecord(record: Uint8Array): void {
    this.#enqueue(encodeFrame('record', record));
  }

  async request(
    body: Uint8Array,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array> {
    if (this.#asked.size >= REQUESTS_OUT_MAX)
      throw new P2pError('TOO_MANY', `${this.#asked.size} requests wait already`);
    if (signal?.aborted) throw new P2pError('ABORTED', 'aborted');
    const id = this.#nextRequest;
    this.#nextRequest = (id % 0xffffffff) + 1;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const timer = setTimeout(() => reject(new P2pError('TIMEOUT', `no answer within ${timeoutMs} ms`)), timeoutMs);
    const abort = () => reject(new P2pError('ABORTED', 'aborted'));
    signal?.addEventListener('abort', abort);
    this.#asked.set(id, { resolve, reject });
    try {
      if (!this.#enqueue(encodeFrame('request', idBytes(id), body)))
        throw new P2pError('TOO_MANY', 'too much waits already');
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#asked.delete(id);
    }
  }

  /** Ends the channel once; what waits is dropped. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#queue = [];
    for (const { reject } of this.#asked.values()) reject(new P2pError('CLOSED', reason));
    this.#stream.abort(new Error(reason));
    this.#handlers.closed(reason);
  }

  #receive(bytes: Uint8Array): void {
    this.bytesReceived += bytes.length;
    try {
      for (const frame of this.#parser.push(bytes)) {
        if (this.#ended) return;
        this.#onFrame(frame);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.end(error.message);
    }
  }

  /** R22: an answer is of no use when nothing was asked. */
  #wants(type: FrameType, length: number): boolean {
    if (!this.#greeted && length > HELLO_BYTES_MAX) throw new RangeError(`expected hello, got ${length} bytes`);
    const isWanted = this.#handlers.allowance().wants(type, length);
    return isWanted && (this.#asked.size > 0 || (type !== 'response' && type !== 'refusal'));
  }

  #onFrame({ type, payload, wanted }: Frame): void {
    this.#timer.refresh();
    if (!this.#greeted) {
      const problem = type === 'hello' ? this.#handlers.hello(payload) : `expected hello, got ${type}`;
      if (problem !== undefined) return this.end(problem);
      this.#greeted = true;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.end(`silent for ${SILENCE_MS} ms`), SILENCE_MS);
      this.#handlers.opened();
      return;
    }
    if (!wanted) return;
    switch (type) {
      case 'hello':
        return this.end('a second hello');
      case 'frame':
        return this.#handlers.frame(payload);
      case 'record':
        return this.#handlers.record(payload);
      case 'request':
        void this.#answer(payload);
        return;
      case 'response':
      case 'refusal':
        return this.#settle(type, payload);
    }
  }

  async #answer(payload: Uint8Array): Promise<void> {
    const id = payload.subarray(0, 4);
    if (id.length < 4) return this.end('a request without number');
    if (!this.#handlers.allowance().takesRequest(this.#answering)) {
      this.#enqueue(encodeFrame('refusal', id));
      return;
    }
    this.#answering++;
    try {
      const answer = encodeFrame('response', id, await this.#handlers.request(payload.subarray(4)));
      if (!this.#enqueue(answer)) throw new RangeError('too much waits already');
      this.#handlers.allowance().answered(answer.length);
    } catch {
      // The reason stays here: it may tell of our own state.
      this.#enqueue(encodeFrame('refusal', id));
    } finally {
      this.#answering--;
    }
  }

  /** R22: an answer that nobody asked for is dropped before anything looks into it. */
  #settle(type: 'response' | 'refusal', payload: Uint8Array): void {
    if (payload.length < 4) return this.end('an answer without number');
    const asked = this.#asked.get(new DataView(payload.buffer, payload.byteOffset).getUint32(0));
    if (asked !== undefined) this.#handlers.allowance().received(payload.length);
    if (type === 'response') asked?.resolve(payload.subarray(4));
    else asked?.reject(new P2pError('REFUSED', 'the peer refused'));
  }

  #enqueue(bytes: Uint8Array): boolean {
    if (this.#ended || this.#queued + bytes.length > this.#handlers.allowance().queueBytesMax) return false;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    return true;
  }

  /** Joins what waits into writes, and stops when the stream is full until it has drained. */
  #flush(): void {
    try {
      while (!this.#ended && this.#queue.length > 0 && !this.#stream.writableNeedsDrain) {
        const bytes = this.#takeWrite();
        this.#queued -= bytes.length;
        this.bytesSent += bytes.length;
        if (!this.#stream.send(bytes)) return;
      }
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  }

  #takeWrite(): Uint8Array {
    let size = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || size + this.#queue[count]!.length <= WRITE_BYTES_MAX)) {
      size += this.#queue[count++]!.length;
    }
    const parts = this.#queue.splice(0, count);
    if (parts.length > 1) return Buffer.concat(parts);
    const [only] = parts;
    if (only!.length <= WRITE_BYTES_MAX) return only!;
    this.#queue.unshift(only!.subarray(WRITE_BYTES_MAX));
    return only!.subarray(0, WRITE_BYTES_MAX);
  }
}

function idBytes(id: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, id);
  return bytes;
}
