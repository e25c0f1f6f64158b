import { readSecretFile } from '../../light/keystore/secret-file.ts';
import { CliError, EXIT } from './errors.ts';

/** Where the passphrase is read from when nobody is asked. */
const FILE = 'QUORATE_PASSPHRASE_FILE';
const PASSPHRASE_BYTES_MAX = 4_096;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

/**
 * The passphrase of a keystore: from the file that QUORATE_PASSPHRASE_FILE names, else typed on the terminal, where it is not
 * shown. Never from an argument, which other users of the machine see, and shells remember.
 */
export async function askPassphrase(prompt: string): Promise<string> {
  const file = process.env[FILE];
  if (file !== undefined && file !== '') {
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(readSecretFile(file, PASSPHRASE_BYTES_MAX));
    return text.replace(/\r?\n$/, '');
  }
  if (process.stdin.isTTY) return readHidden(prompt);
  const problem = `a keystore needs its passphrase: run this on a terminal, or name a file of mode 0600 in ${FILE}`;
  throw new CliError(EXIT.usage, 'PASSPHRASE', problem);
}

/** A passphrase for a new keystore: typed twice, as nobody sees what is typed. */
export async function askNewPassphrase(path: string): Promise<string> {
  const isTyped = (process.env[FILE] ?? '') === '';
  const passphrase = await askPassphrase(`New passphrase for ${path}`);
  if (passphrase === '') throw new CliError(EXIT.usage, 'PASSPHRASE', 'the passphrase is empty');
  if (isTyped && (await askPassphrase('The same again')) !== passphrase)
    throw new CliError(EXIT.usage, 'PASSPHRASE', 'the two passphrases differ; nothing was written');
  return passphrase;
}

/** One line from the terminal, without echo. */
async function readHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  // First, so that not even what is typed ahead is shown.
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stderr.write(`${prompt}: `);
  try {
    let typed: string[] = [];
    for (;;) {
      const chunk = await new Promise<string>((resolve) => {
        stdin.once('data', (data) => resolve(String(data)));
        stdin.resume();
      });
      for (const letter of chunk) {
        if (letter === '\r' || letter === '\n') return typed.join('');
        if (letter === CTRL_C || letter === CTRL_D)
          throw new CliError(EXIT.failed, 'ABORTED', 'no passphrase was given');
        if (letter === '\u007f' || letter === '\b') typed = typed.slice(0, -1);
        else typed.push(letter);
      }
    }
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}
