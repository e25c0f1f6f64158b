import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SIGN_KINDS } from '../../ledger/sign-bytes.ts';
import { faultsTolerated, quorum } from '../../ledger/validators.ts';
import { printedLayouts } from '../support/layouts.ts';

const document = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');

/** White space and comments do not count, nor how a union is broken into lines. */
const plain = (text: string): string =>
  text
    .replaceAll(/ +# .*$/gm, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll('< ', '<')
    .replaceAll(' >', '>')
    .trim();

/** `Name = …` of all code blocks. */
function definitions(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, block] of document.matchAll(/^```\n([\s\S]*?)^```$/gm)) {
    for (const definition of block!.split('\n\n')) found.set(definition.split(' = ', 1)[0]!, plain(definition));
  }
  return found;
}

test('docs/formats.md shows the layout of every structure as the code has it, and no other', () => {
  const expected = new Map([...printedLayouts()].map(([name, layout]) => [name, plain(layout)]));
  const found = definitions();
  for (const [name, layout] of expected) assert.equal(found.get(name), layout);
  assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
});

test('docs/formats.md names every kind of sign bytes', () => {
  const section = document.slice(document.indexOf('**S6, sign bytes.**'), document.indexOf('## Transactions'));
  const numbers = [...section.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
  assert.deepEqual(numbers, Object.values(SIGN_KINDS));
});

test('docs/formats.md has the quorums of the code', () => {
  const row = (letter: string): number[] =>
    new RegExp(`^\\| ${letter} \\|(.*)\\|$`, 'm').exec(document)![1]!.split('|').map(Number);
  assert.deepEqual(row('f'), row('n').map(faultsTolerated));
  assert.deepEqual(row('q'), row('n').map(quorum));
});
