import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundleLight } from './browser.ts';
import { bundleNode } from './node.ts';
import { noticesOf } from './notices.ts';
import { writePages } from './pages.ts';

/** What applications import, by the folder of its source: modules with their types. */
const LIBRARY = ['genesis', 'ledger', 'light'] as const;

/**
 * `npm run build`: `dist/` for publishing: the node in a few files, the libraries, the light client as browser modules in
 * `dist/browser/`, and the pages.
 */
const root = fileURLToPath(new URL('../', import.meta.url));
const dist = join(root, 'dist');
const browser = join(dist, 'browser');
const NOTICES = 'dist/node/THIRD-PARTY-NOTICES.txt';

rmSync(join(root, '.tsbuild'), { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'node', 'light', 'light/keystore'], {
  cwd: root,
  stdio: 'inherit',
});
for (const name of LIBRARY) {
  rmSync(join(dist, name), { recursive: true, force: true });
  cpSync(join(root, '.tsbuild', name), join(dist, name), { recursive: true });
}
rmSync(browser, { recursive: true, force: true });
mkdirSync(browser, { recursive: true });
for (const { name, code } of await bundleLight()) {
  writeFileSync(join(browser, name), code);
  console.log(`${code.length} bytes, ${gzipSync(code).length} gzipped  dist/browser/${name}`);
}
for (const { bytes, path } of await writePages()) console.log(`${bytes} bytes  ${path}`);
const { files, bytes, inputs } = await bundleNode();
writeFileSync(join(root, NOTICES), noticesOf(inputs));
// A node that still runs from an earlier bundle may look for what goes here.
for (const entry of readdirSync(join(dist, 'node'), { recursive: true, withFileTypes: true })) {
  const path = relative(root, join(entry.parentPath, entry.name));
  if (entry.isFile() && path !== NOTICES && !files.includes(path)) rmSync(join(root, path), { force: true });
}
console.log(`${bytes} bytes in ${files.length} files  dist/node`);
