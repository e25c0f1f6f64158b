import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../node/cli/main.ts';
import { pairs, table, visible, widthOf } from '../../node/cli/output.ts';
import { quorate } from '../support/processes.ts';

const NOBODY = 'http://127.0.0.1:9';

/** Commands that do something themselves, by their whole name. */
function leaves(
  command: Command,
  path: readonly string[] = [],
): { readonly name: string; readonly command: Command }[] {
  if (command.commands.length === 0) return [{ name: path.join(' '), command }];
  return command.commands.flatMap((one) => leaves(one, [...path, one.name()]));
}

describe('what commands print', () => {
  it('every command takes --json, but for those whose output is none or is a script', () => {
    const all = leaves(createProgram(() => {}, false));
    assert(all.length > 40, `${all.length} commands`);
    const without = all.filter(({ command }) => !command.options.some(({ long }) => long === '--json'));
    assert.deepEqual(without.map(({ name }) => name).sort(), ['completion', 'start']);
  });

  it('every command and option says what it is, and what names a genesis file also takes it from the environment', () => {
    for (const { name, command } of leaves(createProgram(() => {}, false))) {
      assert.notEqual(command.description(), '', name);
      for (const option of command.options) assert.notEqual(option.description, '', `${name} ${option.flags}`);
    }
    // `start` reads the environment itself, as it does for all of its settings.
    const named = leaves(createProgram(() => {}, false)).flatMap(({ name, command }) => {
      const option = command.options.find(({ long }) => long === '--genesis');
      return option === undefined || name === 'start' ? [] : [{ name, variable: option.envVar }];
    });
    assert(named.length > 10, `${named.length} commands`);
    for (const { name, variable } of named) assert.equal(variable, 'QUORATE_GENESIS', name);
  });

  it('with --json an error is one JSON object on stderr, with a code, whatever it is', async () => {
    for (const [exit, code, ...args] of [
      [2, 'USAGE', 'nothing'],
      [2, 'USAGE', 'query'],
      [2, 'USAGE', 'query', 'state', 'records.entries'],
      [2, 'USAGE', 'dev', '--port', 'x'],
      [2, 'UNKNOWN_ACCOUNT', 'tx', 'records', 'revoke', '--key', 'k', '--as', 'nobody'],
      [2, 'PASSPHRASE', 'keys', 'new', '--keystore', 'never.keystore'],
      [3, 'UNREACHABLE', 'accounts', 'show', 'alice', '--url', NOBODY],
      [3, 'UNREACHABLE', 'query', 'state', 'records.entries', 'k', '--proof', '--url', NOBODY, '--url', NOBODY],
    ] as const) {
      const run = await quorate(...args, '--json');
      assert.equal(run.code, exit, `${args.join(' ')}: ${run.stderr}`);
      assert.equal(run.stdout, '');
      const said = JSON.parse(run.stderr) as { code: string; detail: string };
      assert.equal(said.code, code, run.stderr);
      assert(said.detail.length > 0 && !said.detail.includes('\n'), said.detail);
    }
  });

  it('columns stand below each other with letters that are wide, or take no column', () => {
    const rows = [
      ['漢字', 'x'],
      ['e\u0301', 'x'],
      ['ｶﾅ', 'x'],
      ['🙂', 'x'],
      ['plain', 'x'],
    ];
    const lines = table(['name', 'mark'], rows).slice(1);
    for (const line of lines) assert.equal(widthOf(line.slice(0, line.indexOf('x'))), 7, line);
    assert.deepEqual(
      rows.map(([name]) => widthOf(name!)),
      [4, 1, 2, 2, 5],
    );
    assert.deepEqual(
      pairs([
        ['a', 'x'],
        ['long', 'y'],
      ]),
      ['a     x', 'long  y'],
    );
  });

  it('what the ledger holds moves no cursor, ends no line and turns no text around', () => {
    const hostile = 'a\u001b[2J\r\nb\u202ec\u2028d\u0000\u009b';
    const [heading, row, ...more] = table(['name', 'next'], [[hostile, 'x']]);
    assert.deepEqual(more, []);
    assert.doesNotMatch(`${heading}${row}`, /[\p{C}\p{Zl}\p{Zp}]/u);
    assert.match(row!, /^a\\u\{1b\}\[2J\\u\{d\}\\u\{a\}b/);
    assert.equal(visible('naïve 漢字 🙂'), 'naïve 漢字 🙂');
  });
});
