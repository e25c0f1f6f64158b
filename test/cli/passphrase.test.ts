import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openKeystore } from '../../light/keystore/index.ts';
import { quorate, REPOSITORY, temporaryFolder } from '../support/processes.ts';
import { withoutPython } from '../support/python.ts';

/** Runs a command on a terminal of its own and types each text behind its prompt; prints what the terminal shows. */
const ON_A_TERMINAL = `
import json, os, pty, sys
command, answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
shown = b''
for prompt, text in answers:
    while prompt.encode() not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, text.encode())
    shown = shown.replace(prompt.encode(), b'')
try:
    while piece := os.read(terminal, 1000):
        shown += piece
except OSError:
    pass
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

function onTerminal(args: readonly string[], answers: readonly (readonly [prompt: string, text: string])[]) {
  const command = [process.execPath, join(REPOSITORY, 'bin/quorate.js'), ...args];
  const given = JSON.stringify([command, answers]);
  return new Promise<{ code: number; shown: string }>((resolve, reject) => {
    execFile('python3', ['-c', ON_A_TERMINAL, given], { timeout: 60_000 }, (error, shown, problem) => {
      if (error !== null && typeof error.code !== 'number') reject(new Error(problem, { cause: error }));
      else resolve({ code: error === null ? 0 : (error.code as number), shown });
    });
  });
}

describe('the passphrase of a keystore', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let keystore: string;

  before(async () => {
    folder = await temporaryFolder();
    keystore = join(folder.path, 'my.keystore');
  });

  after(() => folder.remove());

  it('is typed on a terminal, where it is not shown, with a letter taken back', { skip: withoutPython }, async () => {
    const made = await onTerminal(
      ['keys', 'new', '--keystore', keystore],
      [
        ['New passphrase', 'sesamö\r'],
        ['The same again', 'sesamX\u007fö\r'],
      ],
    );
    assert.equal(made.code, 0, made.shown);
    assert.doesNotMatch(made.shown, /sesam/);
    await openKeystore(keystore, 'sesamö');
    const opened = await onTerminal(['keys', 'show', keystore, '--check'], [['Passphrase', 'sesamö\r']]);
    assert.equal(opened.code, 0, opened.shown);
    assert.doesNotMatch(opened.shown, /sesam/);
    const wrong = await onTerminal(['keys', 'show', keystore, '--check'], [['Passphrase', 'sesame\r']]);
    assert.deepEqual([wrong.code, /the passphrase is wrong/.test(wrong.shown)], [1, true], wrong.shown);
  });

  it('is asked for twice for a new one; if they differ, or at Ctrl-C, nothing is written', {
    skip: withoutPython,
  }, async () => {
    const other = join(folder.path, 'other.keystore');
    for (const answers of [
      [
        ['New passphrase', 'a\r'],
        ['The same again', 'b\r'],
      ],
      [['New passphrase', '\r']],
      [['New passphrase', 'a\u0003']],
    ] as const) {
      const { code, shown } = await onTerminal(['keys', 'new', '--keystore', other], answers);
      assert([1, 2].includes(code), shown);
      assert.equal(existsSync(other), false);
    }
  });

  it('is the content of a file that only its user can read, and no argument', async () => {
    const [file, named] = [join(folder.path, 'passphrase'), join(folder.path, 'named.keystore')];
    await writeFile(file, 'from a file\n', { mode: 0o600 });
    process.env.QUORATE_PASSPHRASE_FILE = file;
    try {
      const { code, stderr } = await quorate('keys', 'new', '--keystore', named);
      assert.equal(code, 0, stderr);
      await openKeystore(named, 'from a file');
      await chmod(file, 0o644);
      const refused = await quorate('keys', 'show', named, '--check');
      assert.deepEqual([refused.code, /0644.*0600/.test(refused.stderr)], [1, true], refused.stderr);
    } finally {
      delete process.env.QUORATE_PASSPHRASE_FILE;
    }
    assert.equal((await quorate('keys', 'show', named, '--check')).code, 2, 'nobody to ask');
    assert.equal((await quorate('keys', 'show', named)).code, 0, 'the public key needs none');
    assert.equal((await quorate('keys', 'new', '--keystore', named, '--passphrase', 'x')).code, 2);
  });
});
