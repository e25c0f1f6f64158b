import type { IncomingMessage } from 'node:http';
import type { Gate } from './gate.ts';
import { Problem } from './problems.ts';

/** The bytes of a request and what gives back their room once they are no longer needed. */
export interface HeldBody {
  readonly bytes: Uint8Array;
  release(): void;
}

/**
 * Reads a body of at most `max` bytes, checked before and while reading (H01): what is announced too long is not read,
 * what turns out too long is not read further. `room` bounds the bytes of all bodies together. Throws a Problem.
 */
export async function readBody(request: IncomingMessage, max: number, room: Gate): Promise<HeldBody> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > max) throw new Problem('too-large', `a body of ${announced} bytes, at most ${max}`);
  if (announced === 0 && request.headers['transfer-encoding'] === undefined) return NO_BODY;
  const encoding = request.headers['content-encoding'];
  // Where no body is taken at all, what it is made of does not matter.
  if (max > 0 && encoding !== undefined && encoding !== 'identity') {
    throw new Problem('unsupported-media-type', 'compressed bodies are not taken');
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  const release = (): void => {
    room.leave(size);
    size = 0;
  };
  try {
    await new Promise<void>((resolve, reject) => {
      request.on('data', (chunk: Uint8Array) => {
        try {
          if (size + chunk.length > max) throw new Problem('too-large', `a body of more than ${max} bytes`);
          room.enter(chunk.length);
          size += chunk.length;
          chunks.push(chunk);
        } catch (problem) {
          request.removeAllListeners('data');
          request.pause();
          reject(problem);
        }
      });
      request.once('end', resolve);
      // The client went away or was too slow; nobody reads the answer.
      const gone = () => reject(new Problem('malformed', 'the body ended early'));
      request.once('error', gone);
      request.once('close', gone);
    });
  } catch (problem) {
    release();
    throw problem;
  }
  const joined = Buffer.concat(chunks);
  return { bytes: new Uint8Array(joined.buffer, joined.byteOffset, joined.length), release };
}

const NO_BODY: HeldBody = { bytes: new Uint8Array(0), release: () => undefined };
