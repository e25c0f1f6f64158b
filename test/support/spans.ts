import { type Codec, Writer } from '../../ledger/codec.ts';

/** A run of bytes in an encoding, and what it is. */
export interface Span {
  /** The field as in support/places.ts. */
  readonly path: string;
  /** `length` also for the counts of lists, `tag` also for the names that one byte stands for. */
  readonly role: 'number' | 'bytes' | 'text' | 'tag' | 'length';
  readonly from: number;
  readonly to: number;
}

/**
 * What each byte of an encoded value is: found out by letting the codec write, and noting which field it read last. So it
 * rests on the order in which a codec writes and not on its reader.
 */
export function spansOf<T>(codec: Codec<T>, value: T): readonly Span[] {
  const spans: Span[] = [];
  let path = '';
  let last: unknown = value;

  const watched = (target: unknown, at: string): unknown => {
    if (typeof target !== 'object' || target === null || target instanceof Uint8Array) return target;
    return new Proxy(target, {
      get(object, name, receiver) {
        const field = Reflect.get(object, name, receiver);
        if (typeof name === 'symbol' || typeof field === 'function') return field;
        path = Array.isArray(object) ? (name === 'length' ? at : `${at}[${name}]`) : at === '' ? name : `${at}.${name}`;
        last = Array.isArray(object) && name === 'length' ? object : field;
        return watched(field, path);
      },
    });
  };

  class Recorder extends Writer {
    override uint(number: number, width: number): void {
      const role = typeof last === 'number' ? 'number' : typeof last === 'string' ? 'tag' : 'length';
      spans.push({ path, role, from: this.length, to: this.length + width });
      super.uint(number, width);
    }

    override bytes(bytes: Uint8Array): void {
      if (typeof last === 'string') spans.push({ ...spans.pop()!, role: 'length' });
      const role = typeof last === 'string' ? 'text' : 'bytes';
      spans.push({ path, role, from: this.length, to: this.length + bytes.length });
      super.bytes(bytes);
    }
  }

  codec.write(new Recorder(new Uint8Array(256)), watched(value, '') as T);
  return spans;
}
