import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Makes packages.ndjson from what apt has: `apt-get update`, then `node examples/make-packages.ts [count]`. Packages are
 * taken evenly over Debian's alphabetical index, so that libraries, tools and fonts are all in it.
 */
const count = Number(process.argv[2] ?? 2_500);
const index = execFileSync('apt-cache', ['dumpavail'], { encoding: 'utf8', maxBuffer: 1024 ** 3 });

const packages = new Map<string, object>();
for (const stanza of index.split('\n\n')) {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1];
  const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
  const [size, sha256] = [field('Size'), field('SHA256')];
  if (!name || !version || !architecture || !size || !sha256) continue;
  packages.set(`${name}/${version}/${architecture}`, { name, version, architecture, size: Number(size), sha256 });
}

const sorted = [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
const step = sorted.length / count;
const chosen = Array.from(
  { length: Math.min(count, sorted.length) },
  (_, i) => sorted[Math.floor(i * Math.max(step, 1))],
);
const file = fileURLToPath(new URL('packages.ndjson', import.meta.url));
writeFileSync(file, chosen.map((one) => `${JSON.stringify(one)}\n`).join(''));
console.log(`${chosen.length} of ${sorted.length} packages in ${file}`);
