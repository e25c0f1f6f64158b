import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './pack.ts';

const LINE = '-'.repeat(80);
const HEAD = `These packages are part of the files in this folder. One without a text brings none; that of Apache-2.0 is also the
file LICENSE of this package.`;

/**
 * Name, version and licence of every package of which something is among these files (paths from the root of the repository):
 * what has to go with a copy of their code. Throws if one of them states no licence.
 */
export function noticesOf(inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  // One version may be installed in several places.
  const notices = new Set([...folders].map(noticeOf).sort());
  return `${HEAD}\n\n${[...notices].join('\n')}`;
}

function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  const texts = readdirSync(join(ROOT, folder))
    .filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file))
    .map((file) => readFileSync(join(ROOT, folder, file), 'utf8').trim());
  if (license === undefined && texts.length === 0) throw new Error(`${name} ${version} states no licence`);
  return `${LINE}\n${name} ${version} (${license ?? 'as below'})\n\n${texts.join('\n\n')}\n`;
}
