import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { REPOSITORY } from './processes.ts';

const FOLDER = join(REPOSITORY, 'examples/verify-python');

/** Why tests of the example in Python can't run here, or false if they can. */
export const withoutPython: string | false = reasonWithoutPython();

function reasonWithoutPython(): string | false {
  const found = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
  if (found.error !== undefined) return 'there is no python3';
  return found.status === 0 ? false : 'python3 is older than 3.9';
}

/** Runs a program of examples/verify-python to its end. */
export function runPython(program: string, ...args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    // Without -B it would leave compiled files in the repository; -W error: nothing deprecated.
    const all = ['-B', '-W', 'error', join(FOLDER, program), ...args];
    execFile('python3', all, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ code: error === null ? 0 : (error.code as number), output: `${stdout}${stderr}` });
    });
  });
}
