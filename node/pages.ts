import { readFile } from 'node:fs/promises';
import type { BuiltPage } from '../api/ports.ts';
import { utf8Decode } from '../ledger/bytes.ts';

/** Reads a page of `dist/` that the API serves. A node does its work without it, so a missing one is only said in the log. */
export async function readPage(
  name: 'verify' | 'docs',
  log: { warn(fields: object, message: string): void },
): Promise<BuiltPage | undefined> {
  const file = `${name}.html`;
  // Seen from a checkout's source or from the package's `dist/`.
  const place = new URL(import.meta.url.endsWith('.ts') ? `../dist/${file}` : `../${file}`, import.meta.url);
  try {
    const html = new Uint8Array(await readFile(place));
    const policy = policyOf(html);
    if (policy !== undefined) return { html, policy };
    log.warn({}, `${file} states no policy: it is not served; npm run build:page makes it`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, `${file} can not be read: it is not served; npm run build:page makes it`);
  }
  return undefined;
}

/** The policy that the page states, which the header repeats. */
export function policyOf(html: Uint8Array): string | undefined {
  return /<meta http-equiv="Content-Security-Policy" content="([^"<>]+)"/.exec(utf8Decode(html) ?? '')?.[1];
}
