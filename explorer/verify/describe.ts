import type { Genesis } from '../../genesis/genesis.ts';
import type { Application } from '../../ledger/application.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import type { Decoded, Json } from '../../ledger/codec.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { tableKeyToText } from '../../ledger/table.ts';
import { quorum } from '../../ledger/validators.ts';
import type { Facts, Report, Step } from '../../light/report.ts';
import type { Setting } from './settings.ts';
import { ago, counted, moment, visible } from './words.ts';

export interface Row {
  readonly name: string;
  readonly value: string;
  /** `code`: bytes or structure, character by character. */
  readonly form: 'words' | 'code';
  /** A second line: the same in other words. */
  readonly note?: string;
}

export interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** A report in plain words, for whoever does not know the formats. Every text is safe to show as text. */
export interface Description {
  /** caution: sound, but not what a hasty reader takes it for. */
  readonly tone: 'good' | 'caution' | 'bad';
  readonly verdict: string;
  /** What is proven, in one sentence; empty if nothing is. */
  readonly summary: string;
  readonly steps: readonly Step[];
  readonly groups: readonly Group[];
  /** What the proof rests on; empty if nothing is proven. */
  readonly proven: string;
  readonly notProven: readonly string[];
}

export interface DescribeOptions {
  readonly genesis: Genesis;
  /** The transaction id that the proof is compared with. */
  readonly expected: Setting<Uint8Array>;
  readonly nowMs: number;
}

/** Says what a report means. */
export function describe(report: Report, options: DescribeOptions): Description {
  const { facts } = report;
  const steps = report.steps.map((step) => ({ ...step, detail: visible(step.detail) }));
  if (facts === undefined) {
    const failed = steps.find(({ status }) => status === 'failed');
    const verdict = `Not verified: ${failed?.name}: ${failed?.detail}`;
    return { tone: 'bad', verdict, summary: '', steps, groups: [], proven: '', notProven: [] };
  }
  const failedToAct = facts.transaction?.receipt.status === 'failed';
  const compared = compare(facts, options.expected) ?? {
    tone: failedToAct ? 'caution' : 'good',
    verdict: failedToAct ? 'Verified: the transaction failed' : 'Verified',
  };
  return {
    ...compared,
    summary: summaryOf(facts),
    steps,
    groups: [...groupsOf(facts, options)],
    proven: provenOf(facts),
    notProven: notProvenOf(facts, options.expected),
  };
}

/** What the expected id changes in the verdict, if it is not simply the one of the proof. */
function compare(
  { transaction }: Facts,
  expected: Setting<Uint8Array>,
): Pick<Description, 'tone' | 'verdict'> | undefined {
  switch (expected.kind) {
    case 'none':
      return undefined;
    case 'problem':
      return { tone: 'caution', verdict: 'Verified, but not compared: the expected id can not be read' };
    case 'given':
      if (transaction === undefined) return { tone: 'bad', verdict: 'Verified, but not about a transaction' };
      if (isExpected(transaction.id, expected)) return undefined;
      return { tone: 'bad', verdict: 'Verified, but not the expected transaction' };
  }
}

function summaryOf({ chain, transaction, block, state, certified }: Facts): string {
  const on = `on chain ${visible(chain)}`;
  if (transaction !== undefined) {
    const { status, code } = transaction.receipt;
    const outcome = status === 'ok' ? 'it took effect' : `it failed (${visible(code)}) and changed nothing`;
    return `This transaction is final ${on}: ${outcome}.`;
  }
  if (state !== undefined) {
    const had = state.value === undefined ? 'had no row with this key' : 'had this row';
    return `At height ${certified.height} ${on}, table ${visible(state.table)} ${had}.`;
  }
  return `Block ${block?.height} ${on} is final: this is its header.`;
}

function provenOf({ signedBy, validators, certified }: Facts): string {
  const set = certified.epoch === 0 ? 'that the genesis file names' : 'that follow from the genesis file';
  return `What the proof says, as it stands above: ${signedBy.length} of the ${validators} validators ${set} signed a state of the chain that holds it, and no later block can change it.`;
}

function notProvenOf({ transaction, state, certified }: Facts, expected: Setting<Uint8Array>): string[] {
  const asked = transaction !== undefined ? 'the id' : state !== undefined ? 'table and key' : 'height and hash';
  const isEqual = transaction !== undefined && isExpected(transaction.id, expected);
  return [
    isEqual
      ? 'that the expected id is the right one: this page compared what you entered;'
      : `that this is the fact you were asked about: compare ${asked} with what you were given;`,
    'that the genesis file is the right one: compare its id with one from a source that you trust;',
    state === undefined
      ? 'what happened on the chain since.'
      : `what the table holds now: later blocks than ${certified.height} may have changed the row.`,
  ];
}

function isExpected(id: Uint8Array, expected: Setting<Uint8Array>): boolean {
  return expected.kind === 'given' && equalBytes(id, expected.value);
}

