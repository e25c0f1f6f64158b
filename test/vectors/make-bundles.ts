import { blockHash, encodedReceipt, receiptsRoot, transactionsRoot } from '../../ledger/block.ts';
import {
  type Bundle,
  blockFactCodec,
  bundleCodec,
  handoffOf,
  type StateFact,
  type TransactionFact,
} from '../../ledger/bundle.ts';
import { concatBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import { encode, type Json } from '../../ledger/codec.ts';
import { signEd25519 } from '../../ledger/ed25519.ts';
import { sha256 } from '../../ledger/hash.ts';
import { listProof, listRoot } from '../../ledger/list-tree.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { statePath } from '../../ledger/state-proof.ts';
import { multiSignature } from '../../ledger/validators.ts';
import { ACCOUNTS, type Chain, encodeBundle, memberOf, smallChain, toValidator } from '../support/chain.ts';
import { joined } from './cases.ts';
import { proofOf } from './make-certificates.ts';

const [, ben] = ACCOUNTS;

export function bundleVectors(): Json {
  const chain = smallChain();
  const grown = grownChain();
  const good = goodBundles(chain, grown);
  const time = chain.checkpoint().timestamp;
  const block = encodeBundle(good.block!);
  return {
    about:
      'Proof bundles for this genesis file, or that of the case. A bad case must fail, first at `step`. `bytes` are the canonical form, `text` is JSON text. `json` of a good case must also verify as text, on one line and indented by two spaces, with and without a newline at its end. With `maxAgeMs` the certificate must not be older at the time `nowMs`.',
    genesis: chain.genesis.text,
    good: [
      ...Object.entries(good).map(([name, bundle]) => ({
        name,
        bytes: toHex(encodeBundle(bundle)),
        json: bundleCodec.toJson(bundle),
      })),
      { name: 'exactly as old as it may be', bytes: toHex(block), nowMs: time + 60_000, maxAgeMs: 60_000 },
      { name: 'of a clock that is ahead', bytes: toHex(block), nowMs: time - 5_000, maxAgeMs: 0 },
    ],
    bad: [
      ...badBundles(chain, grown).map(([name, step, bytes]) => ({ name, step, bytes: toHex(bytes) })),
      ...badTexts(chain.blockBundle(0)).map(([name, text]) => ({ name, step: 'format', text })),
      { name: 'too old', step: 'certificate', bytes: toHex(block), nowMs: time + 60_001, maxAgeMs: 60_000 },
      {
        name: 'a genesis file that is not sound',
        step: 'genesis',
        genesis: chain.genesis.text.replace('"threshold": 1', '"threshold": 2'),
        bytes: toHex(block),
      },
      {
        name: 'a sound genesis file of another chain',
        step: 'chain',
        genesis: smallChain(4, 'other-chain').genesis.text,
        bytes: toHex(block),
      },
    ],
  };
}

/** JSON that another reader may take for the same bundle. */
function badTexts(bundle: Bundle): readonly (readonly [name: string, text: string])[] {
  const json = bundleCodec.toJson(bundle) as { readonly [key: string]: Json };
  const line = JSON.stringify(json);
  const indented = JSON.stringify(json, undefined, 2);
  const { format, ...others } = json;
  const zero = '"height":0';
  if (!line.includes(zero)) throw new Error('expected a block of height 0');
  return [
    ['no text', ''],
    ['no JSON', line.slice(0, -1)],
    ['JSON of something else', '{}'],
    ['an array', `[${line}]`],
    ['a byte order mark', `\ufeff${line}`],
    ['a space before', ` ${line}`],
    ['two newlines at the end', `${line}\n\n`],
    ['a carriage return at the end', `${indented}\r\n`],
    ['a space within', line.replace(',', ', ')],
    ['indented by one space', JSON.stringify(json, undefined, 1)],
    ['fields in another order', JSON.stringify({ ...others, format: format! })],
    ['a field twice', line.replace('{', '{"format":"quorate-proof-2",')],
    ['a field too many', line.replace('{', '{"note":"",')],
    ['a field missing', JSON.stringify(others)],
    [
      'a hex digit in upper case',
      line.replace(/(0x[0-9a-f]*?)([a-f])/, (_, before, digit) => before + digit.toUpperCase()),
    ],
    ['0x in upper case', line.replace('0x', '0X')],
    ['minus zero', line.replace(zero, '"height":-0')],
    ['zero with a fraction', line.replace(zero, '"height":0.0')],
    ['zero with an exponent', line.replace(zero, '"height":0e0')],
    ['an escape that is not needed', line.replace('"quorate-proof-1"', '"\\u0071uorate-proof-1"')],
    ['an integer above 2^53 - 1', line.replace(zero, '"height":9007199254740992')],
    ['another kind of fact', line.replace('"kind":"block"', '"kind":"state"')],
  ];
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
    ['an unknown kind of fact', 'format', unknownFact(chain)],
    ['a transaction of another chain', 'chain', encodeBundle(other.transactionBundle(2, 3))],
    ['a block of another chain', 'chain', encodeBundle(other.blockBundle(2))],
    ['a row of another chain', 'chain', encodeBundle(other.stateBundle(balances, [ben.key, 'gold']))],
    ...badHandoffs(chain, grown),
    [
      'the id of this chain on a bundle of another',
      'certificate',
      encodeBundle({ ...other.blockBundle(2), genesisId: chain.genesis.id }),
    ],
    ...Object.entries({
      transaction: sound,
      block: chain.blockBundle(2),
      row: chain.stateBundle(balances, [ben.key, 'gold']),
      'missing row': chain.stateBundle(entries, ['deed 9']),
    }).flatMap(([what, bundle]): BadCase[] => [
      [`a ${what} with two signatures of four`, 'certificate', signedBy(chain, bundle, [0, 1])],
      [`a ${what} with one signature that is not valid`, 'certificate', withBadSignature(bundle)],
    ]),
    ...badTransactions(chain, sound),
    ...badBlocks(chain),
    ...badStates(chain),
  ];
}

