import { type Codec, CodecError, decode, encode, type Reader, type Shape, Writer, widthFor } from './codec.ts';

/**
 * As `codec`, of values that are their bytes: for records that are written as they came and whose readers take parts. Reading
 * finds where a value ends and does not look into it: whoever decodes it then sees whether it is one.
 */
export function encoded<T>(codec: Codec<T>): Codec<Uint8Array> {
  return {
    shape: codec.shape,
    write: (writer, value) => writer.bytes(value),
    read(reader) {
      const start = reader.offset;
      skip(codec.shape, reader);
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

/** Goes on behind a value; throws CodecError if it does not end within the bytes, or has a tag that none of its type has. */
function skip(shape: Shape, reader: Reader): void {
  switch (shape.kind) {
    case 'uint':
      return advance(reader, shape.width);
    case 'amount':
      return advance(reader, 16);
    case 'bool':
    case 'oneOf':
      return advance(reader, 1);
    case 'bytes':
      return advance(reader, shape.length);
    case 'blob':
    case 'text':
      return advance(reader, reader.uint(widthFor(shape.max)));
    case 'list':
      return skipItems(shape.item.shape, reader.uint(widthFor(shape.max)), reader);
    case 'struct':
      for (const [, field] of shape.fields) skip(field.shape, reader);
      return;
    case 'union': {
      const tag = reader.uint(1);
      const variant = shape.variants.find(([, known]) => known === tag);
      if (variant === undefined) throw new CodecError(`expected a tag of this type, got ${tag}`);
      return skip(variant[2].shape, reader);
    }
  }
}

/** Each takes at least one byte, so a count can't exceed what is left. */
function skipItems(item: Shape, count: number, reader: Reader): void {
  if (count > reader.left) throw new CodecError(`expected ${count} items, ${reader.left} bytes left`);
  for (let i = 0; i < count; i++) skip(item, reader);
}

function advance(reader: Reader, count: number): void {
  if (reader.left < count) throw new CodecError(`expected ${count} bytes, ${reader.left} left`);
  reader.offset += count;
}
