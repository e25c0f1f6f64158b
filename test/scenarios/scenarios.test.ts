import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Scenario } from '../support/scenario/scenario.ts';

const FOLDER = import.meta.dirname;
const UPDATE = process.env.UPDATE === '1';

describe('scenarios: each script gives the exchange printed in it (README.md of this folder)', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
  assert(files.length > 0, 'there are scenarios');
  for (const name of files.sort()) {
    it(name, () => {
      const path = join(FOLDER, name);
      const expected = readFileSync(path, 'utf8');
      const actual = play(expected);
      if (UPDATE && actual !== expected) writeFileSync(path, actual);
      else assert.equal(actual, expected, 'UPDATE=1 writes what is printed now; read it before you keep it');
    });
  }
});

/** The script with the output that its commands give now below each; comments and empty lines stay. */
function play(script: string): string {
  const scenario = new Scenario();
  const lines: string[] = [];
  for (const [i, line] of script.split('\n').entries()) {
    if (line.startsWith('  ')) continue;
    lines.push(line);
    if (line.startsWith('> ')) lines.push(...printed(scenario, line.slice(2), i + 1));
    else assert(line === '' || line.startsWith('#'), `line ${i + 1} is neither a command nor a comment: ${line}`);
  }
  return lines.join('\n');
}

function printed(scenario: Scenario, command: string, line: number): string[] {
  try {
    return scenario.run(command).map((text) => `  ${text}`);
  } catch (error) {
    throw new Error(`line ${line}: ${command}`, { cause: error });
  }
}
