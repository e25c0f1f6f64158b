import { buildDist, pack, ROOT, readManifest } from './pack.ts';

/**
 * `npm run package [-- folder]`: the tarball for publishing. Its manifest leaves out what only the repository needs; above
 * all the Node that the repository brings must never be a dependency of the package.
 */
const PUBLISHED = ['api', 'browser', 'genesis', 'ledger', 'light', 'node', 'p2p', 'verify.html', 'docs.html'];
const REPOSITORY_ONLY = ['scripts', 'devDependencies', 'optionalDependencies', 'allowScripts', 'private'];

buildDist();
const manifest = Object.fromEntries(Object.entries(readManifest()).filter(([name]) => !REPOSITORY_ONLY.includes(name)));
const copies = [
  ...PUBLISHED.map((name) => `dist/${name}`),
  ...['bin', 'docs', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md'],
];
console.log(pack('package', manifest, { copies, target: process.argv[2] ?? ROOT }));
