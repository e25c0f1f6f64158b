import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { MEMBER_ALLOWANCE } from '../../p2p/allowance.ts';
import { Channel } from '../../p2p/channel.ts';
import { encodeFrame, FrameParser } from '../../p2p/framing.ts';
import { FRAME_BYTES_MAX, HANDSHAKE_MS, HELLO_BYTES_MAX, REQUESTS_IN_MAX, SILENCE_MS } from '../../p2p/limits.ts';

/** A stream whose other end is the test. */
class FakeStream extends EventTarget {
  readonly sent: Uint8Array[] = [];
  aborted: string | undefined;
  readonly writableNeedsDrain = false;

  send(bytes: Uint8Array): boolean {
    this.sent.push(bytes);
    return true;
  }

  abort(error: Error): void {
    this.aborted = error.message;
  }

  /** Bytes of the peer. */
  push(bytes: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: bytes }));
  }
}

/** setTimeout of this test: `pass` moves its time. Timers that are refreshed begin anew, as Node's do. */
function fakeTimers(t: TestContext): (ms: number) => void {
  let now = 0;
  const timers = new Set<{ due: number; run: () => void }>();
  t.mock.method(globalThis, 'setTimeout', (run: () => void, delayMs: number) => {
    const timer = {
      due: now + delayMs,
      run,
      refresh() {
        timer.due = now + delayMs;
        return timer;
      },
    };
    timers.add(timer);
    return timer;
  });
  t.mock.method(globalThis, 'clearTimeout', (timer: never) => timers.delete(timer));
  return (ms) => {
    now += ms;
    for (const timer of [...timers]) {
      if (timer.due > now || !timers.delete(timer)) continue;
      timer.run();
    }
  };
}

function open(t: TestContext) {
  const pass = fakeTimers(t);
  const stream = new FakeStream();
  const seen = { frames: 0, requests: 0, closed: undefined as string | undefined };
  const channel = new Channel(stream as unknown as Stream, new Uint8Array(0), {
    allowance: () => MEMBER_ALLOWANCE,
    hello: () => undefined,
    opened() {},
    closed: (reason) => {
      seen.closed = reason;
    },
    frame: () => void seen.frames++,
    record() {},
    request: () => {
      seen.requests++;
      return new Promise(() => {});
    },
  });
  return { pass, stream, seen, channel };
}

const hello = encodeFrame('hello', new Uint8Array(0));
const numbered = (type: 'response' | 'refusal' | 'request', id: number, body: number): Uint8Array =>
  encodeFrame(type, Uint8Array.of(0, 0, 0, id), Uint8Array.of(body));

describe('a channel and a peer that keeps to no time', () => {
  it('R28: a stream on which no hello comes, or comes byte by byte, ends after the handshake time', (t) => {
    const silent = open(t);
    silent.pass(HANDSHAKE_MS - 1);
    assert.equal(silent.seen.closed, undefined);
    silent.pass(1);
    assert.deepEqual([silent.seen.closed, silent.stream.aborted], ['no hello', 'no hello']);
    const dripping = open(t);
    for (let i = 0; i < hello.length - 1; i++) {
      dripping.pass(HANDSHAKE_MS / hello.length);
      dripping.stream.push(hello.subarray(i, i + 1));
    }
    dripping.pass(HANDSHAKE_MS / hello.length);
    assert.equal(dripping.seen.closed, 'no hello');
  });

  it('L31: a proposal that comes byte by byte over minutes ends its channel at the deadline of one frame', (t) => {
    const { pass, stream, seen, channel } = open(t);
    stream.push(hello);
    assert(channel.isOpen);
    const proposal = encodeFrame('frame', new Uint8Array(1_000));
    let ms = 0;
    for (let i = 0; i < proposal.length && seen.closed === undefined; i++) {
      stream.push(proposal.subarray(i, i + 1));
      pass(200);
      ms += 200;
    }
    assert.equal(seen.closed, `silent for ${SILENCE_MS} ms`);
    assert.equal(ms, SILENCE_MS);
    assert.equal(seen.frames, 0);
    assert(!channel.isOpen);
  });

  it('frames that are whole keep a channel open, however small their pieces', (t) => {
    const { pass, stream, seen, channel } = open(t);
    stream.push(hello);
    const frame = encodeFrame('frame', Uint8Array.of(1, 2, 3));
    for (let i = 0; i < 20; i++) {
      for (const byte of frame) stream.push(Uint8Array.of(byte));
      pass(SILENCE_MS - 1);
    }
    assert.deepEqual([seen.frames, seen.closed, channel.isOpen], [20, undefined, true]);
  });

  it('R22: answers to no question, twice, or too late are dropped and change nothing', async (t) => {
    const { pass, stream, seen, channel } = open(t);
    stream.push(hello);
    for (const id of [0, 1, 7]) stream.push(numbered('response', id, 9));
    stream.push(numbered('refusal', 1, 9));
    const asked = channel.request(Uint8Array.of(5), { timeoutMs: 100 });
    const late = channel.request(Uint8Array.of(6), { timeoutMs: 100 });
    stream.push(numbered('response', 1, 42));
    stream.push(numbered('response', 1, 43));
    assert.deepEqual(await asked, Uint8Array.of(42));
    pass(100);
    await assert.rejects(late, { code: 'TIMEOUT' });
    stream.push(numbered('response', 2, 44));
    assert.deepEqual([seen.frames, seen.requests, seen.closed, channel.isOpen], [0, 0, undefined, true]);
  });

  it('R28: questions beyond those that are worked on at a time are refused at once', (t) => {
    const { stream, seen } = open(t);
    stream.push(hello);
    for (let id = 0; id < 3 * REQUESTS_IN_MAX; id++) stream.push(numbered('request', id, 1));
    assert.equal(seen.requests, REQUESTS_IN_MAX);
  });
});

