import { element } from '../verify/dom.ts';
import { componentOf, type Document, type Schema } from './document.ts';
import { prose } from './prose.ts';

/** No limit that somebody would want to know. */
const LARGE = 1e12;
/** Deeper than this an example is cut short; schemas may refer to themselves. */
const DEPTH_MAX = 6;

/** A schema as a list of its fields. What is inside another is made when it is opened: schemas may refer to themselves. */
export function schemaNode(document: Document, schema: Schema, labelled = true): Node {
  const resolved = resolve(document, schema);
  const label = !labelled
    ? []
    : [componentOf(schema), typeText(resolved)].filter((text) => text !== undefined && text !== '');
  const parts: Node[] = label.length === 0 ? [] : [element('p', 'type', label.join(' · '))];
  if (resolved.description !== undefined) parts.push(prose(resolved.description));
  if (resolved.properties !== undefined) parts.push(fields(document, resolved));
  const { anyOf = [], oneOf = [], allOf = [], items } = resolved;
  const inner = [...anyOf, ...oneOf, ...allOf, ...(items === undefined ? [] : [items])];
  parts.push(...inner.map((one) => innerNode(document, one)));
  return element('div', 'schema', ...parts);
}

function innerNode(document: Document, schema: Schema): Node {
  const resolved = resolve(document, schema);
  const type = typeText(resolved);
  const label = componentOf(schema) ?? (type === '' || type === 'object' ? 'fields' : type);
  if (!isNested(resolved)) return element('p', 'type', label);
  const node = element('details', '', element('summary', 'type', label));
  node.addEventListener('toggle', () => node.append(schemaNode(document, resolved, false)), { once: true });
  return node;
}

function fields(document: Document, { properties = {}, required = [] }: Schema): Node {
  const list = element('dl', 'fields');
  for (const [name, schema] of Object.entries(properties)) {
    const resolved = resolve(document, schema);
    const marks = required.includes(name) ? [] : [element('span', 'optional', 'optional')];
    const head = element(
      'dt',
      '',
      element('code', '', name),
      ' ',
      element('span', 'type', isNested(resolved) ? '' : typeText(resolved)),
      ...marks,
    );
    const text = schema.description ?? (componentOf(schema) === undefined ? resolved.description : undefined);
    const value = element('dd', '', ...(text === undefined ? [] : [prose(text)]));
    if (isNested(resolved)) value.append(innerNode(document, schema));
    list.append(head, value);
  }
  return list;
}

function isNested({ properties, items, anyOf, oneOf, allOf }: Schema): boolean {
  return [properties, items, anyOf, oneOf, allOf].some((part) => part !== undefined);
}

/** In a few words: `integer 1 to 200, default 20`. */
export function typeText(schema: Schema): string {
  const { type, enum: values, const: fixed, minimum, maximum, maxItems, pattern, default: standard } = schema;
  const parts: string[] = [];
  if (fixed !== undefined) parts.push(JSON.stringify(fixed));
  else if (values !== undefined) parts.push(values.map((one) => JSON.stringify(one)).join(' | '));
  else if (type !== undefined) parts.push(type);
  else if (schema.anyOf !== undefined || schema.oneOf !== undefined) parts.push('one of');
  if (type === 'integer' && maximum !== undefined && maximum < LARGE) parts.push(`${minimum ?? 0} to ${maximum}`);
  if (maxItems !== undefined) parts.push(`at most ${maxItems}`);
  if (pattern !== undefined && pattern.length <= 60) parts.push(pattern);
  if (standard !== undefined && standard !== '') parts.push(`default ${JSON.stringify(standard)}`);
  return parts.join(', ');
}

/** JSON of the right form, to be filled in. */
export function exampleOf(document: Document, schema: Schema, depth = 0): unknown {
  const {
    type,
    properties,
    items,
    enum: values,
    const: fixed,
    anyOf,
    oneOf,
    allOf,
    default: standard,
    minimum,
    pattern,
  } = resolve(document, schema);
  if (fixed !== undefined || standard !== undefined) return fixed ?? standard;
  if (values !== undefined) return values[0];
  const [first] = anyOf ?? oneOf ?? allOf ?? [];
  if (first !== undefined) return depth < DEPTH_MAX ? exampleOf(document, first, depth + 1) : null;
  if (properties !== undefined) {
    const entries = Object.entries(properties).map(([name, one]) => [name, exampleOf(document, one, depth + 1)]);
    return depth < DEPTH_MAX ? Object.fromEntries(entries) : {};
  }
  if (type === 'array') return items !== undefined && depth < DEPTH_MAX ? [exampleOf(document, items, depth + 1)] : [];
  if (type === 'integer' || type === 'number') return minimum ?? 0;
  if (type === 'boolean') return false;
  if (type === 'string') return pattern?.startsWith('^0x') ? '0x' : '';
  return {};
}

function resolve(document: Document, schema: Schema): Schema {
  const name = componentOf(schema);
  const { $ref: _, ...own } = schema;
  return name === undefined ? schema : { ...document.components.schemas[name], ...own };
}
