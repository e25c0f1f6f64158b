import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readSource, untidy } from './support/tidy.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
};

function files(...patterns: readonly string[]): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns];
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean);
}

describe('tidiness', () => {
  it('every source file keeps the import table, purity, size and leaves nothing behind', () => {
    const sources = files('*.ts');
    assert(sources.length > 50, 'the sources are found');
    const problems = sources.flatMap((path) => untidy(readSource(ROOT, path)).map((problem) => `${path}: ${problem}`));
    assert.deepEqual(problems, []);
  });

  it('no other file names a place of one machine', () => {
    for (const path of files('*.md', '*.json', '*.js', '.ci/*', '.npmrc')) {
      assert.doesNotMatch(read(path), /\/work\/(main|shared)|registry\.npmjs\.org|"resolved": "http/, path);
    }
  });

  it('versions are exact and every dependency has its sentence in docs/architecture.md', () => {
    const architecture = read('docs/architecture.md');
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    for (const [name, version] of Object.entries(all)) {
      assert.match(version, /^\d+\.\d+\.\d+$/, `${name} has an exact version`);
      assert(architecture.includes(`\`${name}\``), `${name} stands in docs/architecture.md`);
    }
  });

  it('npm scripts that the README names exist, and its files too', () => {
    const readme = read('README.md');
    for (const [, script] of readme.matchAll(/npm run ([a-z:]+)/g))
      assert(manifest.scripts[script!], `npm run ${script}`);
    for (const [, path] of readme.matchAll(/\]\(([^)#:]+)\)/g))
      assert.doesNotThrow(() => read(path!), `README links ${path}`);
    assert(readme.includes('npm ci && npm test') && readme.includes('npm ci && npm start'));
  });
});
