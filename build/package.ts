import { NOT_BUNDLED } from './node.ts';
import { buildDist, pack, ROOT, readManifest } from './pack.ts';

/**
 * `npm run package [-- folder]`: the tarball for publishing. Its manifest leaves out what only the repository needs; above
 * all the Node that the repository brings must never be a dependency of the package. What is in the node's files already is none either.
 */
const NODE = ['chunks', 'cli', 'ledger', 'verify', 'THIRD-PARTY-NOTICES.txt'].map((name) => `node/${name}`);
const PUBLISHED = ['browser', 'genesis', 'ledger', 'light', ...NODE, 'verify.html', 'docs.html'];
/** What the node's files and the libraries import. */
const IMPORTED = [...NOT_BUNDLED, '@noble/curves', '@noble/hashes'];
const REPOSITORY_ONLY = ['scripts', 'devDependencies', 'optionalDependencies', 'allowScripts', 'private'];

buildDist();
const repository = readManifest();
const dependencies = Object.entries(repository.dependencies as Readonly<Record<string, string>>);
const manifest = {
  ...Object.fromEntries(Object.entries(repository).filter(([name]) => !REPOSITORY_ONLY.includes(name))),
  dependencies: Object.fromEntries(dependencies.filter(([name]) => IMPORTED.includes(name))),
};
const copies = [
  ...PUBLISHED.map((name) => `dist/${name}`),
  ...['bin', 'docs', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md'],
];
console.log(pack('package', manifest, { copies, target: process.argv[2] ?? ROOT }));