function* groupsOf(facts: Facts, { genesis, expected, nowMs }: DescribeOptions): Generator<Group> {
  const { chain, genesisId, certified, block, transaction, state } = facts;
  const names = accountNames(genesis);
  const problem = quorateApplication.versionProblem(genesis.parameters);
  const application = problem === undefined ? quorateApplication : undefined;

  yield { title: 'Which chain', rows: [words('Name', chain), code('Genesis id', toHex(genesisId))] };
  yield { title: 'Who signed', rows: signers(facts) };
  const rows: Row[] = [];
  if (block !== undefined) {
    rows.push(words('Block', String(block.height)), time('Block time', block.time));
  }
  rows.push(time(`Certified at height ${certified.height}`, certified.time));
  rows.push(words('Age of the certificate', ago(certified.time, nowMs)));
  yield { title: 'When', rows };

  if (transaction !== undefined) {
    const { id, sender, calls, receipt } = transaction;
    const outcome = receipt.status === 'ok' ? 'took effect' : `failed (${receipt.code}): it changed nothing`;
    const idRow = { ...code('Transaction id', toHex(id)), ...noteOnId(id, expected) };
    const rows = [idRow, words('Outcome', outcome), named(code('Sender', toHex(sender)), names)];
    yield { title: 'What', rows: [...rows, ...unknownTo(problem)] };
    for (const [index, call] of calls.entries()) {
      const title = calls.length === 1 ? 'Its call' : `Call ${index + 1} of ${calls.length}`;
      const action = words('Action', `${call.module}.${call.action}`);
      yield { title, rows: [action, ...decoded(application?.argsToJson(call), call.args, 'Arguments', names)] };
    }
  } else if (state !== undefined) {
    const rows = [words('Table', state.table), keyRow(state, application)];
    const exists = words('Row', state.value === undefined ? 'does not exist' : 'exists');
    yield { title: 'What', rows: [...rows.map((row) => named(row, names)), exists, ...unknownTo(problem)] };
    if (state.value !== undefined) {
      const value = application?.valueToJson(state.table, state.value);
      yield { title: 'The row', rows: decoded(value, state.value, 'Value', names) };
    }
  } else if (block !== undefined) {
    const { header } = block;
    yield {
      title: 'What',
      rows: [
        code('Block hash', toHex(block.hash)),
        code('Hash of the block below', toHex(header.parent)),
        words('Transactions', String(header.count)),
        code('Root of the transactions', toHex(header.transactionsRoot)),
        code('Root of the receipts', toHex(header.receiptsRoot)),
      ],
    };
  }
}

function noteOnId(id: Uint8Array, expected: Setting<Uint8Array>): { readonly note?: string } {
  if (expected.kind !== 'given') return {};
  return { note: isExpected(id, expected) ? 'equals the expected id' : `expected ${toHex(expected.value)}` };
}

function signers({ signedBy, validators, certified }: Facts): Row[] {
  const { epoch } = certified;
  const set =
    epoch === 0 ? 'that of the genesis file' : `that of epoch ${epoch}, handed over from set to set since genesis`;
  return [
    words('Validators', signedBy.join(', ')),
    words('How many', `${signedBy.length} of ${validators} signed, ${quorum(validators)} are needed`),
    words('Validator set', set),
  ];
}

/** Public keys of the genesis file in hex, with whose they are. */
function accountNames(genesis: Genesis): ReadonlyMap<string, string> {
  return new Map(
    genesis.accounts.map(({ key, name, organisation }) => [toHex(key), visible(`${name} of ${organisation}`)]),
  );
}

function named(row: Row, names: ReadonlyMap<string, string>): Row {
  const name = names.get(row.value);
  return name === undefined ? row : { ...row, note: `${name}, says the genesis file` };
}

function unknownTo(problem: string | undefined): Row[] {
  return problem === undefined ? [] : [words('Not decoded', problem)];
}

/** A table's key as people write it, else its bytes. */
function keyRow({ table, key }: NonNullable<Facts['state']>, application: Application | undefined): Row {
  const known = application?.table(table);
  const text = known && tableKeyToText(known, key);
  return text === undefined ? code('Key', toHex(key)) : shown('Key', text);
}

/** The fields of a decoded value, one row each; what can't be decoded as its bytes. */
function decoded(
  json: Decoded<Json> | undefined,
  bytes: Uint8Array,
  name: string,
  names: ReadonlyMap<string, string>,
): Row[] {
  if (json?.ok !== true) {
    const why = json === undefined ? undefined : `not decoded: ${visible(json.problem)}`;
    const row = code(`${name} (${counted(bytes.length, 'byte')})`, toHex(bytes));
    return [why === undefined ? row : { ...row, note: why }];
  }
  const { value } = json;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [shown(name, value)];
  return Object.entries(value).map(([field, one]) => named(shown(field, one), names));
}

function shown(name: string, json: Json): Row {
  if (typeof json === 'string') {
    if (/^0x([0-9a-f]{2})*$/.test(json)) return code(name, json);
    return json === '' ? words(name, '(empty)') : { name, value: visible(json, 'lines'), form: 'words' };
  }
  if (typeof json !== 'object' || json === null) return words(name, String(json));
  return code(name, visible(JSON.stringify(json, undefined, 2), 'lines'));
}

function time(name: string, ms: number): Row {
  const { utc, local } = moment(ms);
  return { ...words(name, utc), ...(local !== undefined && { note: `here: ${local}` }) };
}

function words(name: string, value: string): Row {
  return { name, value: visible(value), form: 'words' };
}

function code(name: string, value: string): Row {
  return { name, value, form: 'code' };
}
