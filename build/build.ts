import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { writeVerifyPage } from './verify-page.ts';

/** `npm run build`: `dist/` for publishing, the light client as browser modules in `dist/browser/`, and the page. */
const root = fileURLToPath(new URL('../', import.meta.url));

rmSync(join(root, 'dist'), { recursive: true, force: true });
rmSync(join(root, '.tsbuild'), { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'node', 'light'], { cwd: root, stdio: 'inherit' });
const { metafile } = await build({
  entryPoints: [join(root, 'light/index.ts')],
  outdir: join(root, 'dist/browser'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  metafile: true,
  entryNames: 'light',
  chunkNames: 'light-[name]-[hash]',
});
for (const [path, { bytes }] of Object.entries(metafile.outputs)) console.log(`${bytes} bytes  ${path}`);
const page = await writeVerifyPage();
console.log(`${page.bytes} bytes  ${page.path}`);
