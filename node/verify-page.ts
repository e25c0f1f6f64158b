import { readFile } from 'node:fs/promises';
import type { VerifyPage } from '../api/ports.ts';
import { utf8Decode } from '../ledger/bytes.ts';

/** `dist/verify.html`, seen from a checkout's source or from the package's `dist/`. */
const PLACE = new URL(import.meta.url.endsWith('.ts') ? '../dist/verify.html' : '../verify.html', import.meta.url);

/** Reads the page that `/verify` serves. A node does its work without it, so a missing one is only said in the log. */
export async function readVerifyPage(log: {
  warn(fields: object, message: string): void;
}): Promise<VerifyPage | undefined> {
  try {
    const html = new Uint8Array(await readFile(PLACE));
    const policy = policyOf(html);
    if (policy !== undefined) return { html, policy };
    log.warn({}, 'verify.html states no policy: it is not served; npm run build:page makes it');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, 'verify.html can not be read: it is not served; npm run build:page makes it');
  }
  return undefined;
}

/** The policy that the page states, which the header repeats. */
export function policyOf(html: Uint8Array): string | undefined {
  return /<meta http-equiv="Content-Security-Policy" content="([^"<>]+)"/.exec(utf8Decode(html) ?? '')?.[1];
}
