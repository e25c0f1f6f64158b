import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MUTANTS, patched } from './mutants.ts';

test('every mutant still fits the source that it changes, and at least 40 known mistakes are among them', () => {
  for (const { name, patches } of MUTANTS) {
    const sources = new Map<string, string>();
    for (const { file, find, replace } of patches) {
      const source = sources.get(file) ?? readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
      assert.doesNotThrow(() => sources.set(file, patched(source, file, find, replace)), name);
      assert.notEqual(sources.get(file), source, name);
    }
  }
  assert(MUTANTS.length > 40);
  assert.match(MUTANTS[0]!.name, /^canary/);
});
