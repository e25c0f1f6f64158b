import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * `npm run build:page`: each page of explorer/ as one file, style and script inside, like `dist/verify.html`. The same sources
 * always give the same bytes.
 */
const root = fileURLToPath(new URL('../', import.meta.url));

/** Folders of explorer/, and what each page may ask the network for. */
const PAGES = {
  /** Runs from a disk without a network. */
  verify: "connect-src 'none'",
  docs: "connect-src 'self'",
} as const;
export type PageName = keyof typeof PAGES;

if (realpathSync(process.argv[1]!) === fileURLToPath(import.meta.url)) await writePages();

/** Writes the pages to `dist/`; resolves to their paths from the repository's root, and their bytes. */
export async function writePages(): Promise<{ readonly path: string; readonly bytes: number }[]> {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const names = Object.keys(PAGES) as PageName[];
  return Promise.all(
    names.map(async (name) => {
      const path = `dist/${name}.html`;
      const html = await buildPage(name);
      writeFileSync(join(root, path), html);
      return { path, bytes: Buffer.byteLength(html) };
    }),
  );
}

/** The page's HTML: style and script inlined, and allowed by nothing but their hashes. */
export async function buildPage(name: PageName): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`explorer/${name}/main.ts`, `explorer/${name}/page.css`],
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
    policy: `<meta http-equiv="Content-Security-Policy" content="${policyOf(script, style, PAGES[name])}" />`,
    style: `<style>${style}</style>`,
    script: `<script>${script}</script>`,
    version,
  };
  const template = readFileSync(join(root, `explorer/${name}/page.html`), 'utf8');
  return template.replace(/<!-- (\w+) -->/g, (_, part: string) => parts[part]!);
}

/** No other code, no markup made from strings, no request but what is allowed. */
function policyOf(script: string, style: string, connect: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    connect,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
