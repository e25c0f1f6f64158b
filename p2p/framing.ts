import { FRAME_BYTES_MAX } from './limits.ts';

/** On a channel: u32 length of the payload ‖ u8 type ‖ payload. */
export const FRAME_TYPES = { hello: 0, frame: 1, request: 2, response: 3, refusal: 4, record: 5 } as const;
export type FrameType = keyof typeof FRAME_TYPES;

const HEADER_BYTES = 5;
const NAME_OF_TYPE = new Map<number, FrameType>(
  Object.entries(FRAME_TYPES).map(([name, tag]) => [tag, name as FrameType]),
);

export interface Frame {
  readonly type: FrameType;
  /** Empty if it was not wanted. */
  readonly payload: Uint8Array;
  readonly wanted: boolean;
}

/** Whether the payload of a frame is wanted, from its header. Throws RangeError if such a frame is against the rules. */
export type Wants = (type: FrameType, length: number) => boolean;

export function encodeFrame(type: FrameType, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > FRAME_BYTES_MAX) throw new RangeError(`frame of ${length} bytes, at most ${FRAME_BYTES_MAX}`);
  const bytes = new Uint8Array(HEADER_BYTES + length);
  new DataView(bytes.buffer).setUint32(0, length);
  bytes[4] = FRAME_TYPES[type];
  let offset = HEADER_BYTES;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/**
 * Cuts a stream of bytes into frames, however it is chunked. Memory is taken only for bytes that came and are wanted: an
 * announced length above the limit, or an unknown type, throws before (X03).
 */
export class FrameParser {
  readonly #wants: Wants;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerLength = 0;
  #type: FrameType = 'hello';
  #length = 0;
  #wanted = true;
  /** Grows with what came, up to `#length`. */
  #payload = NOTHING;
  #received = 0;

  constructor(wants: Wants = () => true) {
    this.#wants = wants;
  }

  /** The frames that end in `chunk`. Throws RangeError if the peer does not keep to the format. */
  *push(chunk: Uint8Array): Generator<Frame> {
    let at = 0;
    while (at < chunk.length || this.#isComplete()) {
      if (this.#headerLength < HEADER_BYTES) {
        const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerLength);
        this.#header.set(part, this.#headerLength);
        this.#headerLength += part.length;
        at += part.length;
        if (this.#headerLength === HEADER_BYTES) this.#readHeader();
        continue;
      }
      const part = chunk.subarray(at, at + this.#length - this.#received);
      this.#append(part);
      at += part.length;
      if (this.#isComplete()) yield this.#take();
    }
  }

  #isComplete(): boolean {
    return this.#headerLength === HEADER_BYTES && this.#received === this.#length;
  }

  #readHeader(): void {
    this.#length = new DataView(this.#header.buffer).getUint32(0);
    const type = NAME_OF_TYPE.get(this.#header[4]!);
    if (type === undefined) throw new RangeError(`unknown frame type ${this.#header[4]}`);
    if (this.#length > FRAME_BYTES_MAX)
      throw new RangeError(`frame of ${this.#length} bytes, at most ${FRAME_BYTES_MAX}`);
    this.#wanted = this.#wants(type, this.#length);
    this.#type = type;
  }

  /**
   * Payloads are copies: a small message must not keep a large network buffer alive. And of bytes that come one by one
   * nothing is kept but the bytes (L31).
   */
  #append(part: Uint8Array): void {
    const received = this.#received + part.length;
    if (!this.#wanted) {
      this.#received = received;
      return;
    }
    if (received > this.#payload.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(received, 2 * this.#payload.length)));
      grown.set(this.#payload.subarray(0, this.#received));
      this.#payload = grown;
    }
    this.#payload.set(part, this.#received);
    this.#received = received;
  }

  #take(): Frame {
    const frame = { type: this.#type, payload: this.#payload, wanted: this.#wanted };
    this.#headerLength = 0;
    this.#length = 0;
    this.#received = 0;
    this.#payload = NOTHING;
    return frame;
  }
}

const NOTHING = new Uint8Array(0);