function signedBy(chain: Chain, bundle: Bundle, signers: readonly number[]): Uint8Array {
  return encodeBundle({ ...bundle, certificate: chain.certify(5, { signers }) });
}

function withBadSignature(bundle: Bundle): Uint8Array {
  const { signatures } = bundle.certificate.proof;
  const bad = signatures[2]!.map((byte, at) => (at === 3 ? byte ^ 1 : byte));
  return encodeBundle({
    ...bundle,
    certificate: proofOf(bundle.certificate, { signatures: [signatures[0]!, signatures[1]!, bad] }),
  });
}

/** The kind is the byte before the header, which ends the bundle with its history proof. */
function unknownFact(chain: Chain): Uint8Array {
  const bundle = chain.blockBundle(0);
  const bytes = encodeBundle(bundle);
  const kind = bytes.length - encode(blockFactCodec, factOf(bundle, 'block')).length - 1;
  return bytes.map((byte, at) => (at === kind ? 4 : byte));
}

function badHandoffs(chain: Chain, grown: Chain): readonly BadCase[] {
  const bundle = grown.blockBundle(7);
  const [first, second] = grown.handoffs as [Bundle['handoffs'][number], Bundle['handoffs'][number]];
  const other = smallChain(4, 'other-chain');
  const evil = [0, 1, 2, 3].map((index) => memberOf(`evil-${index}`));
  const message = checkpointSignBytes(chain.genesis.id, first.certificate.checkpoint);
  const signatures = new Map([0, 1, 2].map((index) => [index, signEd25519(message, evil[index]!.seed)]));
  const forged = handoffOf({ ...first.certificate, proof: multiSignature(4, signatures) }, evil.map(toValidator));
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
    ['a certificate that ends no epoch', 'epochs', withHandoffs(handoffOf(chain.certify(4), chain.genesis.validators))],
    ['hand-offs in the wrong order', 'epochs', withHandoffs(second, first)],
    ['a hand-off signed by one too few', 'epochs', withHandoffs(resigned(chain, first, [0, 1]), second)],
    ['a hand-off signed for another chain', 'epochs', withHandoffs(resigned(other, first, [0, 1, 2]), second)],
    [
      'a hand-off that skips an epoch',
      'epochs',
      withHandoffs(resigned(chain, first, [0, 1, 2], { nextEpoch: 2 }), second),
    ],
    [
      'a hand-off inside the epoch',
      'epochs',
      withHandoffs(resigned(chain, first, [0, 1, 2], { nextEpoch: 0 }), second),
    ],
    [
      'the last hand-off with its set in another order',
      'epochs',
      withHandoffs(first, { ...second, next: second.next.toReversed() }),
    ],
    ['the last hand-off left out', 'certificate', withHandoffs(first)],
    ['all hand-offs left out', 'certificate', withHandoffs()],
    ['a certificate of the epoch before', 'certificate', encodeBundle({ ...bundle, certificate: chain.certify(5) })],
  ];
}

