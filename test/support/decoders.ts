import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Problem } from '../../api/problems.ts';
import { parseStrictJson } from '../../api/strict-json.ts';
import { genesisCodec, printGenesis } from '../../genesis/file.ts';
import { readGenesis } from '../../genesis/genesis.ts';
import { batchCodec, eventCodec, headerCodec, receiptCodec } from '../../ledger/block.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { equalBytes, fromHex, toHex, utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec, checkpointCodec } from '../../ledger/checkpoint.ts';
import { type Codec, CodecError, decode, encode, tryDecode } from '../../ledger/codec.ts';
import { parametersTable } from '../../ledger/modules/epoch.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { entries } from '../../ledger/modules/records.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { parametersCodec } from '../../ledger/parameters.ts';
import { publicKeyProblem } from '../../ledger/public-key.ts';
import { decodeStateProof, encodeStateProof, stateProofCodec } from '../../ledger/state-proof.ts';
import { tableKeyFromText, tableKeyToText } from '../../ledger/table.ts';
import {
  decodeTransaction,
  packTransactions,
  transactionBodyCodec,
  unpackTransactions,
} from '../../ledger/transaction.ts';
import { multiSignature, multiSignatureCodec, validatorSetCodec } from '../../ledger/validators.ts';
import { verifyBundle } from '../../light/index.ts';
import { decodeGroup, decodeHeader, encodeGroup, encodeHeader } from '../../node/journal/format.ts';
import { baseCodec, blockCodec, headCodec, metaCodec, placeCodec } from '../../node/ledger/records.ts';
import { messageCodec, voteFor } from '../../node/pbft/messages.ts';
import { decodeRecord, encodeRecord } from '../../node/pbft/records.ts';
import {
  blockIdsAnswerCodec,
  blockIdsCodec,
  blocksAnswerCodec,
  requestCodec,
  rowsAnswerCodec,
  snapshotAnswerCodec,
  stateRowCodec,
} from '../../node/wire.ts';
import { encodeFrame, type Frame, FrameParser } from '../../p2p/framing.ts';
import { helloCodec } from '../../p2p/hello.ts';
import { peerRecordCodec } from '../../p2p/records.ts';
import { valuesOf } from './arbitrary.ts';
import { type Chain, encodeBundle, rememberingVerify, smallChain } from './chain.ts';
import { outcome } from './report.ts';

/**
 * One way in for bytes from outside. `run` takes any bytes and says what became of them; it throws an AssertionError if
 * the decoder broke its contract: it either refuses with a reason, or what it accepted encodes to the same bytes.
 */
export interface Decoder {
  readonly name: string;
  /** Accepted inputs to start mutations from. */
  samples(seed: number): readonly Uint8Array[];
  run(bytes: Uint8Array): 'accepted' | 'refused';
}

/** Every codec that reads bytes from peers, clients, files or the store. */
export const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  batch: batchCodec,
  header: headerCodec,
  event: eventCodec,
  receipt: receiptCodec,
  'transaction body': transactionBodyCodec,
  'validator set': validatorSetCodec,
  'multi-signature': multiSignatureCodec,
  checkpoint: checkpointCodec,
  certificate: certificateCodec,
  'state proof': stateProofCodec,
  bundle: bundleCodec,
  parameters: parametersCodec,
  genesis: genesisCodec,
  'pbft message': messageCodec,
  'peer request': requestCodec,
  'blocks answer': blocksAnswerCodec,
  'snapshot answer': snapshotAnswerCodec,
  'rows answer': rowsAnswerCodec,
  'block ids answer': blockIdsAnswerCodec,
  hello: helloCodec,
  'peer record': peerRecordCodec,
  'stored meta': metaCodec,
  'stored head': headCodec,
  'stored block': blockCodec,
  'stored place': placeCodec,
  'stored base': baseCodec,
  'stored ids of a block': blockIdsCodec,
  'stored row of a snapshot': stateRowCodec,
  ...applicationCodecs(),
};

function applicationCodecs(): Record<string, Codec<unknown>> {
  const codecs: Record<string, Codec<unknown>> = {};
  for (const { name, tables, events, actions } of quorateApplication.modules) {
    for (const table of tables) codecs[`value of ${table.name}`] = table.value;
    for (const [event, codec] of Object.entries(events)) codecs[`event ${name}.${event}`] = codec;
    for (const [action, { args }] of Object.entries(actions))
      codecs[`arguments of ${name}.${action}`] = args as Codec<unknown>;
  }
  return codecs;
}

