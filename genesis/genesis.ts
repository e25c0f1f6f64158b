import { utf8Length } from '../ledger/bytes.ts';
import { type Json, tryFromJson } from '../ledger/codec.ts';
import type { Parameters } from '../ledger/parameters.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import type { ValidatorSet } from '../ledger/validators.ts';
import { GENESIS_BYTES_MAX, type GenesisFile, genesisCodec, genesisId, printGenesis } from './file.ts';
import { genesisWarnings, type RuleProblem, rulesProblem } from './rules.ts';

/** A chain's beginning, read and checked. */
export interface Genesis {
  /** 32 bytes; names the chain. */
  readonly id: Uint8Array;
  /** The file as it is. */
  readonly text: string;
  readonly chain: string;
  /** Block time of block 0 in ms. */
  readonly time: number;
  readonly organisations: GenesisFile['organisations'];
  /** The set of epoch 0, in order. */
  readonly validators: ValidatorSet;
  /** Multiaddresses of each validator, by index: hints. */
  readonly addresses: readonly (readonly string[])[];
  readonly accounts: GenesisFile['accounts'];
  readonly parameters: Parameters;
  /** R10: how many of 100 organisations must sign a recovery; 0: none is possible. */
  readonly recovery: number;
  /** What is allowed but should be shown to whoever starts the chain. */
  readonly warnings: readonly string[];
}

export type ReadGenesis =
  | { readonly ok: true; readonly genesis: Genesis }
  | { readonly ok: false; readonly code: GenesisCode; readonly problem: string };

export type GenesisCode = 'too-large' | 'not-json' | 'bad-form' | 'not-canonical' | RuleProblem['code'];

/** The file's own depth is 4; deeper JSON is refused before anything walks it. */
const DEPTH_MAX = 8;

/** Reads a genesis file, refusing with the exact reason whatever is not right. `verify` is the rule S5. */
export function readGenesis(text: string, verify: VerifySignature): ReadGenesis {
  const json = parse(text);
  if (!json.ok) return json;
  const read = tryFromJson(asGenesis, json.value);
  if (!read.ok) return refused('bad-form', read.problem);
  const file = read.value;
  const printed = printGenesis(file);
  if (text !== printed) return refused('not-canonical', firstDifference(printed, text));
  const problem = rulesProblem(file, verify);
  if (problem !== undefined) return { ok: false, ...problem };
  return {
    ok: true,
    genesis: {
      id: genesisId(text),
      text,
      chain: file.chain,
      time: file.time,
      organisations: file.organisations,
      validators: file.validators.map(({ name, organisation, key, peerKey }) => ({ name, organisation, key, peerKey })),
      addresses: file.validators.map(({ addresses }) => addresses),
      accounts: file.accounts,
      parameters: file.parameters,
      recovery: file.recovery,
      warnings: genesisWarnings(file),
    },
  };
}

/** As the codec, with paths that begin with `genesis`. */
const asGenesis: typeof genesisCodec = { ...genesisCodec, fromJson: (json) => genesisCodec.fromJson(json, 'genesis') };

function parse(text: string): { readonly ok: true; readonly value: Json } | Extract<ReadGenesis, { ok: false }> {
  if (!text.isWellFormed()) return refused('not-json', 'the text has a lone surrogate');
  if (text.length > GENESIS_BYTES_MAX || utf8Length(text) > GENESIS_BYTES_MAX) {
    return refused('too-large', `expected at most ${GENESIS_BYTES_MAX} bytes`);
  }
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return refused('not-json', error instanceof Error ? error.message : String(error));
  }
  return isDeeper(value, DEPTH_MAX)
    ? refused('bad-form', `genesis: nested deeper than ${DEPTH_MAX} levels`)
    : { ok: true, value };
}

function isDeeper(json: Json, levels: number): boolean {
  if (typeof json !== 'object' || json === null) return false;
  return levels === 0 || Object.values(json).some((value) => isDeeper(value, levels - 1));
}

/** Catches what JSON.parse forgives: other order, duplicate keys, other numbers, escapes or white space. */
function firstDifference(canonical: string, text: string): string {
  const expected = canonical.split('\n');
  const found = text.split('\n');
  const line = expected.findIndex((one, index) => one !== found[index]);
  const at = line === -1 ? expected.length : line;
  const shown = (one: string | undefined) => (one === undefined ? 'the end' : shorten(JSON.stringify(one)));
  return `differs from its canonical form at line ${at + 1}: expected ${shown(expected[at])}, found ${shown(found[at])}`;
}

function shorten(text: string): string {
  return text.length > 320 ? `${text.slice(0, 317)}...` : text;
}

function refused(code: GenesisCode, problem: string): Extract<ReadGenesis, { ok: false }> {
  return { ok: false, code, problem };
}
