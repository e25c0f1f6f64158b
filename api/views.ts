import type { Application } from '../ledger/application.ts';
import { headerCodec, type LedgerEvent, type Receipt } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../ledger/checkpoint.ts';
import type { Decoded, Json } from '../ledger/codec.ts';
import { decodeTransaction } from '../ledger/transaction.ts';
import type { BlockView, HeaderView, TransactionStatus } from './ports.ts';

/** JSON forms of what the node answers. Bytes are 0x hex, amounts decimal strings. */
export function statusJson(status: TransactionStatus, genesisId: Uint8Array, application: Application): Json {
  return {
    id: toHex(status.id),
    status: status.status,
    ...(status.block && { block: { height: status.block.height, index: status.block.index } }),
    ...(status.receipt && { receipt: receiptJson(status.receipt, application) }),
    ...(status.transaction && { transaction: transactionJson(status.transaction, genesisId, application) }),
  };
}

export function receiptJson({ status, code, events }: Receipt, application: Application): Json {
  return {
    status,
    code,
    events: events.map((event) => eventJson(event, application)),
  };
}

export function eventJson(event: LedgerEvent, application: Application): { readonly [key: string]: Json } {
  const { module, name, data } = event;
  return { module, name, data: orHex(application.eventToJson(event), data) };
}

export function transactionJson(bytes: Uint8Array, genesisId: Uint8Array, application: Application): Json {
  const decoded = decodeTransaction(genesisId, bytes);
  if (!decoded.ok) return { bytes: toHex(bytes) };
  const { body, signature } = decoded.value;
  return {
    sender: toHex(body.sender),
    nonce: toHex(body.nonce),
    validUntil: body.validUntil,
    calls: body.calls.map((call) => ({
      module: call.module,
      action: call.action,
      args: orHex(application.argsToJson(call), call.args),
    })),
    memo: toHex(body.memo),
    signature: toHex(signature),
    bytes: toHex(bytes),
  };
}

export function headerJson({ hash, header }: HeaderView, finalHeight: number): { readonly [key: string]: Json } {
  return { hash: toHex(hash), final: header.height <= finalHeight, header: headerCodec.toJson(header) };
}

export function blockJson(
  block: BlockView,
  finalHeight: number,
  genesisId: Uint8Array,
  application: Application,
): Json {
  return {
    ...headerJson(block, finalHeight),
    transactions: block.transactions.map(({ id, bytes, receipt }) => ({
      id: toHex(id),
      transaction: transactionJson(bytes, genesisId, application),
      receipt: receiptJson(receipt, application),
    })),
  };
}

export function certificateJson(certificate: Certificate): Json {
  return certificateCodec.toJson(certificate);
}

/** What an older application version wrote may not decode any more; its bytes are shown then. */
function orHex(decoded: Decoded<Json>, bytes: Uint8Array): Json {
  return decoded.ok ? decoded.value : toHex(bytes);
}
