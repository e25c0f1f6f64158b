import { batchCodec, batchDigest, blockHash, eventCodec, headerCodec, receiptCodec } from '../../ledger/block.ts';
import { blockFactCodec, stateFactCodec, transactionFactCodec } from '../../ledger/bundle.ts';
import { concatBytes, fromHex, toHex } from '../../ledger/bytes.ts';
import { certificateCodec, checkpointCodec } from '../../ledger/checkpoint.ts';
import { type Codec, encode, type Json } from '../../ledger/codec.ts';
import { EDGE_VECTORS, type EdgeVector } from '../../ledger/edge-vectors.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { parametersCodec } from '../../ledger/parameters.ts';
import { publicKeyProblem } from '../../ledger/public-key.ts';
import { SIGN_KINDS, type SignKind, signBytes } from '../../ledger/sign-bytes.ts';
import { signatureProblem } from '../../ledger/signature.ts';
import { stateProofCodec } from '../../ledger/state-proof.ts';
import { callCodec, type Transaction, transactionBodyCodec, transactionSignBytes } from '../../ledger/transaction.ts';
import { multiSignatureCodec, validatorCodec, validatorSetCodec, validatorsHash } from '../../ledger/validators.ts';
import { ACCOUNTS, seedOf, smallChain } from '../support/chain.ts';
import { commonBadCases, joined, undecodable, unreadable } from './cases.ts';

