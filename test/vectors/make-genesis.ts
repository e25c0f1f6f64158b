import { possessionMessage } from '../../genesis/ceremony.ts';
import { type GenesisFile, genesisCodec, genesisId, printGenesis } from '../../genesis/file.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { publicKeyOf, signEd25519 } from '../../ledger/ed25519.ts';
import { memberOf, seedOf, smallChain } from '../support/chain.ts';

type Change = (file: Mutable) => void;
/** The file as plain JSON, to be changed in place. */
// biome-ignore lint/suspicious/noExplicitAny: a genesis file with anything in it.
type Mutable = any;

export function genesisVectors(): Json {
  const { text } = smallChain(2).genesis;
  // What is about the whole needs no second validator.
  const alone = smallChain(1).genesis.text;
  return {
    about:
      'Genesis files. The id is SHA-256 of the text in UTF-8. A bad case must be refused with this code; with `times`, its file is the text so many times.',
    good: [smallChain().genesis.text, everything(), fewest(), atTheBounds()].map((one) => ({
      text: one,
      id: toHex(genesisId(one)),
    })),
    bad: [
      ...badTexts(alone),
      ...Object.entries(BAD_FILES).flatMap(([code, cases]) =>
        Object.entries(cases).map(([name, change]) => ({
          name,
          code,
          text: changed(code === 'bad-parameters' ? alone : text, change),
        })),
      ),
    ],
  };
}

/** Every list filled, names of several scripts, and every character that has an escape. */
function everything(): string {
  return signed(smallChain(2).genesis.text, 'Kette "Ñ" \\ 鏈 😀', (file) => {
    const roles = ['two words', 'writer'];
    file.organisations.push({ name: 'Büro 2', administrators: [keyOf('b'), keyOf('c')], threshold: 2, roles });
    file.validators[1].organisation = 'Büro 2';
    file.validators[0].addresses = ['/ip4/192.0.2.1/tcp/7700', '/dns4/a.example/tcp/7700/p2p/12D3Koo_~%:+=-'];
    file.accounts.push({ name: 'admin', organisation: 'Büro 2', key: keyOf('b'), roles: ['writer', 'two words'] });
    file.parameters.application = '"\\\b\f\n\r\t\u0000\u001f\u007f\u2028é/😀';
  });
}

/** One validator, no accounts. */
function fewest(): string {
  return signed(smallChain(1).genesis.text, 'a', (file) => {
    file.time = 0;
    file.accounts = [];
  });
}

/** The largest time, and the largest window that 65 validators may have. */
function atTheBounds(): string {
  return signed(smallChain(1).genesis.text, 'x'.repeat(32), (file) => {
    file.time = 253_402_300_799_999;
    file.parameters.window = WIDEST_WINDOW_OF_65;
    file.parameters.transactionBytesMax = 256;
    file.parameters.batchBytesMax = 256;
    file.parameters.viewTimeoutMs = 3_600_000;
    file.parameters.maxBehindMs = 28_800_000;
    file.parameters.inclusionTimeoutMs = 3_600_000;
    file.parameters.batchDelayMs = 0;
    file.validators = members(65);
  });
}

/** With 65 validators, q = 44: 44 × (3,224.125 + window × 2,960.125) + 120 × window + 128 is at most 8,387,584 up to 63. */
const WIDEST_WINDOW_OF_65 = 63;

function members(count: number): Mutable[] {
  return Array.from({ length: count }, (_, index) => {
    const { name, key, peerKey } = memberOf(`node-${index}`);
    return { name, organisation: 'acme', key: toHex(key), peerKey: toHex(peerKey), possession: '', addresses: [] };
  });
}

const keyOf = (name: string): string => toHex(publicKeyOf(seedOf(`genesis ${name}`)));

/** A changed file that all its validators have signed for `chain`. */
function signed(text: string, chain: string, change: Change): string {
  const file = JSON.parse(text) as Mutable;
  change(file);
  file.chain = chain;
  for (const validator of file.validators) {
    const member = { ...memberOf(validator.name), organisation: validator.organisation as string };
    validator.possession = toHex(signEd25519(possessionMessage(chain, member), member.seed));
  }
  return printGenesis(genesisCodec.fromJson(file as Json) as GenesisFile);
}

