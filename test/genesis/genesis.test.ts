import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createGenesis, possessionMessage } from '../../genesis/ceremony.ts';
import { type GenesisContent, printGenesis } from '../../genesis/file.ts';
import { type ReadGenesis, readGenesis } from '../../genesis/genesis.ts';
import { fromHex, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { portableVerify, publicKeyOf, signEd25519 } from '../../ledger/ed25519.ts';
import { genesisState } from '../../ledger/execution.ts';
import { sha256 } from '../../ledger/hash.ts';
import { defaultParameters } from '../../ledger/parameters.ts';

const seedOf = (name: string): Uint8Array => sha256(utf8Encode(name));
const keyOf = (name: string): Uint8Array => publicKeyOf(seedOf(name));

function validator(index: number, chain = 'test-chain') {
  const entry = {
    name: `node-${index}`,
    organisation: `org-${index}`,
    key: keyOf(`consensus ${index}`),
    peerKey: keyOf(`peer ${index}`),
  };
  const possession = signEd25519(possessionMessage(chain, entry), seedOf(`consensus ${index}`));
  return { ...entry, possession, addresses: [`/ip4/127.0.0.1/tcp/${4000 + index}`] };
}

const organisation = (index: number) => ({
  name: `org-${index}`,
  administrators: [keyOf(`administrator ${index}`), keyOf(`administrator ${index} b`)],
  threshold: 2,
  roles: ['writer', 'issuer'],
});

/** A sound content with n validators. Made once: signing by the portable engine takes its time. */
const content = (n = 4): GenesisContent => ({
  chain: 'test-chain',
  time: 1_700_000_000_000,
  organisations: ORGANISATIONS.slice(0, n),
  validators: VALIDATORS.slice(0, n),
  accounts: [
    { name: 'ann', organisation: 'org-0', key: keyOf('ann'), roles: ['writer', 'issuer'] },
    { name: 'ben', organisation: 'org-0', key: keyOf('ben'), roles: [] },
  ],
  recovery: 75,
  parameters: defaultParameters,
});
const VALIDATORS = Array.from({ length: 7 }, (_, index) => validator(index));
const ORGANISATIONS = Array.from({ length: 7 }, (_, index) => organisation(index));
const SOUND = content();
const TEXT = printGenesis(SOUND);

function assertRefused(read: ReadGenesis, code: string, problem: string | RegExp, what = ''): void {
  assert(!read.ok, `accepted: ${what}`);
  assert.equal(read.code, code, `${what}: ${read.problem}`);
  if (typeof problem === 'string') assert.equal(read.problem, problem, what);
  else assert.match(read.problem, problem, what);
}

test('a sound genesis file is read, and everything in it is there', () => {
  const read = readGenesis(TEXT, portableVerify);
  assert(read.ok, read.ok ? '' : read.problem);
  const { genesis } = read;
  assert.deepEqual(genesis.id, new Uint8Array(createHash('sha256').update(TEXT, 'utf8').digest()));
  assert.equal(genesis.text, TEXT);
  assert.equal(genesis.chain, 'test-chain');
  assert.equal(genesis.time, SOUND.time);
  assert.deepEqual(genesis.parameters, defaultParameters);
  assert.deepEqual(genesis.organisations, SOUND.organisations);
  assert.deepEqual(genesis.accounts, SOUND.accounts);
  assert.deepEqual(
    genesis.addresses,
    SOUND.validators.map(({ addresses }) => addresses),
  );
  assert.deepEqual(Object.keys(genesis.validators[0]!), ['name', 'organisation', 'key', 'peerKey']);
  assert.deepEqual(genesis.warnings, []);
  assert.equal(printGenesis(SOUND), TEXT);
  assert.equal(genesisState(genesis).length, 4 + 4 * (1 + 1 + 2) + 2 * 2, 'administrators and names have rows too');
});

test('the file begins as documented and ends with one newline', () => {
  assert(
    TEXT.startsWith(
      '{\n  "quorate": "genesis/1",\n  "chain": "test-chain",\n  "time": 1700000000000,\n  "organisations": [\n',
    ),
  );
  assert(TEXT.endsWith('    "stateBytesMax": 1048576\n  }\n}\n'));
});

test('a file that createGenesis makes is the file that is read', () => {
  const made = createGenesis(SOUND, portableVerify);
  assert(made.ok && made.genesis.text === TEXT);
  assertRefused(
    createGenesis({ ...SOUND, chain: '' }, portableVerify),
    'bad-form',
    /^genesis\.chain: expected 1 to 32 bytes/,
  );
  assertRefused(
    createGenesis({ ...SOUND, chain: '\ud800' }, portableVerify),
    'bad-form',
    /^genesis\.chain: expected well-formed/,
  );
});

/** Replaces the first occurrence; the text must have it. */
const replaced = (from: string, to: string): string => {
  assert(TEXT.includes(from), from);
  return TEXT.replace(from, () => to);
};

test('G01: text that is not the schema is refused with the path', () => {
  const cases: readonly [what: string, text: string, code: string, problem: string | RegExp][] = [
    ['empty', '', 'not-json', /JSON/],
    ['cut off', TEXT.slice(0, 500), 'not-json', /JSON/],
    ['byte order mark', `\ufeff${TEXT}`, 'not-json', /JSON/],
    ['lone surrogate', `${TEXT}\udc00`, 'not-json', 'the text has a lone surrogate'],
    ['too large', `${TEXT}${' '.repeat(1024 * 1024)}`, 'too-large', 'expected at most 1048576 bytes'],
    ['too large in bytes only', `"${'ü'.repeat(600_000)}"`, 'too-large', 'expected at most 1048576 bytes'],
    ['no object', '[]', 'bad-form', 'genesis: expected an object, got a list'],
    ['null', 'null', 'bad-form', 'genesis: expected an object, got null'],
    ['nested too deep', '['.repeat(200_000) + ']'.repeat(200_000), 'bad-form', 'genesis: nested deeper than 8 levels'],
    [
      'another version',
      replaced('genesis/1', 'genesis/2'),
      'bad-form',
      'genesis.quorate: expected one of genesis/1, got "genesis/2"',
    ],
    [
      'unknown field',
      replaced('"chain"', '"extra": 1,\n  "chain"'),
      'bad-form',
      /^genesis\.extra: unknown field; known: quorate, chain/,
    ],
    ['__proto__', replaced('"chain"', '"__proto__": {},\n  "chain"'), 'bad-form', /^genesis\.__proto__: unknown field/],
    [
      'unknown inner field',
      replaced('"threshold": 2', '"threshold": 2, "x": 1'),
      'bad-form',
      /^genesis\.organisations\[0\]\.x: unknown field/,
    ],
    ['missing field', replaced('  "time": 1700000000000,\n', ''), 'bad-form', 'genesis.time: missing'],
    [
      'time as text',
      replaced('1700000000000', '"1700000000000"'),
      'bad-form',
      'genesis.time: expected an integer, got "1700000000000"',
    ],
    [
      'number above 2^53',
      replaced('1700000000000', '9007199254740993'),
      'bad-form',
      'genesis.time: expected an integer from 0 to 9007199254740991, got 9007199254740992',
    ],
    ['fraction', replaced('1700000000000', '1.5'), 'bad-form', /^genesis\.time: expected an integer from 0/],
    ['negative', replaced('1700000000000', '-1'), 'bad-form', /^genesis\.time: expected an integer from 0/],
    ['minus zero', replaced('1700000000000', '-0'), 'bad-form', /^genesis\.time: expected an integer from 0/],
    [
      'short key',
      replaced(toHex(keyOf('ann')), '0x00'),
      'bad-form',
      'genesis.accounts[0].key: expected 32 bytes, got 1',
    ],
    [
      'upper-case key',
      replaced(toHex(keyOf('ann')), toHex(keyOf('ann')).toUpperCase()),
      'bad-form',
      /^genesis\.accounts\[0\]\.key: expected 0x and lower-case hex digits, got "0X/,
    ],
    [
      'no validators',
      printGenesis({ ...SOUND, validators: [] }),
      'bad-form',
      /^genesis\.validators: expected 1 to 128 items, got 0/,
    ],
    [
      'no proof of possession',
      replaced(`      "possession": "${toHex(SOUND.validators[0]!.possession)}",\n`, ''),
      'bad-form',
      'genesis.validators[0].possession: missing',
    ],
    [
      'too many validators',
      printGenesis({ ...SOUND, validators: Array.from({ length: 129 }, () => VALIDATORS[0]!) }),
      'bad-form',
      'genesis.validators: expected 1 to 128 items, got 129',
    ],
    ['missing parameter', replaced('    "window": 8,\n', ''), 'bad-form', 'genesis.parameters.window: missing'],
  ];
  for (const [what, text, code, problem] of cases)
    assertRefused(readGenesis(text, portableVerify), code, problem, what);
});

test('G01 G02: any other spelling of the same content is refused, with the line', () => {
  const cases: readonly [what: string, text: string, problem: string | RegExp][] = [
    [
      'other order',
      replaced(
        '  "chain": "test-chain",\n  "time": 1700000000000,\n',
        '  "time": 1700000000000,\n  "chain": "test-chain",\n',
      ),
      'differs from its canonical form at line 3: expected "  \\"chain\\": \\"test-chain\\",", found "  \\"time\\": 1700000000000,"',
    ],
    [
      'duplicate key',
      replaced('  "chain"', '  "chain": "other",\n  "chain"'),
      'differs from its canonical form at line 3: expected "  \\"chain\\": \\"test-chain\\",", found "  \\"chain\\": \\"other\\","',
    ],
    ['number as 1.7e12', replaced('1700000000000', '1.7e12'), /at line 4: .*found " {2}\\"time\\": 1\.7e12,"$/],
    ['escape', replaced('test-chain', 'test\\u002dchain'), /at line 3: /],
    ['line ends', TEXT.replaceAll('\n', '\r\n'), /at line 1: expected "\{", found "\{\\r"$/],
    ['one line', JSON.stringify(JSON.parse(TEXT)), /at line 1: expected "\{", found "\{\\"quorate/],
    ['no newline at the end', TEXT.slice(0, -1), /expected "", found the end$/],
    ['two newlines at the end', `${TEXT}\n`, /expected the end, found ""$/],
    ['space at the end of a line', replaced('"genesis/1",\n', '"genesis/1", \n'), /at line 2: /],
  ];
  for (const [what, text, problem] of cases)
    assertRefused(readGenesis(text, portableVerify), 'not-canonical', problem, what);
});

test('G02: one byte more or less is another id, or no genesis', () => {
  const other = createGenesis({ ...SOUND, time: SOUND.time + 1 }, portableVerify);
  const same = readGenesis(TEXT, portableVerify);
  assert(other.ok && same.ok);
  assert.notDeepEqual(other.genesis.id, same.genesis.id);
});

type Edit = (content: GenesisContent) => GenesisContent;
const editValidator =
  (index: number, change: Partial<GenesisContent['validators'][number]>): Edit =>
  (c) => ({ ...c, validators: c.validators.map((one, at) => (at === index ? { ...one, ...change } : one)) });
const editAccount =
  (index: number, change: Partial<GenesisContent['accounts'][number]>): Edit =>
  (c) => ({ ...c, accounts: c.accounts.map((one, at) => (at === index ? { ...one, ...change } : one)) });
const editOrganisation =
  (index: number, change: Partial<GenesisContent['organisations'][number]>): Edit =>
  (c) => ({ ...c, organisations: c.organisations.map((one, at) => (at === index ? { ...one, ...change } : one)) });
const parameter =
  (change: Partial<GenesisContent['parameters']>): Edit =>
  (c) => ({ ...c, parameters: { ...c.parameters, ...change } });

const SMALL_ORDER = fromHex(`0x01${'00'.repeat(31)}`)!;
const NON_CANONICAL = fromHex(`0x${'ff'.repeat(31)}7f`)!;
const NOT_ON_CURVE = fromHex(`0x02${'00'.repeat(31)}`)!;
const [v0, v1] = [VALIDATORS[0]!, VALIDATORS[1]!];

test('G01: content that breaks a rule is refused with path and reason', () => {
  const cases: readonly [what: string, edit: Edit, code: string, problem: string | RegExp][] = [
    [
      'time after 9999',
      (c) => ({ ...c, time: 253_402_300_800_000 }),
      'bad-time',
      /^genesis\.time: expected ms since 1970 up to 253402300799999/,
    ],
    [
      'chain with a newline',
      (c) => ({ ...c, chain: 'a\nb' }),
      'bad-name',
      /^genesis\.chain: expected visible characters/,
    ],
    ['chain that ends with a space', (c) => ({ ...c, chain: 'a ' }), 'bad-name', /^genesis\.chain: /],
    ['text that turns around', editAccount(1, { name: 'a\u202eb' }), 'bad-name', /^genesis\.accounts\[1\]\.name: /],
    ['role with a tab', editAccount(0, { roles: ['a\tb'] }), 'bad-name', /^genesis\.accounts\[0\]\.roles\[0\]: /],
    [
      'organisation twice',
      editOrganisation(2, { name: 'org-0' }),
      'duplicate',
      'genesis.organisations[2].name: "org-0" stands already at genesis.organisations[0].name',
    ],
    [
      'validator name twice',
      editValidator(1, { name: 'node-0' }),
      'duplicate',
      /^genesis\.validators\[1\]\.name: "node-0" stands already/,
    ],
    [
      'account name twice',
      editAccount(1, { name: 'ann' }),
      'duplicate',
      /^genesis\.accounts\[1\]\.name: "ann" stands already/,
    ],
    [
      'role twice',
      editAccount(0, { roles: ['writer', 'writer'] }),
      'duplicate',
      /^genesis\.accounts\[0\]\.roles\[1\]: "writer" stands/,
    ],
    [
      'role of an organisation twice',
      editOrganisation(1, { roles: ['writer', 'writer'] }),
      'duplicate',
      /^genesis\.organisations\[1\]\.roles\[1\]: "writer" stands/,
    ],
    ['role of nobody', editOrganisation(1, { roles: [' '] }), 'bad-name', /^genesis\.organisations\[1\]\.roles\[0\]: /],
    [
      'role that its organisation may not give',
      editOrganisation(0, { roles: ['writer'] }),
      'role-not-allowed',
      'genesis.accounts[0].roles[1]: organisation "org-0" may not give the role "issuer"',
    ],
    [
      'consensus key twice',
      editValidator(1, { key: v0.key }),
      'duplicate',
      `genesis.validators[1].key: "${toHex(v0.key)}" stands already at genesis.validators[0].key`,
    ],
    [
      'peer key twice',
      editValidator(1, { peerKey: v0.peerKey }),
      'duplicate',
      /^genesis\.validators\[1\]\.peerKey: .*\[0\]\.peerKey$/,
    ],
    [
      'peer key is a consensus key',
      editValidator(0, { peerKey: v0.key }),
      'duplicate',
      /\[0\]\.peerKey: .*validators\[0\]\.key$/,
    ],
    [
      'account key twice',
      editAccount(1, { key: keyOf('ann') }),
      'duplicate',
      /^genesis\.accounts\[1\]\.key: .*accounts\[0\]\.key$/,
    ],
    [
      'account key is a consensus key',
      editAccount(1, { key: v1.key }),
      'duplicate',
      /^genesis\.accounts\[1\]\.key: .*validators\[1\]\.key$/,
    ],
    [
      'administrator twice',
      editOrganisation(0, { administrators: [keyOf('a'), keyOf('a')] }),
      'duplicate',
      /^genesis\.organisations\[0\]\.administrators\[1\]: .*administrators\[0\]$/,
    ],
    [
      'administrator of two organisations',
      editOrganisation(1, { administrators: ORGANISATIONS[0]!.administrators }),
      'duplicate',
      /^genesis\.organisations\[1\]\.administrators\[0\]: .*organisations\[0\]\.administrators\[0\]$/,
    ],
    [
      'administrator key is a peer key',
      editOrganisation(0, { administrators: [v1.peerKey], threshold: 1 }),
      'duplicate',
      /^genesis\.organisations\[0\]\.administrators\[0\]: .*validators\[1\]\.peerKey$/,
    ],
    [
      'validator of no organisation',
      editValidator(3, { organisation: 'nobody' }),
      'unknown-organisation',
      'genesis.validators[3].organisation: no organisation has the name "nobody"',
    ],
    [
      'account of no organisation',
      editAccount(0, { organisation: 'Org-0' }),
      'unknown-organisation',
      /^genesis\.accounts\[0\]\.organisation: /,
    ],
    [
      'threshold 0',
      editOrganisation(0, { threshold: 0 }),
      'bad-threshold',
      'genesis.organisations[0].threshold: expected 1 to 2, the administrators, got 0',
    ],
    [
      'threshold above',
      editOrganisation(1, { threshold: 3 }),
      'bad-threshold',
      /^genesis\.organisations\[1\]\.threshold: expected 1 to 2.* got 3$/,
    ],
    [
      'small-order consensus key',
      editValidator(0, { key: SMALL_ORDER }),
      'bad-key',
      'genesis.validators[0].key: the public key is a point of small order',
    ],
    [
      'small-order peer key',
      editValidator(0, { peerKey: SMALL_ORDER }),
      'bad-key',
      /^genesis\.validators\[0\]\.peerKey: .*small order$/,
    ],
    [
      'non-canonical account key',
      editAccount(0, { key: NON_CANONICAL }),
      'bad-key',
      /^genesis\.accounts\[0\]\.key: .*not canonical/,
    ],
    [
      'administrator key off the curve',
      editOrganisation(0, { administrators: [NOT_ON_CURVE], threshold: 1 }),
      'bad-key',
      'genesis.organisations[0].administrators[0]: the public key is not a point of the curve',
    ],
    [
      'address that is no multiaddress',
      editValidator(0, { addresses: ['127.0.0.1:4001'] }),
      'bad-address',
      'genesis.validators[0].addresses[0]: expected a multiaddress like /ip4/192.0.2.1/tcp/4001, got "127.0.0.1:4001"',
    ],
    [
      'address with a space',
      editValidator(0, { addresses: ['/dns4/a b/tcp/1'] }),
      'bad-address',
      /^genesis\.validators\[0\]\.addresses\[0\]/,
    ],
    [
      'address with an empty part',
      editValidator(2, { addresses: ['/ip4//tcp/1'] }),
      'bad-address',
      /^genesis\.validators\[2\]/,
    ],
    [
      'address twice',
      editValidator(0, { addresses: ['/a/b', '/a/b'] }),
      'duplicate',
      /^genesis\.validators\[0\]\.addresses\[1\]: /,
    ],
    [
      'address too long',
      editValidator(0, { addresses: [`/dns4/${'a'.repeat(251)}`] }),
      'bad-form',
      'genesis.validators[0].addresses[0]: expected 1 to 256 bytes of text, got 257',
    ],
    ['window 0', parameter({ window: 0 }), 'bad-parameters', 'genesis.parameters: window is 0, expected 1 to 64'],
    [
      'protocol version',
      parameter({ protocolVersion: 2 }),
      'bad-parameters',
      /^genesis\.parameters: protocolVersion 2/,
    ],
    [
      'possession by another key',
      editValidator(0, { possession: v1.possession }),
      'bad-possession',
      `genesis.validators[0].possession: not a signature by ${toHex(v0.key)} for this name, organisation, peerKey and chain`,
    ],
    [
      'possession for another name',
      editValidator(2, { name: 'other' }),
      'bad-possession',
      /^genesis\.validators\[2\]\.possession/,
    ],
    [
      'possession for another peer key',
      editValidator(2, { peerKey: keyOf('other') }),
      'bad-possession',
      /^genesis\.validators\[2\]/,
    ],
    [
      'possession for another organisation',
      editValidator(2, { organisation: 'org-1' }),
      'bad-possession',
      /^genesis\.validators\[2\]/,
    ],
    ['possession for another chain', (c) => ({ ...c, chain: 'other' }), 'bad-possession', /^genesis\.validators\[0\]/],
    [
      'possession of zeros',
      editValidator(3, { possession: new Uint8Array(64) }),
      'bad-possession',
      /^genesis\.validators\[3\]/,
    ],
  ];
  for (const [what, edit, code, problem] of cases)
    assertRefused(createGenesis(edit(SOUND), portableVerify), code, problem, what);
});

test('G01: a window whose NEW-VIEW would not fit a message is refused', () => {
  const many = Array.from({ length: 100 }, (_, index) => ({ ...VALIDATORS[0]!, name: `node-${index}` }));
  const validators = many.map((one, index) => ({
    ...one,
    key: keyOf(`many ${index}`),
    peerKey: keyOf(`many peer ${index}`),
    addresses: [],
  }));
  const made = (window: number) =>
    createGenesis({ ...SOUND, validators, parameters: { ...defaultParameters, window } }, () => true);
  assert(made(8).ok);
  assertRefused(made(64), 'bad-parameters', /window 64 with 100 validators makes a NEW-VIEW of up to \d+ bytes/);
});

test('an administrator may be an account too, and addresses may be of any kind', () => {
  const edits: Edit[] = [
    editAccount(1, { key: ORGANISATIONS[0]!.administrators[0]! }),
    editValidator(0, { addresses: ['/ip6/fe80::1%25eth0/tcp/1', '/dns4/node-1.example/tcp/4001/p2p/12D3KooW'] }),
    editValidator(0, { addresses: [] }),
    editAccount(0, { name: 'Ännchen von Tharau' }),
  ];
  for (const edit of edits) {
    const made = createGenesis(edit(SOUND), portableVerify);
    assert(made.ok, made.ok ? '' : made.problem);
  }
});

test('G01: n below 4, n that is not 3f+1 and an organisation that is too big are allowed and warned of', () => {
  const warnings = (made: GenesisContent): readonly string[] => {
    // Possession does not matter here.
    const read = createGenesis(made, () => true);
    assert(read.ok, read.ok ? '' : read.problem);
    return read.genesis.warnings;
  };
  assert.deepEqual(warnings(content(1)), ['1 validator: for development only, it alone decides everything']);
  for (const n of [2, 3])
    assert.match(warnings(content(n)).join(), new RegExp(`^${n} VALIDATORS TOLERATE NO FAULT AT ALL: [^,]*$`));
  assert.deepEqual(warnings(content(4)), []);
  assert.deepEqual(warnings(content(5)), ['5 validators tolerate 1 faulty, as 4 would; 7 tolerate 2']);
  assert.deepEqual(warnings(content(6)), ['6 validators tolerate 1 faulty, as 4 would; 7 tolerate 2']);
  assert.deepEqual(warnings(content(7)), []);
  assert.deepEqual(warnings(editValidator(1, { organisation: 'org-0' })(SOUND)), [
    'organisation org-0 runs 2 of 4 validators, more than the 1 that may be faulty',
  ]);
});

test('whatever the text is, reading it gives a verdict and no exception', () => {
  const position = fc.nat(TEXT.length - 1);
  const verify = () => true;
  fc.assert(
    fc.property(position, fc.string({ maxLength: 3 }), fc.nat(3), (at, inserted, removed) => {
      const text = TEXT.slice(0, at) + inserted + TEXT.slice(at + removed);
      const read = readGenesis(text, verify);
      if (read.ok) assert.equal(read.genesis.text, text);
      else assert(read.problem.length > 0 && read.problem.length < 1_000);
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.equal(readGenesis(text, verify).ok, false);
    }),
    { numRuns: 200 },
  );
});