/** A hand-off as signed by members of the first epoch, for `of`. */
function resigned(
  of: Chain,
  handoff: Bundle['handoffs'][number],
  signers: readonly number[],
  change: Partial<Certificate['checkpoint']> = {},
): Bundle['handoffs'][number] {
  const checkpoint = { ...handoff.certificate.checkpoint, ...change };
  return { ...handoff, certificate: of.certify(5, { signers, checkpoint }) };
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
    ['a count of the block that is another', 'block', change({ header: { ...fact.header, count: 6 } })],
    ['a sibling too few', 'transaction', change({ transactionProof: fact.transactionProof.slice(1) })],
    ['a transaction that does not decode', 'transaction', change({ transaction: fact.transaction.subarray(1) })],
    ['a transaction with a byte too many', 'transaction', change({ transaction: joined(fact.transaction, '00') })],
    ['no transaction', 'transaction', change({ transaction: new Uint8Array(0) })],
    ['a sibling too many', 'transaction', change({ transactionProof: [...fact.transactionProof, new Uint8Array(32)] })],
    ['the signature of another transaction', 'signature', change({ transaction: foreign })],
    [
      'the receipt of another transaction',
      'receipt',
      change({ receipt: other.receipt, receiptProof: other.receiptProof }),
    ],
    ['another receipt that stands at this place', 'receipt', swappedReceipts(chain)],
    ['a receipt without its events', 'receipt', change({ receipt: { ...fact.receipt, events: [] } })],
    [
      'a sibling of the receipt too many',
      'receipt',
      change({ receiptProof: [...fact.receiptProof, new Uint8Array(32)] }),
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

/** A block that a quorum certified although its receipts are in another order than its transactions. */
function swappedReceipts(chain: Chain): Uint8Array {
  const [first, second] = chain.blocks[1]!.transactions;
  const receipts = chain.blocks[1]!.receipts.slice(0, 2).toReversed();
  const header = {
    ...chain.blocks[0]!.header,
    transactionsRoot: transactionsRoot([first!.id, second!.id]),
    receiptsRoot: receiptsRoot(receipts),
    count: 2,
  };
  const hash = blockHash(header);
  const certificate = chain.certify(0, { checkpoint: { blockHash: hash, historyRoot: listRoot([hash]) } });
  const value: TransactionFact = {
    header,
    historyProof: [],
    index: 0,
    transaction: first!.bytes,
    transactionProof: listProof([first!.id, second!.id], 0),
    receipt: receipts[0]!,
    receiptProof: listProof(receipts.map(encodedReceipt), 0),
  };
  return encodeBundle(chain.bundle({ kind: 'transaction', value }, certificate));
}

function badBlocks(chain: Chain): readonly BadCase[] {
  const { header } = chain.blocks[4]!;
  const block = (of: typeof header, historyProof: readonly Uint8Array[], certificate = chain.certify()): Uint8Array =>
    encodeBundle(chain.bundle({ kind: 'block', value: { header: of, historyProof } }, certificate));
  return [
    ['a block above the certificate', 'block', block(header, chain.historyProof(4, 5), chain.certify(3))],
    ['a proof for a shorter history', 'block', block(header, chain.historyProof(4, 4))],
    ['a sibling of the history too few', 'block', block(header, chain.historyProof(4, 5).slice(1))],
    [
      'the certified block with the proof of another',
      'block',
      block(chain.blocks[5]!.header, chain.historyProof(4, 5)),
    ],
    ['a header moved to another height', 'block', block({ ...header, height: 3 }, chain.historyProof(3, 5))],
  ];
}

function badStates(chain: Chain): readonly BadCase[] {
  const present = chain.stateBundle(balances, [ben.key, 'gold']);
  const absent = chain.stateBundle(balances, [ben.key, 'silver']);
  const there = factOf(present, 'state');
  const missing = factOf(absent, 'state');
  const none = { kind: 'absent', value: {} } as const;
  const missingValue = encode(balances.value, { amount: 0n });
  const valueHash = sha256(there.value.kind === 'present' ? there.value.value : missingValue);
  const own = { path: statePath(there.table, there.key), valueHash };
  const elsewhere = { path: own.path.map((byte, at) => (at === 0 ? byte ^ 0x80 : byte)), valueHash };
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
    ['the value of another row', 'state', change({ value: { kind: 'present', value: missingValue } })],
    [
      'a proof with an empty sibling listed',
      'state',
      change({ proof: { ...there.proof, siblings: there.proof.siblings.with(0, new Uint8Array(32)) } }),
    ],
    [
      'a proof of absence that ends at the row itself',
      'state',
      change({ value: none, proof: { ...there.proof, end: { kind: 'other', value: own } } }),
    ],
    [
      'a proof of absence that ends at a row elsewhere',
      'state',
      change({ value: none, proof: { ...there.proof, end: { kind: 'other', value: elsewhere } } }),
    ],
    ['a proof one level too deep', 'state', change({ proof: { ...there.proof, depth: there.proof.depth + 1 } })],
  ];
}

type Facts = { readonly [F in Bundle['fact'] as F['kind']]: F['value'] };

function factOf<K extends keyof Facts>({ fact }: Bundle, kind: K): Facts[K] {
  if (fact.kind !== kind) throw new Error(`expected a ${kind}, got a ${fact.kind}`);
  return fact.value as Facts[K];
}
