import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDist, pack, ROOT, readManifest } from './pack.ts';

/**
 * `npm run package:client [-- folder]`: the client library as a package of its own, `quorate-client`, for applications that run
 * no node. It depends on noble only.
 */
const ENTRIES = {
  '.': 'light/ledger-client/index',
  './node': 'light/keystore/index',
  './testing': 'light/ledger-client/testing',
  './light': 'light/index',
};

buildDist();
const { version, keywords, license, type, engines, dependencies } = readManifest();
const noble = Object.entries(dependencies as Record<string, string>).filter(([name]) => name.startsWith('@noble/'));
const manifest = {
  name: 'quorate-client',
  version,
  description:
    'Client library of the Quorate ledger: signed transactions, verified proofs, events; for Node and browsers',
  keywords,
  license,
  type,
  engines,
  sideEffects: false,
  exports: Object.fromEntries([
    ...Object.entries(ENTRIES).map(([name, path]) => [
      name,
      { types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` },
    ]),
    ['./package.json', './package.json'],
  ]),
  dependencies: Object.fromEntries(noble),
};
const guide = readFileSync(join(ROOT, 'docs/first-application.md'), 'utf8');
const texts = {
  'README.md': guide
    .replaceAll(/'quorate\/client(\/node)?'/g, "'quorate-client$1'")
    .replaceAll("'quorate/testing'", "'quorate-client/testing'")
    .replaceAll('`quorate/client`', '`quorate-client`')
    .replaceAll('`quorate/testing`', '`quorate-client/testing`')
    .replaceAll('](light-client.md)', '](docs/light-client.md)'),
};
const copies = ['dist/ledger', 'dist/genesis', 'dist/light', 'docs/light-client.md', 'LICENSE', 'SECURITY.md'];
console.log(pack('package-client', manifest, { copies, texts, target: process.argv[2] ?? ROOT }));
