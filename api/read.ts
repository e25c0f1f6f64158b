import { fromHex } from '../ledger/bytes.ts';
import { Problem } from './problems.ts';

/** Opaque to clients; inside: where the next page begins, and which list it belongs to. */
export function encodeCursor(kind: string, position: string): string {
  return Buffer.from(`${kind} ${position}`, 'utf8').toString('base64url');
}

export function heightCursor(kind: string, cursor: string): number {
  const position = decodeCursor(kind, cursor);
  if (!/^(0|[1-9][0-9]{0,14})$/.test(position)) throw foreign();
  return Number(position);
}

export function keyCursor(kind: string, cursor: string): Uint8Array {
  const key = fromHex(decodeCursor(kind, cursor));
  if (key === undefined) throw foreign();
  return key;
}

function decodeCursor(kind: string, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const position = text.slice(kind.length + 1);
  if (encodeCursor(kind, position) !== cursor) throw foreign();
  return position;
}

function foreign(): Problem {
  return new Problem('malformed', 'the cursor is not one of this list');
}
