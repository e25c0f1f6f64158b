import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundleLight } from './browser.ts';
import { writePages } from './pages.ts';

/** `npm run build`: `dist/` for publishing, the light client as browser modules in `dist/browser/`, and the pages. */
const root = fileURLToPath(new URL('../', import.meta.url));
const browser = join(root, 'dist/browser');

rmSync(join(root, 'dist'), { recursive: true, force: true });
rmSync(join(root, '.tsbuild'), { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'node', 'light', 'light/keystore'], {
  cwd: root,
  stdio: 'inherit',
});
mkdirSync(browser, { recursive: true });
for (const { name, code } of await bundleLight()) {
  writeFileSync(join(browser, name), code);
  console.log(`${code.length} bytes, ${gzipSync(code).length} gzipped  dist/browser/${name}`);
}
for (const { bytes, path } of await writePages()) console.log(`${bytes} bytes  ${path}`);
