import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../', import.meta.url));

export type Manifest = Readonly<Record<string, unknown>>;

/** The repository's package.json. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
}

/** `dist/` anew, quietly. */
export function buildDist(): void {
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  execFileSync(process.execPath, [join(ROOT, 'build/build.ts')], { cwd: ROOT, stdio: [...stdio] });
}

/** A tarball of what is copied into a fresh folder: paths from the repository's root, and texts by the name of their file. */
export function pack(
  staging: string,
  manifest: Manifest,
  {
    copies,
    texts = {},
    target,
  }: { copies: readonly string[]; texts?: Readonly<Record<string, string>>; target: string },
): string {
  const folder = join(ROOT, '.tsbuild', staging);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const path of copies) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  }
  const all = { ...texts, 'package.json': `${JSON.stringify(manifest, undefined, 2)}\n` };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
  const args = ['pack', '--json', '--pack-destination', target];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' })) as [{ filename: string }];
  return join(target, packed.filename);
}
