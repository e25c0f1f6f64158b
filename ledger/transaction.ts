import { concatBytes } from './bytes.ts';
import {
  blob,
  bytes,
  bytes32,
  CodecError,
  type CodecType,
  type Decoded,
  encode,
  list,
  Reader,
  struct,
  text,
  tryDecode,
  u64,
} from './codec.ts';
import { sha256 } from './hash.ts';
import { CALL_ARGS_BYTES_MAX, CALLS_MAX, MEMO_BYTES_MAX, NAME_BYTES_MAX, TRANSACTION_BYTES_MAX } from './limits.ts';
import { signBytes } from './sign-bytes.ts';

export const callCodec = struct({
  module: text(NAME_BYTES_MAX, 1),
  action: text(NAME_BYTES_MAX, 1),
  /** Canonical bytes of the action's argument type. */
  args: blob(CALL_ARGS_BYTES_MAX),
});

export const transactionBodyCodec = struct({
  /** Ed25519 public key of the account. */
  sender: bytes32,
  /** Only makes ids differ; derive it from a business key to make a retry from anywhere the same transaction. */
  nonce: bytes(8),
  /** Milliseconds of block time; later the transaction can't execute any more. */
  validUntil: u64,
  /** All or nothing, in order. */
  calls: list(callCodec, CALLS_MAX, 1),
  memo: blob(MEMO_BYTES_MAX),
});

export type Call = CodecType<typeof callCodec>;
export type TransactionBody = CodecType<typeof transactionBodyCodec>;

/** A decoded transaction with the bytes it came in and its id. */
export interface Transaction {
  /** SHA-256 of the body's sign bytes: known before the transaction is signed. */
  readonly id: Uint8Array;
  /** body ‖ signature, as sent and stored. */
  readonly bytes: Uint8Array;
  readonly body: TransactionBody;
  readonly signature: Uint8Array;
}

export const SIGNATURE_BYTES = 64;

/** What the sender signs. */
export function transactionSignBytes(genesisId: Uint8Array, body: TransactionBody): Uint8Array {
  return signBytes('transaction', genesisId, encode(transactionBodyCodec, body));
}

/** The id that the body will have on this chain: 32 bytes. */
export function transactionId(genesisId: Uint8Array, body: TransactionBody): Uint8Array {
  return sha256(transactionSignBytes(genesisId, body));
}

/** Signs a body: `sign` gets the sign bytes and returns 64 bytes. */
export function signTransaction(
  genesisId: Uint8Array,
  body: TransactionBody,
  sign: (message: Uint8Array) => Uint8Array,
): Transaction {
  const encoded = encode(transactionBodyCodec, body);
  const message = signBytes('transaction', genesisId, encoded);
  const signature = sign(message);
  return { id: sha256(message), bytes: concatBytes(encoded, signature), body, signature };
}

/** Decodes `body ‖ signature` from outside; the signature is not checked here. Views into `bytes`, no copies. */
export function decodeTransaction(genesisId: Uint8Array, bytes: Uint8Array): Decoded<Transaction> {
  if (bytes.length > TRANSACTION_BYTES_MAX) {
    return { ok: false, problem: `expected at most ${TRANSACTION_BYTES_MAX} bytes, got ${bytes.length}` };
  }
  if (bytes.length <= SIGNATURE_BYTES) {
    return { ok: false, problem: `expected a body and a signature of 64 bytes, got ${bytes.length} bytes` };
  }
  const encoded = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  const body = tryDecode(transactionBodyCodec, encoded);
  if (!body.ok) return body;
  const signature = bytes.subarray(bytes.length - SIGNATURE_BYTES);
  return {
    ok: true,
    value: { id: sha256(signBytes('transaction', genesisId, encoded)), bytes, body: body.value, signature },
  };
}

/** The message that the signature of these transaction bytes covers; the bytes must have been decoded before. */
export function signedMessage(genesisId: Uint8Array, bytes: Uint8Array): Uint8Array {
  return signBytes('transaction', genesisId, bytes.subarray(0, bytes.length - SIGNATURE_BYTES));
}

/** Several transactions in one buffer: each `u32 length ‖ bytes`. Frames between peers, journal and stored blocks. */
export function packTransactions(transactions: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const one of transactions) length += 4 + one.length;
  const packed = new Uint8Array(length);
  const view = new DataView(packed.buffer);
  let offset = 0;
  for (const one of transactions) {
    view.setUint32(offset, one.length);
    packed.set(one, offset + 4);
    offset += 4 + one.length;
  }
  return packed;
}

/** The bytes of one packed transaction, as a view and without decoding the others; throws RangeError if it is not there in full. */
export function packedTransaction(packed: Uint8Array, index: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  let offset = 0;
  for (let i = 0; i < index; i++) offset += 4 + view.getUint32(offset);
  const begin = offset + 4;
  const end = begin + view.getUint32(offset);
  if (end > packed.length) throw new RangeError(`transaction ${index} ends at ${end} of ${packed.length} bytes`);
  return packed.subarray(begin, end);
}

/** The transaction bytes of a packed buffer; refuses more than `max` of them. */
export function unpackTransactions(packed: Uint8Array, max: number): Decoded<readonly Uint8Array[]> {
  try {
    const reader = new Reader(packed);
    const transactions: Uint8Array[] = [];
    while (reader.left > 0) {
      if (transactions.length === max) throw new CodecError(`expected at most ${max} transactions`);
      const length = reader.uint(4);
      if (length > TRANSACTION_BYTES_MAX)
        throw new CodecError(`transaction of ${length} bytes, at most ${TRANSACTION_BYTES_MAX}`);
      transactions.push(reader.take(length));
    }
    return { ok: true, value: transactions };
  } catch (error) {
    if (error instanceof CodecError) return { ok: false, problem: error.message };
    throw error;
  }
}
