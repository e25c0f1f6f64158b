import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FRAME_TYPES, type Frame, FrameParser, type FrameType } from '../../p2p/framing.ts';
import { FRAME_BYTES_MAX } from '../../p2p/limits.ts';

const frames = fc.array(
  fc.record({
    type: fc.constantFrom(...(Object.keys(FRAME_TYPES) as FrameType[])),
    payload: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 10 },
);

describe('frames', () => {
  it('come out the same however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 20 })), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)));
        const parser = new FrameParser();
        const received: Frame[] = [];
        for (let at = 0; at < bytes.length; ) {
          const end = at + cuts.next().value;
          received.push(...parser.push(bytes.subarray(at, end)));
          at = end;
        }
        assert.deepEqual(
          received.map(({ type, payload }) => ({ type, payload: [...payload] })),
          sent.map(({ type, payload }) => ({ type, payload: [...payload] })),
        );
      }),
    );
  });

  it('that are not wanted come without payload, and leave the others as they are, however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 20 })), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)));
        const wanted = (type: FrameType, length: number) => type !== 'frame' && length !== 7;
        const parser = new FrameParser(wanted);
        const received: Frame[] = [];
        for (let at = 0; at < bytes.length; ) {
          const end = at + cuts.next().value;
          received.push(...parser.push(bytes.subarray(at, end)));
          at = end;
        }
        assert.deepEqual(
          received.map(({ type, payload, wanted: was }) => [type, [...payload], was]),
          sent.map(({ type, payload }) => {
            const is = wanted(type, payload.length);
            return [type, is ? [...payload] : [], is];
          }),
        );
      }),
    );
  });

  it('X03: an announced length above the limit is refused from the header alone', () => {
    for (const length of [FRAME_BYTES_MAX + 1, 2 ** 31, 2 ** 32 - 1]) {
      const header = new Uint8Array(5);
      new DataView(header.buffer).setUint32(0, length);
      header[4] = FRAME_TYPES.frame;
      assert.throws(() => [...new FrameParser().push(header)], /at most/);
    }
  });

  it('N12: any bytes give frames or a RangeError, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const { payload } of new FrameParser().push(bytes)) assert(payload.length <= bytes.length);
        } catch (error) {
          assert(error instanceof RangeError);
        }
      }),
    );
  });
});