/** The codecs of structures.json by name. */
export const STRUCTURES: Readonly<Record<string, Codec<unknown>>> = {
  Call: callCodec,
  TransactionBody: transactionBodyCodec,
  Batch: batchCodec,
  Header: headerCodec,
  Event: eventCodec,
  Receipt: receiptCodec,
  Validator: validatorCodec,
  ValidatorSet: validatorSetCodec,
  MultiSignature: multiSignatureCodec,
  Checkpoint: checkpointCodec,
  Certificate: certificateCodec,
  StateProof: stateProofCodec,
  TransactionFact: transactionFactCodec,
  BlockFact: blockFactCodec,
  StateFact: stateFactCodec,
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
  const facts = [
    chain.transactionBundle(2, 3),
    chain.blockBundle(3),
    chain.stateBundle(balances, [ACCOUNTS[1].key, 'gold']),
    chain.stateBundle(entries, ['deed 9']),
  ].map(({ fact }) => fact);
  const [transactionFact, blockFact, present, absent] = facts.map(({ value }) => value);
  const proofs = facts.flatMap((fact) => (fact.kind === 'state' ? [fact.value.proof] : []));
  const values: Record<string, readonly unknown[]> = {
    Call: first.transactions[2]!.body.calls,
    TransactionBody: first.transactions.map(({ body }) => body),
    Batch: [batch, nullBatch],
    Header: chain.blocks.slice(0, 3).map(({ header }) => header),
    Event: first.receipts[2]!.events,
    Receipt: first.receipts,
    Validator: validators.slice(0, 1),
    ValidatorSet: [validators, validators.slice(0, 1)],
    MultiSignature: [certificate.proof, { signers: new Uint8Array(0), signatures: [] }],
    Checkpoint: [certificate.checkpoint],
    Certificate: [certificate],
    StateProof: proofs,
    TransactionFact: [transactionFact],
    BlockFact: [blockFact],
    StateFact: [present, absent],
    Parameters: [chain.genesis.parameters],
  };
  const bad = badStructures();
  return {
    about:
      'Structures in bytes and in JSON, and their hashes. A bad case must be refused at `step`: `bytes` when decoded, the JSON `text` when read as the JSON form; its name says why. What these alone do not show, such as a bitmap that does not fit its signatures, is in the other files.',
    cases: Object.entries(STRUCTURES).map(([type, codec]) => ({
      type,
      good: values[type]!.map((value) => ({ bytes: toHex(encode(codec, value)), json: codec.toJson(value) })),
      bad: [
        ...commonBadCases(codec, encode(codec, values[type]![0]), codec.toJson(values[type]![0])),
        ...undecodable(bad[type] ?? {}),
        ...unreadable(BAD_TEXTS[type] ?? {}),
      ],
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

const ZEROS32 = '00'.repeat(32);
const SMALLEST_CALL = '016d' + '0161' + '0000';
const SMALLEST_VALIDATOR = `016e0161${ZEROS32}${ZEROS32}`;
const SMALLEST_EVENT = '016d' + '0165' + '0000';

/** Bytes that break one bound of a structure and are sound in everything else. */
function badStructures(): Readonly<Record<string, Readonly<Record<string, Uint8Array>>>> {
  const chain = smallChain();
  const header = encode(headerCodec, chain.blocks[1]!.header);
  const checkpoint = encode(checkpointCodec, chain.checkpoint());
  const certificate = encode(certificateCodec, chain.certify());
  const bodyWith = (calls: string, memo: string): Uint8Array => joined(ZEROS32, '00'.repeat(16), calls, memo);
  const stateFact = (table: string, key: string, value: string): Uint8Array =>
    joined(table, key, value, '00000000', '00', '0000', '00');
  return {
    Call: {
      'an empty module name': joined('00', '0161', '0000'),
      'an empty action name': joined('016d', '00', '0000'),
      'a module name of 33 bytes': joined('21', '6d'.repeat(33), '0161', '0000'),
      'a name that is not UTF-8': joined('01ff', '0161', '0000'),
    },
    TransactionBody: {
      'no calls': bodyWith('0000', '0000'),
      '257 calls': bodyWith(`0101${SMALLEST_CALL.repeat(257)}`, '0000'),
      'a memo of 257 bytes': bodyWith(`0001${SMALLEST_CALL}`, `0101${'00'.repeat(257)}`),
      'a time above 2^53 - 1': joined(ZEROS32, '00'.repeat(8), '0020000000000000', '0001', SMALLEST_CALL, '0000'),
    },
    Batch: { 'a time above 2^53 - 1': joined('00'.repeat(8), '0020000000000000', '0000') },
    Header: { 'a height above 2^53 - 1': tooLarge(header, 0), 'a time above 2^53 - 1': tooLarge(header, 40) },
    Event: { 'an empty name': joined('016d', '00', '0000') },
    Receipt: {
      'an unknown status': joined(ZEROS32, '02', '00', '0000'),
      'a code of 65 bytes': joined(ZEROS32, '01', `41${'61'.repeat(65)}`, '0000'),
      '513 events': joined(ZEROS32, '00', '00', `0201${SMALLEST_EVENT.repeat(513)}`),
    },
    Validator: {
      'an empty name': joined('00', '0161', ZEROS32, ZEROS32),
      'an organisation of 33 bytes': joined('016e', `21${'61'.repeat(33)}`, ZEROS32, ZEROS32),
    },
    ValidatorSet: { 'no validators': joined('00'), '129 validators': joined(`81${SMALLEST_VALIDATOR.repeat(129)}`) },
    MultiSignature: {
      'a bitmap of 17 bytes': joined(`11${'00'.repeat(17)}`, '00'),
      '129 signatures': joined('00', `81${'00'.repeat(64 * 129)}`),
      'a signature fewer than counted': joined('0103', `02${'00'.repeat(64)}`),
    },
    Checkpoint: {
      'an epoch above 2^53 - 1': tooLarge(checkpoint, 0),
      'a height above 2^53 - 1': tooLarge(checkpoint, 40),
      'a time above 2^53 - 1': tooLarge(checkpoint, 144),
      'a next epoch above 2^53 - 1': tooLarge(checkpoint, 152),
    },
    Certificate: {
      'scheme 0': joined('00', certificate.subarray(1)),
      'scheme 3': joined('03', certificate.subarray(1)),
      'an epoch above 2^53 - 1': tooLarge(certificate, 1),
    },
    StateProof: {
      'a bitmap of 33 bytes': joined('00000100', `21${'00'.repeat(33)}`, '0000', '00'),
      '257 siblings': joined('00000100', `20${'ff'.repeat(32)}`, `0101${ZEROS32.repeat(257)}`, '00'),
      'an unknown end': joined('00000000', '00', '0000', '02'),
      'another row without its value': joined('00000000', '00', '0000', '01', ZEROS32),
      'bytes behind the end self': joined('00000000', '00', '0000', '00', ZEROS32, ZEROS32),
    },
    BlockFact: { 'a proof of 54 hashes': joined(header, `36${ZEROS32.repeat(54)}`) },
    StateFact: {
      'a table name of 2 bytes': stateFact('02612e', '0000', '00'),
      'a table name of 66 bytes': stateFact(`42${'61'.repeat(66)}`, '0000', '00'),
      'a key of 257 bytes': stateFact('03612e62', `0101${'00'.repeat(257)}`, '00'),
      'neither absent nor present': stateFact('03612e62', '0000', '02'),
    },
    Parameters: {
      'no application': joined('0001', '00', encode(parametersCodec, chain.genesis.parameters).subarray(2 + 8)),
    },
  };
}

const BAD_TEXTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  StateProof: {
    'an end with a field too many':
      '{"depth":0,"bitmap":"0x","siblings":[],"end":{"kind":"self","value":{"path":"0x"}}}',
    'an end without value': '{"depth":0,"bitmap":"0x","siblings":[],"end":{"kind":"self"}}',
    'null as value of the end': '{"depth":0,"bitmap":"0x","siblings":[],"end":{"kind":"self","value":null}}',
  },
  StateFact: {
    'null for absent':
      '{"table":"a.b","key":"0x","value":null,"proof":{"depth":0,"bitmap":"0x","siblings":[],"end":{"kind":"self","value":{}}}}',
  },
};

/** With a u64 at `offset` that is 2^53 and more. */
function tooLarge(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = bytes.slice();
  copy[offset + 1] = 0x20;
  return copy;
}

export function signBytesVectors(): Json {
  const genesisId = seedOf('genesis id');
  const body = Uint8Array.of(1, 2, 3);
  return {
    about:
      'S6: "quorate/1", the kind as one byte, the genesis id, the body. They are made, not read: nothing is refused.',
    cases: Object.keys(SIGN_KINDS).map((kind) => ({
      kind,
      genesisId: toHex(genesisId),
      body: toHex(body),
      signBytes: toHex(signBytes(kind as SignKind, genesisId, body)),
    })),
  };
}

export function signatureVectors(): Json {
  return {
    about:
      'Rule S5: every verifier gives these verdicts. `step`: the number of the first step of S5 that fails, 0 if none.',
    cases: [...EDGE_VECTORS, S_EQUAL_TO_L].map((vector) => {
      const { name, publicKey, message, signature, valid } = vector;
      return { name, publicKey, message, signature, valid, step: stepOf(vector) };
    }),
  };
}

/** Nobody can make one whose equation holds, but a bound that is off by one is seen by its step. */
const S_EQUAL_TO_L: EdgeVector = {
  ...EDGE_VECTORS[0]!,
  name: 'S equal to L',
  signature: `${EDGE_VECTORS[0]!.signature.slice(0, 66)}edd3f55c1a631258d69cf7a2def9de14${'00'.repeat(15)}10`,
  valid: false,
};

function stepOf({ publicKey, signature, valid }: EdgeVector): number {
  if (valid) return 0;
  const [key, bytes] = [fromHex(publicKey)!, fromHex(signature)!];
  const problem = signatureProblem(bytes, key) ?? publicKeyProblem(key);
  if (problem === undefined) return 6;
  const steps: readonly (readonly [number, RegExp])[] = [
    [1, /^expected a/],
    [2, /^S of the signature/],
    [3, /not canonical/],
    [4, /small order/],
    [5, /not a point/],
  ];
  return steps.find(([, pattern]) => pattern.test(problem))![0];
}

export function transactionVectors(): Json {
  const chain = smallChain();
  const genesisId = chain.genesis.id;
  const [ann] = ACCOUNTS;
  const [first, second] = chain.blocks[1]!.transactions;
  const sound = second!.bytes;
  const signature = sound.subarray(-64);
  const withoutCalls = concatBytes(ann.key, new Uint8Array(8 + 8 + 2 + 2), signature);
  const otherSender = concatBytes(ACCOUNTS[1].key, sound.subarray(32));
  return {
    about:
      'Transactions: body ‖ signature. A bad case must be refused at `step`: decode, or signature (S5 over the sign bytes).',
    genesisId: toHex(genesisId),
    good: chain.blocks[1]!.transactions.map((transaction) => transactionCase(genesisId, transaction)),
    bad: [
      ...undecodable({
        'no bytes': new Uint8Array(0),
        'only a signature': signature,
        'a byte between body and signature': concatBytes(sound.subarray(0, -64), Uint8Array.of(0), signature),
        'last byte missing': sound.subarray(0, -1),
        'no calls': withoutCalls,
      }),
      ...Object.entries({
        'a signature of ones': concatBytes(sound.subarray(0, -64), new Uint8Array(64).fill(1)),
        'the signature of another transaction': concatBytes(sound.subarray(0, -64), first!.signature),
        'another sender': otherSender,
        'another nonce': flipped(sound, 32),
      }).map(([name, bytes]) => ({ name, step: 'signature', bytes: toHex(bytes) })),
    ],
  };
}

function flipped(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.map((byte, at) => (at === offset ? byte ^ 1 : byte));
}

function transactionCase(
  genesisId: Uint8Array,
  { body, signature, id, bytes }: Pick<Transaction, 'body' | 'signature' | 'id' | 'bytes'>,
): Json {
  return {
    bytes: toHex(bytes),
    body: transactionBodyCodec.toJson(body),
    signBytes: toHex(transactionSignBytes(genesisId, body)),
    id: toHex(id),
    signature: toHex(signature),
  };
}

function hex<T>(codec: Codec<T>, value: T): string {
  return toHex(encode(codec, value));
}