/** Every decoder: the codecs, and what is built by hand. */
export function allDecoders(): readonly Decoder[] {
  const chain = smallChain();
  const verify = rememberingVerify();
  const transactions = chain.blocks.flatMap((block) => block.transactions.map(({ bytes }) => bytes));
  const proofs = [chain.transactionBundle(2, 3), chain.blockBundle(1)].map(encodeBundle);
  const marker = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  return [
    ...Object.entries(CODECS).map(([name, codec]) => codecDecoder(name, codec)),
    {
      name: 'transaction',
      samples: () => transactions,
      run: (bytes) =>
        verdict(
          decodeTransaction(chain.genesis.id, bytes),
          ({ body, signature }) => Uint8Array.of(...encode(transactionBodyCodec, body), ...signature),
          bytes,
        ),
    },
    {
      name: 'packed transactions',
      samples: () => [3, 4].map((count) => packTransactions(transactions.slice(0, count))).concat(new Uint8Array(0)),
      run(bytes) {
        const unpacked = unpackTransactions(bytes, 3);
        assert(!unpacked.ok || unpacked.value.length <= 3);
        return verdict(unpacked, packTransactions, bytes);
      },
    },
    {
      name: 'state proof, compressed form',
      samples: () => stateProofs(chain),
      run(bytes) {
        const wire = tryDecode(stateProofCodec, bytes);
        const proof = wire.ok ? decodeStateProof(wire.value) : undefined;
        if (proof === undefined) return 'refused';
        assert(equalBytes(encode(stateProofCodec, encodeStateProof(proof)), bytes));
        return 'accepted';
      },
    },
    {
      name: 'proof bundle, verified',
      samples: () => proofs,
      run(bytes) {
        if (outcome(verifyBundle(bytes, chain.genesis, { verify })) !== 'verified') return 'refused';
        assert(
          proofs.some((proof) => equalBytes(proof, bytes)),
          'a proof that nobody made is verified',
        );
        return 'accepted';
      },
    },
    {
      name: 'proof bundle in JSON',
      samples: () => proofs.map((proof) => utf8Encode(JSON.stringify(bundleCodec.toJson(decode(bundleCodec, proof))))),
      run: (bytes) => ended(outcome(verifyBundle(new TextDecoder().decode(bytes), chain.genesis, { verify }))),
    },
    {
      name: 'genesis file',
      samples: () => [utf8Encode(chain.genesis.text)],
      run(bytes) {
        const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
        const read = readGenesis(text, verify);
        if (!read.ok) {
          assert.notEqual(read.problem, '');
          return 'refused';
        }
        const file = genesisCodec.fromJson(JSON.parse(text));
        assert.equal(printGenesis(file), text);
        return 'accepted';
      },
    },
    {
      name: 'UTF-8',
      samples: () => [utf8Encode('añ€😀\u0000')],
      run(bytes) {
        const text = utf8Decode(bytes);
        const platform = wellFormed(bytes);
        assert.equal(text, platform);
        if (text === undefined) return 'refused';
        assert.deepEqual(utf8Encode(text), bytes);
        return 'accepted';
      },
    },
    {
      name: 'hex',
      samples: () => [utf8Encode('0x00ff10')],
      run(bytes) {
        const text = new TextDecoder().decode(bytes);
        const value = fromHex(text);
        if (value === undefined) return 'refused';
        assert.equal(toHex(value), text);
        return 'accepted';
      },
    },
    {
      name: 'table key in text',
      samples: () => [`0x${'ab'.repeat(32)}:gold`, 'deed 1', `0x${'01'.repeat(32)}`].map(utf8Encode),
      run(bytes) {
        const text = new TextDecoder().decode(bytes);
        let result: 'accepted' | 'refused' = 'refused';
        for (const table of quorateApplication.modules.flatMap((module) => module.tables)) {
          const key = tableKeyFromText(table, text);
          if (!key.ok) continue;
          assert.equal(tableKeyToText(table, key.value), text);
          result = 'accepted';
        }
        return result;
      },
    },
    {
      name: 'public key',
      samples: () => [chain.members[0]!.key],
      run: (bytes) => (publicKeyProblem(bytes) === undefined ? 'accepted' : 'refused'),
    },
    {
      name: 'frames of a channel',
      samples: () => [Uint8Array.of(...encodeFrame('frame', Uint8Array.of(1, 2, 3)), ...encodeFrame('hello'))],
      run: runFrames,
    },
    {
      name: 'journal record',
      samples: journalRecords,
      run: (bytes) => thrown(() => decodeRecord(bytes), CodecError),
    },
    {
      name: 'journal segment header',
      samples: () => [segmentHeader(marker)],
      run(bytes) {
        const header = decodeHeader(bytes);
        if (header === undefined) return 'refused';
        assert(equalBytes(encodeHeader(header), bytes.subarray(0, segmentHeader(marker).length)));
        return 'accepted';
      },
    },
    {
      name: 'journal group',
      samples: () => [journalGroup(marker, 1), journalGroup(marker, 3)],
      run(bytes) {
        const group = decodeGroup(bytes, 0, marker);
        if (typeof group === 'string') return 'refused';
        const again = encodeGroup(marker, group.counter, group.previous, group.entries).bytes;
        assert(equalBytes(again, bytes.subarray(0, group.length)));
        return 'accepted';
      },
    },
    {
      name: 'JSON of a request',
      samples: () => [utf8Encode('{"transaction":"0x00","a":[1,{"b":null}]}')],
      run: (bytes) => thrown(() => parseStrictJson(bytes), Problem),
    },
  ];
}

