import { AMOUNT_PATTERN, type Codec, type Json, widthFor } from './codec.ts';

export type JsonSchema = { readonly [key: string]: Json };

/** The layout in the notation of docs/formats.md, e.g. `bytes32` or `list<u64, 0..16>`. */
export function layoutOf({ shape }: Codec<unknown>): string {
  switch (shape.kind) {
    case 'uint':
      return `u${shape.width * 8}`;
    case 'amount':
      return 'u128';
    case 'bool':
      return 'bool';
    case 'bytes':
      return `bytes${shape.length}`;
    case 'blob':
      return `blob<0..${shape.max}>`;
    case 'text':
      return `text<${shape.min}..${shape.max}>`;
    case 'list':
      return `list<${layoutOf(shape.item)}, ${shape.min}..${shape.max}>`;
    case 'struct':
      return `{ ${shape.fields.map(([name, codec]) => `${name}: ${layoutOf(codec)}`).join(', ')} }`;
    case 'union':
      return `union<${shape.variants.map(([name, tag, codec]) => `${tag} ${name}: ${layoutOf(codec)}`).join(' | ')}>`;
    case 'oneOf':
      return `tag<${Object.entries(shape.tags)
        .map(([name, tag]) => `${tag} ${name}`)
        .join(' | ')}>`;
  }
}

/** JSON Schema (2020-12) of the JSON form. */
export function schemaOf({ shape }: Codec<unknown>): JsonSchema {
  switch (shape.kind) {
    case 'uint':
      return { type: 'integer', minimum: 0, maximum: shape.max };
    case 'amount':
      return { type: 'string', pattern: AMOUNT_PATTERN.source };
    case 'bool':
      return { type: 'boolean' };
    case 'bytes':
      return { type: 'string', pattern: `^0x[0-9a-f]{${shape.length * 2}}$` };
    case 'blob':
      return { type: 'string', pattern: '^0x([0-9a-f]{2})*$', maxLength: 2 + 2 * shape.max };
    case 'text':
      // JSON Schema counts characters, of which a byte is at most one.
      return { type: 'string', minLength: shape.min === 0 ? 0 : 1, maxLength: shape.max };
    case 'list':
      return { type: 'array', items: schemaOf(shape.item), minItems: shape.min, maxItems: shape.max };
    case 'struct':
      return objectSchema(shape.fields.map(([name, codec]) => [name, schemaOf(codec)]));
    case 'union':
      return {
        oneOf: shape.variants.map(([name, , codec]) =>
          objectSchema([
            ['kind', { const: name }],
            ['value', schemaOf(codec)],
          ]),
        ),
      };
    case 'oneOf':
      return { enum: Object.keys(shape.tags) };
  }
}

/** Upper bound of the encoded size in bytes. */
export function sizeMaxOf({ shape }: Codec<unknown>): number {
  switch (shape.kind) {
    case 'uint':
      return shape.width;
    case 'amount':
      return 16;
    case 'bool':
    case 'oneOf':
      return 1;
    case 'bytes':
      return shape.length;
    case 'blob':
    case 'text':
      return widthFor(shape.max) + shape.max;
    case 'list':
      return widthFor(shape.max) + shape.max * sizeMaxOf(shape.item);
    case 'struct':
      return shape.fields.reduce((sum, [, codec]) => sum + sizeMaxOf(codec), 0);
    case 'union':
      return 1 + Math.max(0, ...shape.variants.map(([, , codec]) => sizeMaxOf(codec)));
  }
}

function objectSchema(properties: readonly (readonly [name: string, schema: JsonSchema])[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required: properties.map(([name]) => name),
    additionalProperties: false,
  };
}
