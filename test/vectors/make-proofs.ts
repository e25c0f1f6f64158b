import { genesisCodec, printGenesis } from '../../genesis/file.ts';
import { type Bundle, bundleCodec, type StateFact, type TransactionFact } from '../../ledger/bundle.ts';
import { concatBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import { encode, type Json } from '../../ledger/codec.ts';
import { signEd25519 } from '../../ledger/ed25519.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { multiSignature, validatorSetCodec } from '../../ledger/validators.ts';
import { ACCOUNTS, type Chain, encodeBundle, memberOf, smallChain, toValidator } from '../support/chain.ts';

const [, ben] = ACCOUNTS;

export function genesisVectors(): Json {
  const { text, id } = smallChain().genesis;
  const file = genesisCodec.fromJson(JSON.parse(text) as Json);
  const [a, b, ...others] = file.validators;
  const print = (change: Partial<typeof file>): string => printGenesis({ ...file, ...change });
  const bad: Record<string, readonly [code: string, text: string]> = {
    'no final newline': ['not-canonical', text.slice(0, -1)],
    'other white space': ['not-canonical', `${JSON.stringify(JSON.parse(text))}\n`],
    'a field twice': ['not-canonical', text.replace('"chain"', '"chain": "test-chain",\n  "chain"')],
    'an escape that is not needed': ['not-canonical', text.replace('test-chain', '\\u0074est-chain')],
    'an unknown field': ['bad-form', text.replace('"chain"', '"note": "",\n  "chain"')],
    'another format': ['bad-form', text.replace('genesis/1', 'genesis/2')],
    'upper-case hex': ['bad-form', text.replace(toHex(a!.key), toHex(a!.key).toUpperCase().replace('0X', '0x'))],
    'no JSON': ['not-json', 'genesis'],
    'two validators with one name': ['duplicate', print({ validators: [a!, { ...b!, name: a!.name }, ...others] })],
    'two validators with one key': ['duplicate', print({ validators: [a!, { ...b!, key: a!.key }, ...others] })],
    'an unknown organisation': [
      'unknown-organisation',
      print({ validators: [{ ...a!, organisation: 'nobody' }, b!, ...others] }),
    ],
    'a threshold above the administrators': [
      'bad-threshold',
      print({ organisations: [{ ...file.organisations[0]!, threshold: 2 }] }),
    ],
    'a role that its organisation may not give': [
      'role-not-allowed',
      print({ organisations: [{ ...file.organisations[0]!, roles: ['writer'] }] }),
    ],
    'a key of small order': ['bad-key', print({ validators: [{ ...a!, key: new Uint8Array(32) }, b!, ...others] })],
    'a possession for another chain': ['bad-possession', print({ chain: 'other-chain' })],
    'a possession of another validator': [
      'bad-possession',
      print({ validators: [{ ...a!, possession: b!.possession }, b!, ...others] }),
    ],
    'a window of 0': ['bad-parameters', print({ parameters: { ...file.parameters, window: 0 } })],
    'another protocol version': ['bad-parameters', print({ parameters: { ...file.parameters, protocolVersion: 2 } })],
  };
  return {
    about: 'Genesis files. The id is SHA-256 of the text in UTF-8. A bad case must be refused, here with this code.',
    good: [{ text, id: toHex(id) }],
    bad: Object.entries(bad).map(([name, [code, text]]) => ({ name, code, text })),
  };
}

export function certificateVectors(): Json {
  const chain = smallChain();
  const other = smallChain(4, 'other-chain');
  const sound = chain.certify();
  const { signers, signatures } = sound.proof;
  const all = chain.certify(5, { signers: [0, 1, 2, 3] });
  const proof = (change: Partial<Certificate['proof']>): Certificate => ({
    ...sound,
    proof: { ...sound.proof, ...change },
  });
  const forged = (checkpoint: Partial<Certificate['checkpoint']>): Certificate => chain.certify(5, { checkpoint });
  const bad: Record<string, Certificate> = {
    'signed by one too few': chain.certify(5, { signers: [0, 1] }),
    'signed for another chain': chain.certify(5, { genesisId: other.genesis.id }),
    'a changed height': { ...sound, checkpoint: { ...sound.checkpoint, height: 6 } },
    'another epoch': forged({ epoch: 1, nextEpoch: 1 }),
    'another validator set': forged({ validatorsHash: new Uint8Array(32), nextValidatorsHash: new Uint8Array(32) }),
    'a next epoch two further': forged({ nextEpoch: 2 }),
    'a set that changes inside the epoch': forged({ nextValidatorsHash: new Uint8Array(32) }),
    'bitmap of two bytes': proof({ signers: Uint8Array.of(...signers, 0) }),
    'bitmap empty': proof({ signers: new Uint8Array(0), signatures: [] }),
    'a bit for member 4 of 4': proof({ signers: Uint8Array.of(0x13) }),
    'a bit more than signatures': proof({ signers: Uint8Array.of(0x0f) }),
    'a signature more than bits': proof({ signatures: [...signatures, signatures[0]!] }),
    'one signature twice': proof({ signatures: [signatures[0]!, signatures[1]!, signatures[1]!] }),
    'signatures in another order': proof({ signatures: signatures.toReversed() }),
    'one bad signature beyond the quorum': {
      ...all,
      proof: { ...all.proof, signatures: [...signatures, new Uint8Array(64).fill(1)] },
    },
  };
  const shown = (certificate: Certificate) => toHex(encode(certificateCodec, certificate));
  return {
    about: 'Certificates judged by a trusted epoch and set. A bad case decodes and must be refused; its name says why.',
    trust: {
      genesisId: toHex(chain.genesis.id),
      epoch: 0,
      validators: validatorSetCodec.toJson(chain.genesis.validators),
    },
    signBytes: toHex(checkpointSignBytes(chain.genesis.id, sound.checkpoint)),
    good: [
      { bytes: shown(sound), signers: [0, 1, 2] },
      { bytes: shown(chain.certify(5, { signers: [1, 2, 3] })), signers: [1, 2, 3] },
      { bytes: shown(all), signers: [0, 1, 2, 3] },
    ],
    bad: Object.entries(bad).map(([name, certificate]) => ({ name, bytes: shown(certificate) })),
  };
}

export function bundleVectors(): Json {
  const chain = smallChain();
  const grown = grownChain();
  const good = goodBundles(chain, grown);
  return {
    about: 'Proof bundles for this genesis file. A bad case must fail, first at `step`.',
    genesis: chain.genesis.text,
    good: Object.entries(good).map(([name, bundle]) => ({
      name,
      bytes: toHex(encodeBundle(bundle)),
      json: bundleCodec.toJson(bundle),
    })),
    bad: badBundles(chain, grown).map(([name, step, bytes]) => ({ name, step, bytes: toHex(bytes) })),
  };
}

/** The same chain after two changes of the set. */
function grownChain(): Chain {
  const chain = smallChain();
  const members = chain.members;
  chain.handOver([...members, memberOf('node-4')]);
  chain.append();
  chain.handOver([...members.slice(1), memberOf('node-4')]);
  chain.append();
  return chain;
}

function goodBundles(chain: Chain, grown: Chain): Record<string, Bundle> {
  return {
    transaction: chain.transactionBundle(2, 3),
    'transaction alone in its block': chain.transactionBundle(5, 0),
    'failed transaction': chain.transactionBundle(1, 0),
    block: chain.blockBundle(3),
    'block of genesis': chain.blockBundle(0),
    'row that is there': chain.stateBundle(balances, [ben.key, 'gold']),
    'row that is not': chain.stateBundle(entries, ['deed 9']),
    'transaction of epoch 0 under a certificate of epoch 2': grown.transactionBundle(2, 4),
  };
}

type BadCase = readonly [name: string, step: string, bytes: Uint8Array];

function badBundles(chain: Chain, grown: Chain): readonly BadCase[] {
  const sound = chain.transactionBundle(2, 3);
  const bytes = encodeBundle(sound);
  const other = smallChain(4, 'other-chain');
  const changed = (at: number): Uint8Array => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
  return [
    ['no bytes', 'format', new Uint8Array(0)],
    ['last byte missing', 'format', bytes.subarray(0, -1)],
    ['trailing byte', 'format', concatBytes(bytes, Uint8Array.of(0))],
    ['another format', 'format', changed(0)],
    ['a bundle of another chain', 'chain', encodeBundle(other.transactionBundle(2, 3))],
    ...badHandoffs(chain, grown),
    [
      'the id of this chain on a bundle of another',
      'certificate',
      encodeBundle({ ...other.blockBundle(2), genesisId: chain.genesis.id }),
    ],
    [
      'two signatures of four',
      'certificate',
      encodeBundle({ ...sound, certificate: chain.certify(5, { signers: [0, 1] }) }),
    ],
    ...badTransactions(chain, sound),
    ...badBlocks(chain),
    ...badStates(chain),
  ];
}

function badHandoffs(chain: Chain, grown: Chain): readonly BadCase[] {
  const bundle = grown.blockBundle(7);
  const [first, second] = grown.handoffs as [Bundle['handoffs'][number], Bundle['handoffs'][number]];
  const evil = [0, 1, 2, 3].map((index) => memberOf(`evil-${index}`));
  const message = checkpointSignBytes(chain.genesis.id, first.certificate.checkpoint);
  const signatures = new Map([0, 1, 2].map((index) => [index, signEd25519(message, evil[index]!.seed)]));
  const forged = {
    certificate: { ...first.certificate, proof: multiSignature(4, signatures) },
    next: evil.map(toValidator),
  };
  const withHandoffs = (...handoffs: Bundle['handoffs']): Uint8Array => encodeBundle({ ...bundle, handoffs });
  return [
    ['a hand-off signed by the set it hands over to', 'epochs', withHandoffs(forged, second)],
    [
      'a certified hand-off with another set',
      'epochs',
      withHandoffs({ ...first, next: evil.map(toValidator) }, second),
    ],
    [
      'a certified hand-off with its set in another order',
      'epochs',
      withHandoffs({ ...first, next: first.next.toReversed() }, second),
    ],
    ['the first hand-off left out', 'epochs', withHandoffs(second)],
    ['a hand-off twice', 'epochs', withHandoffs(first, first, second)],
    [
      'a certificate that ends no epoch',
      'epochs',
      withHandoffs({ certificate: chain.certify(4), next: chain.genesis.validators }),
    ],
    ['the last hand-off left out', 'certificate', withHandoffs(first)],
  ];
}

function badTransactions(chain: Chain, sound: Bundle): readonly BadCase[] {
  const fact = factOf(sound, 'transaction');
  const other = factOf(chain.transactionBundle(2, 1), 'transaction');
  const elsewhere = factOf(chain.transactionBundle(5, 0), 'transaction');
  const failed = chain.transactionBundle(1, 0);
  const failedFact = factOf(failed, 'transaction');
  const change = (change: Partial<TransactionFact>, of = sound, from = fact): Uint8Array =>
    encodeBundle({ ...of, fact: { kind: 'transaction', value: { ...from, ...change } } });
  const foreign = concatBytes(fact.transaction.subarray(0, -64), other.transaction.subarray(-64));
  return [
    [
      'a header with another time',
      'block',
      change({ header: { ...fact.header, timestamp: fact.header.timestamp + 1 } }),
    ],
    ['the header of another block', 'block', change({ header: elsewhere.header })],
    [
      'a sibling of the history too many',
      'block',
      change({ historyProof: [...fact.historyProof, new Uint8Array(32)] }),
    ],
    ['a certificate of a lower height', 'block', encodeBundle({ ...sound, certificate: chain.certify(4) })],
    ['another transaction of the block', 'transaction', change({ transaction: other.transaction })],
    ['another index', 'transaction', change({ index: 2 })],
    ['an index out of range', 'transaction', change({ index: 5 })],
    ['a sibling too few', 'transaction', change({ transactionProof: fact.transactionProof.slice(1) })],
    ['a transaction that does not decode', 'transaction', change({ transaction: fact.transaction.subarray(1) })],
    ['the signature of another transaction', 'signature', change({ transaction: foreign })],
    [
      'the receipt of another transaction',
      'receipt',
      change({ receipt: other.receipt, receiptProof: other.receiptProof }),
    ],
    ['the receipt proof of another place', 'receipt', change({ receiptProof: other.receiptProof })],
    [
      'a failed transaction said to be ok',
      'receipt',
      change({ receipt: { ...failedFact.receipt, status: 'ok', code: '' } }, failed, failedFact),
    ],
    [
      'another code of failure',
      'receipt',
      change({ receipt: { ...failedFact.receipt, code: 'not-owner' } }, failed, failedFact),
    ],
  ];
}

function badBlocks(chain: Chain): readonly BadCase[] {
  const { header } = chain.blocks[4]!;
  const block = (of: typeof header, historyProof: readonly Uint8Array[], certificate = chain.certify()): Uint8Array =>
    encodeBundle(chain.bundle({ kind: 'block', value: { header: of, historyProof } }, certificate));
  return [
    ['a block above the certificate', 'block', block(header, chain.historyProof(4, 5), chain.certify(3))],
    ['a proof for a shorter history', 'block', block(header, chain.historyProof(4, 4))],
    ['a header moved to another height', 'block', block({ ...header, height: 3 }, chain.historyProof(3, 5))],
  ];
}

function badStates(chain: Chain): readonly BadCase[] {
  const present = chain.stateBundle(balances, [ben.key, 'gold']);
  const absent = chain.stateBundle(balances, [ben.key, 'silver']);
  const there = factOf(present, 'state');
  const missing = factOf(absent, 'state');
  const none = { kind: 'absent', value: {} } as const;
  const change = (change: Partial<StateFact>, from = there): Uint8Array =>
    encodeBundle({ ...present, fact: { kind: 'state', value: { ...from, ...change } } });
  return [
    ['another value', 'state', change({ value: { kind: 'present', value: encode(balances.value, { amount: 16n }) } })],
    ['a row that is there, said to be absent', 'state', change({ value: none })],
    ['a row that is there, with the proof of an absent one', 'state', change({ value: none, proof: missing.proof })],
    [
      'a row that is not, with the value and proof of one that is',
      'state',
      change({ value: there.value, proof: there.proof }, missing),
    ],
    ['another table', 'state', change({ table: 'assets.definitions' })],
    ['a proof under another checkpoint', 'state', encodeBundle({ ...present, certificate: chain.certify(1) })],
    ['a proof one level too deep', 'state', change({ proof: { ...there.proof, depth: there.proof.depth + 1 } })],
  ];
}

type Facts = { readonly [F in Bundle['fact'] as F['kind']]: F['value'] };

function factOf<K extends keyof Facts>({ fact }: Bundle, kind: K): Facts[K] {
  if (fact.kind !== kind) throw new Error(`expected a ${kind}, got a ${fact.kind}`);
  return fact.value as Facts[K];
}