function codecDecoder(name: string, codec: Codec<unknown>): Decoder {
  return {
    name,
    samples: (seed) => fc.sample(valuesOf(codec), { numRuns: 8, seed }).map((value) => encode(codec, value)),
    run: (bytes) => verdict(tryDecode(codec, bytes), (value) => encode(codec, value), bytes),
  };
}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

function verdict<T>(decoded: Outcome<T>, again: (value: T) => Uint8Array, bytes: Uint8Array): 'accepted' | 'refused' {
  if (!decoded.ok) {
    assert.notEqual(decoded.problem, '', 'a refusal says why');
    return 'refused';
  }
  assert(equalBytes(again(decoded.value), bytes), `accepted ${toHex(bytes)}, which is not what its value encodes to`);
  return 'accepted';
}

function ended(step: string): 'accepted' | 'refused' {
  return step === 'verified' ? 'accepted' : 'refused';
}

function thrown(run: () => unknown, expected: new (...args: never[]) => Error): 'accepted' | 'refused' {
  try {
    run();
    return 'accepted';
  } catch (error) {
    assert(error instanceof expected, error as Error);
    return 'refused';
  }
}

function wellFormed(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** However a stream is cut, it gives the same frames, or is refused. */
function runFrames(bytes: Uint8Array): 'accepted' | 'refused' {
  const whole = framesOf([bytes]);
  const single = framesOf(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  assert.deepEqual(single, whole);
  if (whole === undefined) return 'refused';
  const again = whole.map(({ type, payload }) => encodeFrame(type, payload));
  const length = again.reduce((sum, one) => sum + one.length, 0);
  assert(equalBytes(Buffer.concat(again), bytes.subarray(0, length)));
  return 'accepted';
}

function framesOf(chunks: readonly Uint8Array[]): readonly Frame[] | undefined {
  const parser = new FrameParser();
  const frames: Frame[] = [];
  try {
    for (const chunk of chunks) frames.push(...parser.push(chunk));
    return frames;
  } catch (error) {
    assert(error instanceof RangeError, error as Error);
    return undefined;
  }
}

function stateProofs(chain: Chain): readonly Uint8Array[] {
  return ['deed 1', 'deed 9', ''].map((key) => {
    const { fact } = key === '' ? chain.stateBundle(parametersTable, [CURRENT]) : chain.stateBundle(entries, [key]);
    assert(fact.kind === 'state');
    return encode(stateProofCodec, fact.value.proof);
  });
}

function journalRecords(): readonly Uint8Array[] {
  const batch = { height: 3, timestamp: 1_700_000_000_000, transactions: [new Uint8Array(32).fill(4)] };
  const vote = voteFor(0, 1, batch);
  const signature = new Uint8Array(64).fill(5);
  const prepares = multiSignature(4, new Map([[2, signature]]));
  const certificate = { vote, prePrepareSignature: signature, prepares };
  return [
    encodeRecord({ kind: 'proposal', vote, signature, batch }, new Uint8Array(9)),
    encodeRecord({ kind: 'prepared', certificate, batch }, new Uint8Array(0)),
  ];
}

function segmentHeader(marker: Uint8Array): Uint8Array {
  const owner = { genesisId: new Uint8Array(32).fill(1), validatorKey: new Uint8Array(32).fill(2), epoch: 4 };
  return encodeHeader({ ...owner, begins: true, marker, firstGroup: 7, chain: new Uint8Array(32).fill(3) });
}

function journalGroup(marker: Uint8Array, count: number): Uint8Array {
  const entries = Array.from({ length: count }, (_, index) => ({
    height: index,
    bytes: new Uint8Array(index).fill(9),
  }));
  return encodeGroup(marker, 5, new Uint8Array(32), entries).bytes;
}
