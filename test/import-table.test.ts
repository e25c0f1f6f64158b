import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { untidy } from './support/tidy.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PURE = ['ledger', 'genesis', 'node/pbft'];

/** Planted in each pure folder; what the compiler itself must refuse there. */
const FOR_THE_COMPILER: Readonly<Record<string, string>> = {
  'a Node module': "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
  'a timer': 'export const x = setTimeout(() => {}, 1);',
  Buffer: "export const x = Buffer.from('');",
  process: 'export const x = process.pid;',
  console: "console.log('');",
  'the DOM': 'export const x = document.title;',
  WebCrypto: 'export const x = crypto.subtle;',
  'a folder above': 'UP',
};

/** What only the tidy rules see. */
const FOR_THE_RULES: Readonly<Record<string, string>> = {
  'the wall clock': 'export const x = Date.now();',
  'new Date': 'export const x = new Date();',
  randomness: 'export const x = Math.random();',
  'an async function': 'export async function x() {}',
  'a promise': 'export const x = Promise.resolve(1);',
  'an npm package': "import Koa from 'koa';\nexport const x = Koa;",
  'a locale': "export const x = 'a'.localeCompare('b');",
  'a dynamic import': "export const x = () => import('node:fs');",
};

describe('the import table is enforced: planted violations are caught', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-table-'));
    for (const name of ['ledger', 'genesis', 'node', 'light', 'explorer', 'tsconfig.base.json', 'package.json']) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('by the compiler', () => {
    const planted: string[] = [];
    for (const pure of PURE) {
      mkdirSync(join(folder, pure, 'planted'));
      for (const [i, [, text]] of Object.entries(FOR_THE_COMPILER).entries()) {
        const path = join(pure, 'planted', `p${i}.ts`);
        const up = pure === 'node/pbft' ? '../../runner.ts' : '../../node/runner.ts';
        writeFileSync(join(folder, path), text === 'UP' ? `export * from '${up}';\n` : `${text}\n`);
        planted.push(path);
      }
    }
    const errors = compile(folder, PURE);
    for (const path of planted)
      assert(errors.includes(path), `the compiler refuses ${path}:\n${errors.slice(0, 2_000)}`);
    for (const pure of PURE) rmSync(join(folder, pure, 'planted'), { recursive: true });
    assert.equal(compile(folder, PURE), '', 'without them it is content');
  });

  for (const project of ['light', 'explorer']) {
    it(`${project}/ compiles with the DOM and without Node`, () => {
      writeFileSync(
        join(folder, project, 'planted.ts'),
        "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;\n",
      );
      assert.match(compile(folder, [project]), new RegExp(`${project}/planted\\.ts`));
      rmSync(join(folder, project, 'planted.ts'));
    });
  }

  it('light/ compiles without its part for Node', () => {
    writeFileSync(join(folder, 'light/planted.ts'), "export * from './keystore/index.ts';\n");
    assert.match(compile(folder, ['light']), /light\/planted\.ts/);
    rmSync(join(folder, 'light/planted.ts'));
    assert.equal(compile(folder, ['light', 'light/keystore']), '');
  });

  it('by Biome', () => {
    cpSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'));
    const texts = [
      "import { readFileSync } from 'node:fs';",
      "import Koa from 'koa';",
      'const x = Date.now();',
      'const x = process.pid;',
    ];
    for (const pure of PURE) {
      for (const text of texts) {
        const path = join(folder, pure, 'planted.ts');
        writeFileSync(path, `${text}\n`);
        const args = ['lint', '--vcs-enabled=false', path];
        const run = spawnSync(join(ROOT, 'node_modules/.bin/biome'), args, { cwd: folder, encoding: 'utf8' });
        assert.match(run.stderr + run.stdout, /noRestricted(Imports|Globals)/, `${text} in ${pure}`);
        rmSync(path);
      }
    }
  });

  it('by the tidy rules', () => {
    for (const pure of PURE) {
      for (const [what, text] of Object.entries({ ...FOR_THE_RULES })) {
        assert.notDeepEqual(untidy({ path: `${pure}/planted.ts`, text }), [], `${what} in ${pure}`);
      }
    }
    const elsewhere: readonly [string, string][] = [
      ['light/x.ts', "import { x } from 'libp2p';"],
      ['light/x.ts', "import { x } from '../node/runner.ts';"],
      ['light/x.ts', "import { x } from '../explorer/verify/words.ts';"],
      ['explorer/x.ts', "import { x } from '../node/runner.ts';"],
      ['explorer/x.ts', "import { x } from 'zod';"],
      ['p2p/x.ts', "import { x } from '../node/runner.ts';"],
      ['p2p/x.ts', "import { x } from 'koa';"],
      ['api/x.ts', "import { x } from '../node/validator.ts';"],
      ['api/x.ts', "import { x } from 'libp2p';"],
      ['node/x.ts', "import { x } from '../bench/index.ts';"],
      ['node/x.ts', '// TODO later'],
      ['node/x.ts', `${'\n'.repeat(600)}`],
    ];
    for (const [path, text] of elsewhere)
      assert.notDeepEqual(untidy({ path, text }), [], `${path}: ${text.slice(0, 60)}`);
  });

  it('and words in comments and texts are no violations', () => {
    const text = "// await a Date\nexport const x = 'process and Promise';\n/* console */\n";
    assert.deepEqual(untidy({ path: 'ledger/x.ts', text }), []);
  });
});

/** What `tsc -b` prints for these projects; empty if it is content. */
function compile(folder: string, projects: readonly string[]): string {
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-b', ...projects], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return '';
  } catch (error) {
    return String((error as { stdout?: string }).stdout);
  }
}
