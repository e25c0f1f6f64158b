import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run package [-- folder]`: the tarball for publishing. Its manifest leaves out what only the repository needs; above
 * all the Node that the repository brings must never be a dependency of the package.
 */
const root = fileURLToPath(new URL('../', import.meta.url));
const staging = join(root, '.tsbuild/package');
const target = process.argv[2] ?? root;
const PUBLISHED = ['api', 'browser', 'genesis', 'ledger', 'light', 'node', 'p2p'];

execFileSync(process.execPath, [join(root, 'build/build.ts')], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
rmSync(staging, { recursive: true, force: true });
mkdirSync(join(staging, 'dist'), { recursive: true });
for (const folder of PUBLISHED) cpSync(join(root, 'dist', folder), join(staging, 'dist', folder), { recursive: true });
cpSync(join(root, 'dist/verify.html'), join(staging, 'dist/verify.html'));
for (const name of ['bin', 'docs', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md']) {
  cpSync(join(root, name), join(staging, name), { recursive: true });
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
for (const field of ['scripts', 'devDependencies', 'optionalDependencies', 'allowScripts', 'private'])
  delete manifest[field];
writeFileSync(join(staging, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--pack-destination', target], { cwd: staging, encoding: 'utf8' }),
) as [{ filename: string; unpackedSize: number }];
console.log(join(target, packed.filename));
