import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * `npm run build:page`: explorer/verify/ as one file, `dist/verify.html`, which runs from a disk without a network. The same
 * sources always give the same bytes.
 */
const root = fileURLToPath(new URL('../', import.meta.url));

if (realpathSync(process.argv[1]!) === fileURLToPath(import.meta.url)) await writeVerifyPage();

/** Writes `dist/verify.html`; resolves to its path from the repository's root, and its bytes. */
export async function writeVerifyPage(): Promise<{ readonly path: string; readonly bytes: number }> {
  const path = 'dist/verify.html';
  const html = await buildVerifyPage();
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, path), html);
  return { path, bytes: Buffer.byteLength(html) };
}

/** The page's HTML: style and script inlined, and allowed by nothing but their hashes. */
export async function buildVerifyPage(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['explorer/verify/main.ts', 'explorer/verify/page.css'],
    outdir: 'out',
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    write: false,
  });
  const output = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))!.text.trim();
  const script = output('.js');
  const style = output('.css');
  // Either would end its element, or begin another state of the HTML parser, in the middle of the text.
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error('the text can not be inlined');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const parts: Readonly<Record<string, string>> = {
    policy: `<meta http-equiv="Content-Security-Policy" content="${policyOf(script, style)}" />`,
    style: `<style>${style}</style>`,
    script: `<script>${script}</script>`,
    version,
  };
  const template = readFileSync(join(root, 'explorer/verify/page.html'), 'utf8');
  return template.replace(/<!-- (\w+) -->/g, (_, name: string) => parts[name]!);
}

/** No request to anywhere, no other code, no markup made from strings. */
function policyOf(script: string, style: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
