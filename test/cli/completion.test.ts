import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { quorate } from '../support/processes.ts';

const withoutBash = spawnSync('bash', ['--version']).error === undefined ? false : 'there is no bash';

describe('completion', () => {
  let folder: string;
  let script: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-completion-'));
    script = join(folder, 'quorate.bash');
    const { code, stdout, stderr } = await quorate('completion', 'bash');
    assert.equal(code, 0, stderr);
    writeFileSync(script, stdout);
    writeFileSync(join(folder, 'my genesis.json'), '');
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  /** What a real bash offers for the last word. */
  function offered(...words: readonly string[]): Promise<readonly string[]> {
    const program = `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _quorate; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return new Promise((resolve, reject) => {
      execFile(
        'bash',
        ['--norc', '-c', program, script, 'quorate', ...words],
        { cwd: folder, timeout: 20_000 },
        (error, stdout, stderr) => {
          if (error !== null || stderr !== '') reject(new Error(`${error?.message}${stderr}`));
          else resolve(stdout.split('\n').filter((line) => line !== ''));
        },
      );
    });
  }

  it('in bash: commands, options, choices, and the modules, actions and arguments of the application', {
    skip: withoutBash,
  }, async () => {
    for (const [words, expected] of [
      [['t'], ['tx']],
      [
        ['gov', 'propose', 'ad'],
        ['add', 'admit'],
      ],
      [
        ['tx', ''],
        ['members', 'governance', 'assets', 'records'],
      ],
      [
        ['tx', 'assets', ''],
        ['issue', 'transfer'],
      ],
      [
        ['tx', 'assets', 'transfer', '--a'],
        ['--asset', '--amount', '--as', '--accept-recovery'],
      ],
      [['tx', 'records', 'register', '--key', 'k', '--d'], ['--digest']],
      [
        ['tx', 'records', 'register', '--wait', ''],
        ['none', 'committed', 'final'],
      ],
      [['tx', '--as', 'al'], ['alice']],
      [['keys', 'new', '--kind', 'c'], ['consensus']],
      [
        ['query', 'state', 'assets.'],
        ['assets.definitions', 'assets.balances'],
      ],
      [
        ['completion', ''],
        ['bash', 'zsh', 'fish'],
      ],
      [['verify', 'some.proof', '--genesis', 'my'], ['my genesis.json']],
      [['verify', 'my'], ['my genesis.json']],
      [['tx', 'assets', 'issue', '--amount', ''], []],
      [['query', 'tx', ''], []],
    ] as const) {
      assert.deepEqual(await offered(...words), expected, words.join(' '));
    }
    const options = await offered('tx', 'records', 'revoke', '-');
    for (const one of ['--key', '--url', '--genesis', '--json', '--wait', '--help']) assert(options.includes(one), one);
    assert(!options.includes('--digest'), 'that of another action');
  });

  it('in zsh and fish: the same words, each with what it means', async () => {
    const [zsh, fish] = await Promise.all([quorate('completion', 'zsh'), quorate('completion', 'fish')]);
    assert.match(zsh.stdout, /^#compdef quorate\n/);
    assert.match(zsh.stdout, /'quorate tx assets'\) plain=\('issue:action of module assets' 'transfer:/);
    assert.match(fish.stdout, /test \(__quorate_at\) = "quorate tx assets"' -a transfer -d 'action of module assets'/);
    // A quote in a description ends no text.
    for (const { stdout } of [zsh, fish]) assert.match(stdout, /an account('\\''|\\')s key under a passphrase/);
  });

  it('knows no other shell', async () => {
    assert.equal((await quorate('completion', 'tcsh')).code, 2);
  });
});
