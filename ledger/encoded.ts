import { type Codec, decode, encode, Writer } from './codec.ts';

/** As `codec`, of values that are their bytes: for records that are written as they came and whose readers take parts. */
export function encoded<T>(codec: Codec<T>): Codec<Uint8Array> {
  return {
    shape: codec.shape,
    write: (writer, value) => writer.bytes(value),
    read(reader) {
      const start = reader.offset;
      codec.read(reader);
      return reader.bytes.subarray(start, reader.offset);
    },
    toJson: (value) => codec.toJson(decode(codec, value)),
    fromJson: (json, path) => encode(codec, codec.fromJson(json, path)),
  };
}

/** As `encode`, behind what the writer has already: a view into its buffer, of which many small values share one. */
export function encodeBehind<T>(writer: Writer, codec: Codec<T>, value: T): Uint8Array {
  const start = writer.length;
  codec.write(writer, value);
  return writer.buffer.subarray(start, writer.length);
}

/** As `encode` of each: views into one buffer, or few. */
export function encodeAll<T>(codec: Codec<T>, values: readonly T[]): Uint8Array[] {
  const writer = new Writer(new Uint8Array(256 * values.length));
  return values.map((value) => encodeBehind(writer, codec, value));
}
