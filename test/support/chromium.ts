import { accessSync, constants } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** The system's Chromium; `CHROMIUM` names another one. */
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Asks nobody for anything of its own accord. */
const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Why browser tests can't run here, or false: what `skip` of a test takes. */
export function noChromium(): string | false {
  try {
    accessSync(EXECUTABLE, constants.X_OK);
    return false;
  } catch {
    return `no Chromium at ${EXECUTABLE}; set CHROMIUM to one`;
  }
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', ...QUIET] });
}

/** Runs in a page before anything else: as on a page without https. */
export function removeWebCrypto(): void {
  Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined });
}