describe('memory of a frame that is on its way', () => {
  it('L31: bytes that come one by one take the memory of bytes, not of pieces', () => {
    const length = 1 << 20;
    const frame = encodeFrame('frame', new Uint8Array(length));
    const used = (): number => {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const parser = new FrameParser();
    const before = used();
    for (let i = 0; i < frame.length - 1; i++) for (const _ of parser.push(frame.slice(i, i + 1))) assert.fail();
    // Garbage of the pieces themselves is the test's, and goes; what the parser holds stays.
    const grown = used() - before;
    assert(grown < 64 * length, `${grown} bytes for ${length}`);
    const [whole] = [...parser.push(frame.subarray(frame.length - 1))];
    assert.equal(whole!.payload.length, length);
  });

  it('R22: an answer that nobody asked for takes no memory while it comes, and what is behind it is whole', (t) => {
    const { stream, seen, channel } = open(t);
    stream.push(hello);
    const answer = encodeFrame('response', new Uint8Array(FRAME_BYTES_MAX));
    const before = process.memoryUsage().arrayBuffers;
    const almost = answer.length - 1;
    for (let at = 0; at < almost; at += 65_536) stream.push(answer.subarray(at, Math.min(at + 65_536, almost)));
    const grown = process.memoryUsage().arrayBuffers - before;
    assert(grown < FRAME_BYTES_MAX / 8, `${grown} bytes`);
    stream.push(Uint8Array.of(0, ...encodeFrame('frame', Uint8Array.of(1))));
    assert.deepEqual([seen.frames, seen.closed, channel.isOpen], [1, undefined, true]);
  });

  it('a first frame that is too long for a hello ends the channel at its header', (t) => {
    const { stream, seen } = open(t);
    stream.push(encodeFrame('hello', new Uint8Array(HELLO_BYTES_MAX + 1)).subarray(0, 5));
    assert.equal(seen.closed, `expected hello, got ${HELLO_BYTES_MAX + 1} bytes`);
  });

  it('L17: a frame at the limit is taken, one over it and one a thousand times as long are refused by their header', () => {
    const header = (length: number): Uint8Array => {
      const bytes = encodeFrame('frame', new Uint8Array(0));
      new DataView(bytes.buffer).setUint32(0, length);
      return bytes;
    };
    assert.deepEqual([...new FrameParser().push(header(FRAME_BYTES_MAX))], []);
    const most = 0xffff_ffff;
    for (const length of [FRAME_BYTES_MAX + 1, Math.min(1_000 * FRAME_BYTES_MAX, most)]) {
      assert.throws(() => [...new FrameParser().push(header(length))], /at most 8388608/);
    }
  });
});
