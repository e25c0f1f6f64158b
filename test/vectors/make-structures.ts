import { batchCodec, batchDigest, blockHash, headerCodec, receiptCodec } from '../../ledger/block.ts';
import { stateProofCodec } from '../../ledger/bundle.ts';
import { concatBytes, toHex } from '../../ledger/bytes.ts';
import { certificateCodec, checkpointCodec } from '../../ledger/checkpoint.ts';
import {
  amount,
  blob,
  bool,
  bytes,
  type Codec,
  encode,
  type Json,
  list,
  oneOf,
  text,
  u8,
  u16,
  u32,
  u64,
  union,
} from '../../ledger/codec.ts';
import { layoutOf } from '../../ledger/describe.ts';
import { entries } from '../../ledger/modules/records.ts';
import { parametersCodec } from '../../ledger/parameters.ts';
import { SIGN_KINDS, type SignKind, signBytes } from '../../ledger/sign-bytes.ts';
import { type Transaction, transactionBodyCodec, transactionSignBytes } from '../../ledger/transaction.ts';
import { multiSignatureCodec, validatorSetCodec, validatorsHash } from '../../ledger/validators.ts';
import { ACCOUNTS, seedOf, smallChain } from '../support/chain.ts';

/** The codecs of primitives.json by the layout that the cases name. */
export const PRIMITIVES: readonly Codec<unknown>[] = [
  u8,
  u16,
  u32,
  u64,
  amount,
  bool,
  bytes(4),
  blob(255),
  blob(256),
  blob(65_536),
  text(32, 1),
  list(u16, 3, 1),
  list(u8, 300),
  oneOf({ ok: 0, failed: 1 }),
  union({ small: [1, u8], large: [2, u32] }),
].map((codec) => codec as unknown as Codec<unknown>);

export function primitiveVectors(): Json {
  const good: Record<string, readonly unknown[]> = {
    u8: [0, 255],
    u16: [0, 258, 65_535],
    u32: [0, 0x01020304, 0xffffffff],
    u64: [0, 0x0102030405, Number.MAX_SAFE_INTEGER],
    u128: [0n, 258n, 2n ** 128n - 1n],
    bool: [false, true],
    bytes4: [Uint8Array.of(1, 2, 3, 255)],
    'blob<0..255>': [new Uint8Array(0), Uint8Array.of(7)],
    'blob<0..256>': [new Uint8Array(0), Uint8Array.of(7, 8)],
    'blob<0..65536>': [new Uint8Array(0), Uint8Array.of(7, 8, 9)],
    'text<1..32>': ['a', 'ñ€😀', '\u0000', '\ufeff'],
    'list<u16, 1..3>': [[1], [1, 2, 3]],
    'list<u8, 0..300>': [[], [9]],
    'tag<0 ok | 1 failed>': ['ok', 'failed'],
    'union<1 small: u8 | 2 large: u32>': [
      { kind: 'small', value: 5 },
      { kind: 'large', value: 5 },
    ],
  };
  const bad: Record<string, Readonly<Record<string, string>>> = {
    u8: { 'too short': '', 'trailing byte': '0000' },
    u16: { 'too short': '00' },
    u64: { 'above 2^53 - 1': '0020000000000000', 'all ones': 'ffffffffffffffff', 'too short': '00000000000000' },
    u128: { 'too short': '00'.repeat(15) },
    bool: { 'neither 0 nor 1': '02' },
    bytes4: { 'too short': '010203', 'trailing byte': '0102030405' },
    'blob<0..255>': { 'longer than what is left': '0207', 'trailing byte': '0000' },
    'blob<0..256>': { 'above its bound': `0101${'00'.repeat(257)}`, 'length of one byte': '00' },
    'blob<0..65536>': { 'above its bound': '00010001', 'length of 2^32 - 1': 'ffffffff' },
    'text<1..32>': {
      empty: '00',
      'above its bound': `21${'61'.repeat(33)}`,
      'overlong NUL': '02c080',
      'overlong slash': '03e080af',
      'lone surrogate': '03eda080',
      'above U+10FFFF': '04f4908080',
      'cut off': '02e282',
      'stray continuation byte': '0180',
      'never a first byte': '01ff',
    },
    'list<u16, 1..3>': { 'below its bound': '00', 'above its bound': '040000000000000000', 'item missing': '02000100' },
    'list<u8, 0..300>': { 'above its bound': `012d${'00'.repeat(301)}`, 'count beyond what is left': '000200' },
    'tag<0 ok | 1 failed>': { 'unknown tag': '02' },
    'union<1 small: u8 | 2 large: u32>': { 'unknown tag': '0005', 'value of the other variant': '0200' },
  };
  return {
    about: 'Primitives. `json` is the JSON form. A bad case must be refused; its name says why.',
    cases: PRIMITIVES.map((codec) => {
      const type = layoutOf(codec);
      return {
        type,
        good: good[type]!.map((value) => ({ bytes: toHex(encode(codec, value)), json: codec.toJson(value) })),
        bad: Object.entries(bad[type] ?? {}).map(([name, digits]) => ({ name, bytes: `0x${digits}` })),
      };
    }),
  };
}

/** The codecs of structures.json by name. */
export const STRUCTURES: Readonly<Record<string, Codec<unknown>>> = {
  TransactionBody: transactionBodyCodec,
  Batch: batchCodec,
  Header: headerCodec,
  Receipt: receiptCodec,
  ValidatorSet: validatorSetCodec,
  MultiSignature: multiSignatureCodec,
  Checkpoint: checkpointCodec,
  Certificate: certificateCodec,
  StateProof: stateProofCodec,
  Parameters: parametersCodec,
};

