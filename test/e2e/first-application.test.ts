import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  type DevReady,
  eventually,
  quorate,
  REPOSITORY,
  startQuorate,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';

const SOURCES: Readonly<Record<string, string>> = {
  'quorate/client': 'light/ledger-client/index.ts',
  'quorate/client/node': 'light/keystore/index.ts',
  'quorate/testing': 'light/ledger-client/testing.ts',
};

/** A block of code of the guide: what stands behind its fence, and its lines. */
interface Block {
  readonly language: string;
  readonly text: string;
}

describe('docs/first-application.md, typed as it is written', { timeout: 180_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let blocks: readonly Block[];
  let dev: ChildProcess;
  let network: DevReady;

  const commands = () => blocks.filter(({ language }) => language === 'sh').map(({ text }) => text.trim());

  before(async () => {
    folder = await temporaryFolder();
    const guide = await readFile(join(REPOSITORY, 'docs/first-application.md'), 'utf8');
    blocks = [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
      language: language!,
      text: text!,
    }));
    const [start] = commands();
    const args = /^npx quorate (dev --ready-file network\.json)$/.exec(start ?? '')?.[1]?.split(' ');
    assert(args, `the first command is ${start}`);
    const file = join(folder.path, 'network.json');
    // Here beside other tests: elsewhere than where a reader's network is, and with the file in the test's folder.
    dev = startQuorate([...args.slice(0, -1), file, '--port', '0', '--home', join(folder.path, 'network')]);
    dev.stdout!.resume();
    await eventually(async () => {
      network = JSON.parse(await readFile(file, 'utf8')) as DevReady;
      return true;
    }, 'the network is ready');
  });

  after(async () => {
    if (dev) await stopProcess(dev);
    await folder?.remove();
  });

  it('its program runs from the first block to the last, and prints what its comments say', async () => {
    const parts = blocks.filter(({ language }) => language === 'js');
    assert(parts.length >= 10, `${parts.length} blocks`);
    const program = parts
      .map(({ text }) => text)
      .join('\n')
      .replaceAll(/from '(quorate[a-z/]*)'/g, (_, name: string) => {
        assert(SOURCES[name], name);
        return `from '${pathToFileURL(join(REPOSITORY, SOURCES[name]))}'`;
      });
    await writeFile(join(folder.path, 'app.mjs'), program);
    const child = spawn(process.execPath, ['app.mjs'], { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe'] });
    let [said, problems] = ['', ''];
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    child.stderr.on('data', (chunk) => {
      problems += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0, `${said}\n${problems}`);
    for (const expected of [
      /^id 0x[0-9a-f]{64}$/m,
      /^final in block \d+ \[/m,
      /^pending$/m,
      /^5n\nundefined\n2\nrejected insufficient-balance$/m,
      /^true$/m,
      /^true ok$/m,
      /^enrol this key: Uint8Array\(32\)/m,
      /^failed insufficient-balance$/m,
      /^\d+\.\d+ transaction /m,
    ])
      assert.match(said, expected);
  });

  it('the proof that it kept verifies as the guide says', async () => {
    await copyFile(network.genesisFile, join(folder.path, 'genesis.json'));
    const [, verify] = commands();
    const [, ...args] = /^npx quorate (verify) (\S+) (--genesis) (\S+)$/.exec(verify!) ?? [];
    assert.equal(args.length, 4, verify);
    const { code, stdout, stderr } = await quorate(
      args[0]!,
      join(folder.path, args[1]!),
      args[2]!,
      join(folder.path, args[3]!),
    );
    assert.equal(code, 0, stdout + stderr);
  });
});
