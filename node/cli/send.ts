import type { Receipt } from '../../ledger/block.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import type { Call } from '../../ledger/transaction.ts';
import type { Executed, Final, Submission } from '../../light/ledger-client/index.ts';
import { QuorateError } from '../../light/ledger-client/index.ts';
import type { Facts } from '../../light/report.ts';
import type { SigningAccount } from './accounts.ts';
import { EXIT } from './errors.ts';
import { type LedgerOptions, type OpenLedger, withLedger } from './ledger.ts';
import { tell, warnPublicKey } from './output.ts';

export type Wait = 'none' | 'committed' | 'final';

/** Of every command that sends a transaction. */
export interface SendOptions extends LedgerOptions {
  readonly as: string;
  readonly wait: Wait;
  readonly json: boolean;
}

/** What became of a transaction, as far as was waited for. */
export interface Sent {
  readonly id: string;
  /** pending: a node holds it. committed: f+1 validators signed that it is executed. final, rejected, expired: the end. */
  readonly status: string;
  readonly block?: { readonly height: number };
  readonly receipt?: {
    readonly status: string;
    readonly code: string;
    readonly events: readonly { readonly module: string; readonly name: string; readonly data: Json }[];
  };
  /** Who certified it, and the genesis file by which that was verified here. */
  readonly proven?: { readonly signedBy: readonly string[]; readonly of: number; readonly genesis: 'file' | 'node' };
}

/**
 * Signs one transaction with these calls, says its id on stderr before it is sent, sends it and waits as asked for. Throws what
 * the client library does, other than `rejected` and `expired`, which are ends.
 */
export async function sendCalls(
  { signer, isPublic }: SigningAccount,
  calls: readonly Call[],
  options: SendOptions,
  memo = '',
): Promise<{ readonly sent: Sent; readonly lines: readonly string[] }> {
  if (isPublic) warnPublicKey(options.as, options.json);
  return withLedger(options, signer, async (open) => {
    const submission = open.ledger.send(calls, { memo });
    tell(options.json, { id: submission.id }, `sending  ${submission.id}`);
    const sent = await endOf(open, submission, options.wait);
    return { sent, lines: describe(sent, open) };
  });
}

export function exitOf({ status, receipt }: Sent): number {
  return receipt?.status === 'failed' || status === 'expired' ? EXIT.failed : EXIT.ok;
}

async function endOf(open: OpenLedger, submission: Submission, wait: Wait): Promise<Sent> {
  const { id } = submission;
  try {
    if (wait === 'none') return { id, status: await submission.submit() };
    const executed = await (wait === 'final' ? submission.final() : submission.committed());
    return sentOf(executed, open);
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    if (error.code === 'expired') return { id, status: 'expired' };
    if (error.code !== 'rejected' || error.receipt === undefined) throw error;
    const found = error.proof === undefined ? undefined : await open.ledger.proof(id).catch(() => undefined);
    return found === undefined
      ? { id, status: 'rejected', receipt: receiptJson(error.receipt) }
      : { ...sentOf(found, open), status: 'rejected' };
  }
}

/** Where only some nodes were asked, `committed` may have ended with the proof. */
function sentOf(executed: Executed | Final, { isTrusted }: OpenLedger): Sent {
  const { id, height, receipt } = executed;
  const common = { id, block: { height }, receipt: receiptJson(receipt) };
  if (!('facts' in executed)) return { ...common, status: 'committed' };
  return { ...common, status: 'final', proven: provenJson(executed.facts, isTrusted) };
}

export function provenJson({ signedBy, validators }: Facts, isTrusted: boolean): NonNullable<Sent['proven']> {
  return { signedBy, of: validators, genesis: isTrusted ? 'file' : 'node' };
}

export function receiptJson({ status, code, events }: Receipt): NonNullable<Sent['receipt']> {
  return {
    status,
    code,
    events: events.map((event) => {
      const data = quorateApplication.eventToJson(event);
      return { module: event.module, name: event.name, data: data.ok ? data.value : toHex(event.data) };
    }),
  };
}

function describe({ id, status, block, receipt, proven }: Sent, { basis }: OpenLedger): string[] {
  const lines = [`id       ${id}`, `status   ${status}`];
  if (block !== undefined) lines.push(`block    ${block.height}`);
  if (receipt !== undefined) lines.push(`receipt  ${receipt.status}${receipt.code === '' ? '' : ` (${receipt.code})`}`);
  for (const { module, name, data } of receipt?.events ?? [])
    lines.push(`event    ${module}.${name} ${JSON.stringify(data)}`);
  if (proven === undefined) return lines;
  return [...lines, `final    ${signersInWords(proven)}`, `         proven with ${basis}`, '', proofHint(id)];
}

export function signersInWords({ signedBy, of }: NonNullable<Sent['proven']>): string {
  return `by ${signedBy.join(', ')} (${signedBy.length} of ${of})`;
}

function proofHint(id: string): string {
  return `proof:   npx quorate proof ${id} > receipt.proof.json`;
}