export function structureVectors(): Json {
  const chain = smallChain();
  const [first, second] = [chain.blocks[1]!, chain.blocks[2]!];
  const batch = {
    height: 2,
    timestamp: second.header.timestamp,
    transactions: second.transactions.map(({ id }) => id),
  };
  const nullBatch = { height: 9, timestamp: 0, transactions: [] };
  const certificate = chain.certify();
  const validators = chain.genesis.validators;
  const { fact } = chain.stateBundle(entries, ['deed 9']);
  const values: Record<string, readonly unknown[]> = {
    TransactionBody: first.transactions.map(({ body }) => body),
    Batch: [batch, nullBatch],
    Header: chain.blocks.slice(0, 3).map(({ header }) => header),
    Receipt: first.receipts,
    ValidatorSet: [validators, validators.slice(0, 1)],
    MultiSignature: [certificate.proof],
    Checkpoint: [certificate.checkpoint],
    Certificate: [certificate],
    StateProof: fact.kind === 'state' ? [fact.value.proof] : [],
    Parameters: [chain.genesis.parameters],
  };
  return {
    about: 'Structures in bytes and in JSON, and their hashes. A bad case must be refused; its name says why.',
    cases: Object.entries(STRUCTURES).map(([type, codec]) => ({
      type,
      good: values[type]!.map((value) => ({ bytes: toHex(encode(codec, value)), json: codec.toJson(value) })),
      bad: badStructures(codec, encode(codec, values[type]![0])),
    })),
    hashes: {
      batchDigest: [batch, nullBatch].map((one) => ({ batch: hex(batchCodec, one), digest: toHex(batchDigest(one)) })),
      blockHash: chain.blocks
        .slice(0, 3)
        .map(({ header }) => ({ header: hex(headerCodec, header), hash: toHex(blockHash(header)) })),
      validatorsHash: [{ set: hex(validatorSetCodec, validators), hash: toHex(validatorsHash(validators)) }],
    },
  };
}

function badStructures(codec: Codec<unknown>, sound: Uint8Array): Json[] {
  const cases: { name: string; bytes: string }[] = [
    { name: 'no bytes', bytes: '0x' },
    { name: 'last byte missing', bytes: toHex(sound.subarray(0, -1)) },
    { name: 'trailing byte', bytes: toHex(concatBytes(sound, Uint8Array.of(0))) },
  ];
  // Fixed places of a u64 that must be at most 2^53 - 1.
  const at = new Map<Codec<unknown>, number>([
    [batchCodec as Codec<unknown>, 8],
    [headerCodec as Codec<unknown>, 40],
    [checkpointCodec as Codec<unknown>, 0],
    [certificateCodec as Codec<unknown>, 1],
  ]).get(codec);
  if (at !== undefined) {
    const bytes = sound.slice();
    bytes[at + 1] = 0x20;
    cases.push({ name: 'an integer above 2^53 - 1', bytes: toHex(bytes) });
  }
  return cases;
}

export function signBytesVectors(): Json {
  const genesisId = seedOf('genesis id');
  const body = Uint8Array.of(1, 2, 3);
  return {
    about: 'S6: "quorate/1", the kind as one byte, the genesis id, the body.',
    cases: Object.keys(SIGN_KINDS).map((kind) => ({
      kind,
      genesisId: toHex(genesisId),
      body: toHex(body),
      signBytes: toHex(signBytes(kind as SignKind, genesisId, body)),
    })),
  };
}

export function transactionVectors(): Json {
  const chain = smallChain();
  const genesisId = chain.genesis.id;
  const [ann] = ACCOUNTS;
  const sound = chain.blocks[1]!.transactions[1]!.bytes;
  const withoutCalls = concatBytes(ann.key, new Uint8Array(8 + 8 + 2 + 2), sound.subarray(-64));
  return {
    about:
      'Transactions: body ‖ signature. `validSignature` is the verdict of S5. A bad case must be refused at decoding.',
    genesisId: toHex(genesisId),
    good: [
      ...chain.blocks[1]!.transactions.map((transaction) => transactionCase(genesisId, transaction, true)),
      transactionCase(
        genesisId,
        { ...chain.blocks[1]!.transactions[0]!, signature: new Uint8Array(64).fill(1) },
        false,
      ),
    ],
    bad: [
      { name: 'no bytes', bytes: '0x' },
      { name: 'only a signature', bytes: toHex(sound.subarray(-64)) },
      {
        name: 'a byte between body and signature',
        bytes: toHex(concatBytes(sound.subarray(0, -64), Uint8Array.of(0), sound.subarray(-64))),
      },
      { name: 'last byte missing', bytes: toHex(sound.subarray(0, -1)) },
      { name: 'no calls', bytes: toHex(withoutCalls) },
    ],
  };
}

function transactionCase(
  genesisId: Uint8Array,
  { body, signature, id }: Pick<Transaction, 'body' | 'signature' | 'id'>,
  validSignature: boolean,
): Json {
  return {
    bytes: toHex(concatBytes(encode(transactionBodyCodec, body), signature)),
    body: transactionBodyCodec.toJson(body),
    signBytes: toHex(transactionSignBytes(genesisId, body)),
    id: toHex(id),
    signature: toHex(signature),
    validSignature,
  };
}

function hex<T>(codec: Codec<T>, value: T): string {
  return toHex(encode(codec, value));
}