/** The canonical print of a changed file; not through the codec, which refuses what some cases are about. */
function changed(text: string, change: Change): string {
  const file = JSON.parse(text) as Mutable;
  change(file);
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

type TextCase = { readonly name: string; readonly code: string; readonly text: string; readonly times?: number };

function badTexts(text: string): TextCase[] {
  const cases: Record<string, Readonly<Record<string, string>>> = {
    'not-json': {
      empty: '',
      'no JSON': 'genesis',
      'cut off': text.slice(0, -3),
      'a byte order mark': `\ufeff${text}`,
      'a comment': text.replace('{', '{ // genesis'),
      'a comma too many': text.replace('\n}\n', ',\n}\n'),
      NaN: text.replace('1700000000000', 'NaN'),
      'text behind': `${text}x`,
    },
    'bad-form': {
      'an array': `[\n${text}]\n`,
      null: 'null\n',
      'minus zero as time': text.replace('1700000000000', '-0'),
      'a time with a fraction': text.replace('1700000000000', '1700000000000.5'),
      'a time above 2^53 - 1': text.replace('1700000000000', '9007199254740992'),
      'a lone surrogate, escaped': text.replace('test-chain', '\\ud800'),
    },
    'not-canonical': {
      'no final newline': text.slice(0, -1),
      'two final newlines': `${text}\n`,
      'a carriage return in every newline': text.replaceAll('\n', '\r\n'),
      'on one line': `${JSON.stringify(JSON.parse(text))}\n`,
      'a space at the end of a line': text.replace(',\n', ', \n'),
      'an empty array over two lines': text.replace('[]', '[\n      ]'),
      'a field twice': text.replace('"chain"', '"chain": "test-chain",\n  "chain"'),
      'two fields in another order': text.replace(/( {2}"chain".*\n)( {2}"time".*\n)/, '$2$1'),
      'an escape that is not needed': text.replace('test-chain', '\\u0074est-chain'),
      'an escaped slash': text.replace('genesis/1', 'genesis\\/1'),
      'a number with an exponent': text.replace('1700000000000', '17e11'),
      'a number with a fraction of zero': text.replace('1700000000000', '1700000000000.0'),
    },
  };
  return [
    { name: 'above 1,048,576 bytes', code: 'too-large', text: ' ', times: 1_048_577 },
    { name: 'exactly 1,048,576 bytes of blanks', code: 'not-json', text: ' ', times: 1_048_576 },
    ...Object.entries(cases).flatMap(([code, texts]) =>
      Object.entries(texts).map(([name, one]) => ({ name, code, text: one })),
    ),
  ];
}

const BAD_FILES: Readonly<Record<string, Readonly<Record<string, Change>>>> = {
  'bad-form': {
    'an unknown field': (file) => Object.assign(file, { note: '' }),
    'a field missing': (file) => delete file.accounts,
    'a parameter missing': (file) => delete file.parameters.window,
    'another format': (file) => Object.assign(file, { quorate: 'genesis/2' }),
    'no organisations': (file) => Object.assign(file, { organisations: [] }),
    'no validators': (file) => Object.assign(file, { validators: [] }),
    'no administrators': (file) => Object.assign(file.organisations[0], { administrators: [] }),
    'an empty name': (file) => Object.assign(file, { chain: '' }),
    'a name of 33 bytes': (file) => Object.assign(file, { chain: 'x'.repeat(33) }),
    'a name of 34 bytes in 17 characters': (file) => Object.assign(file, { chain: 'ñ'.repeat(17) }),
    'nine addresses': (file) =>
      Object.assign(file.validators[0], { addresses: Array.from({ length: 9 }, (_, index) => `/a/${index}`) }),
    'upper-case hex': (file) =>
      Object.assign(file.validators[0], { key: file.validators[0].key.toUpperCase().replace('0X', '0x') }),
    'a key of 31 bytes': (file) => Object.assign(file.validators[0], { key: file.validators[0].key.slice(0, -2) }),
    'a possession of 63 bytes': (file) => Object.assign(file.validators[0], { possession: `0x${'00'.repeat(63)}` }),
    'a time as text': (file) => Object.assign(file, { time: '1700000000000' }),
    'a threshold of 256': (file) => Object.assign(file.organisations[0], { threshold: 256 }),
  },
  'bad-name': {
    'a space before the chain': (file) => Object.assign(file, { chain: ' test' }),
    'a space behind the chain': (file) => Object.assign(file, { chain: 'test ' }),
    'two spaces within the chain': (file) => Object.assign(file, { chain: 'test  chain' }),
    'only a space': (file) => Object.assign(file, { chain: ' ' }),
    'a newline in an organisation': (file) => Object.assign(file.organisations[0], { name: 'ac\nme' }),
    'a no-break space in a validator': (file) => Object.assign(file.validators[0], { name: 'node\u00a00' }),
    'a mark that turns text around in an account': (file) => Object.assign(file.accounts[0], { name: 'a\u202eb' }),
    'an invisible character beyond U+FFFF in a role': (file) =>
      Object.assign(file.accounts[0], { roles: ['writer\u{e0041}'] }),
    'a zero-width space in a name': (file) => Object.assign(file.accounts[1], { name: 'b\u200ben' }),
  },
  duplicate: {
    'two organisations with one name': (file) =>
      file.organisations.push({ ...file.organisations[0], administrators: [keyOf('b')] }),
    'two validators with one name': (file) => Object.assign(file.validators[1], { name: file.validators[0].name }),
    'two accounts with one name': (file) => Object.assign(file.accounts[1], { name: file.accounts[0].name }),
    'two validators with one name, which is no name': (file) => {
      file.validators[0].name = ' ';
      file.validators[1].name = ' ';
    },
    'one role twice': (file) => Object.assign(file.accounts[0], { roles: ['writer', 'writer'] }),
    'two validators with one key': (file) => Object.assign(file.validators[1], { key: file.validators[0].key }),
    'two validators with one peer key': (file) =>
      Object.assign(file.validators[1], { peerKey: file.validators[0].peerKey }),
    'a consensus key that is a peer key': (file) =>
      Object.assign(file.validators[1], { key: file.validators[0].peerKey }),
    'an account with the key of a validator': (file) =>
      Object.assign(file.accounts[0], { key: file.validators[0].key }),
    'an account with the peer key of a validator': (file) =>
      Object.assign(file.accounts[0], { key: file.validators[1].peerKey }),
    'an administrator with the key of a validator': (file) =>
      Object.assign(file.organisations[0], { administrators: [file.validators[0].key] }),
    'two accounts with one key': (file) => Object.assign(file.accounts[1], { key: file.accounts[0].key }),
    'one administrator twice': (file) =>
      Object.assign(file.organisations[0], { administrators: Array(2).fill(file.organisations[0].administrators[0]) }),
    'one administrator in two organisations': (file) =>
      file.organisations.push({ ...file.organisations[0], name: 'other' }),
    'one address twice': (file) => Object.assign(file.validators[0], { addresses: ['/a/b', '/a/b'] }),
  },
  'unknown-organisation': {
    'a validator of nobody': (file) => Object.assign(file.validators[0], { organisation: 'nobody' }),
    'an account of nobody': (file) => Object.assign(file.accounts[0], { organisation: 'nobody' }),
    'an organisation in another case': (file) => Object.assign(file.validators[0], { organisation: 'Acme' }),
  },
  'role-not-allowed': {
    'a role that its organisation may not give': (file) => Object.assign(file.organisations[0], { roles: ['writer'] }),
  },
  'bad-threshold': {
    'a threshold above the administrators': (file) => Object.assign(file.organisations[0], { threshold: 2 }),
    'a threshold of 0': (file) => Object.assign(file.organisations[0], { threshold: 0 }),
  },
  'bad-key': {
    'a consensus key of small order': (file) => Object.assign(file.validators[0], { key: `0x${'00'.repeat(32)}` }),
    'a peer key that is not canonical': (file) =>
      Object.assign(file.validators[0], { peerKey: `0xf0${'ff'.repeat(30)}7f` }),
    'an administrator that is no point of the curve': (file) =>
      Object.assign(file.organisations[0], { administrators: [`0x02${'00'.repeat(31)}`] }),
    'an account of small order, with a sign bit': (file) =>
      Object.assign(file.accounts[0], { key: `0x01${'00'.repeat(30)}80` }),
  },
  'bad-address': {
    'no slash at the beginning': (file) => Object.assign(file.validators[0], { addresses: ['ip4/192.0.2.1'] }),
    'a slash at the end': (file) => Object.assign(file.validators[0], { addresses: ['/ip4/192.0.2.1/'] }),
    'two slashes': (file) => Object.assign(file.validators[0], { addresses: ['/ip4//192.0.2.1'] }),
    'a space': (file) => Object.assign(file.validators[0], { addresses: ['/ip4/192.0.2.1 '] }),
    'a newline at the end': (file) => Object.assign(file.validators[0], { addresses: ['/ip4/192.0.2.1\n'] }),
    'a letter of another script': (file) => Object.assign(file.validators[0], { addresses: ['/dns/é'] }),
  },
  'bad-time': {
    'after the year 9999': (file) => Object.assign(file, { time: 253_402_300_800_000 }),
  },
  'bad-recovery': {
    'less than two thirds': (file) => Object.assign(file, { recovery: 66 }),
    'more than all': (file) => Object.assign(file, { recovery: 101 }),
  },
  'bad-parameters': {
    ...outside('protocolVersion', 0, 2),
    ...outside('window', 0, 65),
    ...outside('batchTransactionsMax', 0, 4_097),
    ...outside('transactionBytesMax', 255, 65_537),
    ...outside('batchBytesMax', 65_535, 4_194_305),
    ...outside('batchDelayMs', 60_001),
    ...outside('callsMax', 0, 257),
    ...outside('maxLifetimeMs', 999, 2_592_000_001),
    ...outside('heartbeatMs', 99, 86_400_001),
    ...outside('viewTimeoutMs', 49, 3_600_001),
    ...outside('maxAheadMs', 0, 86_400_001),
    ...outside('maxBehindMs', 599_999, 2_592_000_001),
    ...outside('leaderTerm', 0),
    ...outside('inclusionTimeoutMs', 1_999, 86_400_001),
    ...outside('readyWindow', 15),
    ...outside('readsMax', 0, 1_000_001),
    ...outside('writesMax', 0, 1_000_001),
    ...outside('stateBytesMax', 1_023, 67_108_865),
    'maxBehindMs below eight view timeouts': (file) =>
      Object.assign(file.parameters, { viewTimeoutMs: 80_000, maxBehindMs: 639_999, inclusionTimeoutMs: 80_000 }),
    'a window too wide for 65 validators': (file) => {
      file.validators = members(65).map((member) => ({ ...member, possession: `0x${'00'.repeat(64)}` }));
      file.parameters.window = WIDEST_WINDOW_OF_65 + 1;
    },
  },
  'bad-possession': {
    'a possession for another chain': (file) => Object.assign(file, { chain: 'other-chain' }),
    'a possession of another validator': (file) =>
      Object.assign(file.validators[0], { possession: file.validators[1].possession }),
    'a possession under another peer key': (file) => Object.assign(file.validators[0], { peerKey: keyOf('peer') }),
    'a possession under another name': (file) => Object.assign(file.validators[1], { name: 'node-9' }),
  },
};

function outside(parameter: string, ...values: readonly number[]): Record<string, Change> {
  return Object.fromEntries(
    values.map((value): [string, Change] => [
      `${parameter} ${value}`,
      (file) => Object.assign(file.parameters, { [parameter]: value }),
    ]),
  );
}
