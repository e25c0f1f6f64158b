import { existsSync, readFileSync } from 'node:fs';

/** The package's version; package.json stands two folders up in a checkout, three from dist/. */
export function version(): string {
  for (const place of ['../../package.json', '../../../package.json']) {
    const url = new URL(place, import.meta.url);
    if (existsSync(url)) return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
  }
  throw new Error('package.json is missing');
}
