import { fromHex } from '../ledger/bytes.ts';
import { Problem } from './problems.ts';

/** Readers of what stands in paths and query strings; each refuses with what was expected. */
export function readId(text: string): Uint8Array {
  const id = fromHex(text);
  if (id?.length !== 32)
    throw new Problem('malformed', `expected a transaction id: 0x and 64 hex digits in lower case`);
  return id;
}

/** Opaque to clients; inside: where the next page begins, and which list it belongs to. */
export function encodeCursor(kind: string, position: string): string {
  return Buffer.from(`${kind} ${position}`, 'utf8').toString('base64url');
}

export function decodeCursor(kind: string, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const [of, position, ...rest] = text.split(' ');
  if (of !== kind || position === undefined || rest.length > 0 || encodeCursor(kind, position) !== cursor) {
    throw new Problem('malformed', 'the cursor is not one of this list');
  }
  return position;
}

export function heightCursor(kind: string, cursor: string): number {
  const position = decodeCursor(kind, cursor);
  if (!/^(0|[1-9][0-9]{0,15})$/.test(position)) throw new Problem('malformed', 'the cursor is not one of this list');
  return Number(position);
}

export function keyCursor(kind: string, cursor: string): Uint8Array {
  const key = fromHex(decodeCursor(kind, cursor));
  if (key === undefined) throw new Problem('malformed', 'the cursor is not one of this list');
  return key;
}
