import type { Context } from '../application.ts';
import { decode, type Json } from '../codec.ts';
import type { StateReader } from '../overlay.ts';
import { type Parameters, parametersCodec } from '../parameters.ts';
import type { Table, TableKey } from '../table.ts';
import { faultsTolerated, quorum, type ValidatorSet } from '../validators.ts';
import { accountLimits, limitsCodec } from './account-limits.ts';
import { currentEpoch } from './epoch.ts';
import type { ChangeOf, GovernanceChange } from './governance-change.ts';
import { afterChange, nextParametersProblem, prepareChange } from './governance-effect.ts';

/** What a change would do to a set. */
export interface Sizes {
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
}

export interface ChangeDescription {
  readonly before: Sizes;
  readonly after: Sizes;
  readonly parameters: readonly { readonly name: string; readonly old: Json; readonly new: Json }[];
  /** Of the role that the change is about; null: no row says anything of it. */
  readonly limits: { readonly role: string; readonly old: Json; readonly new: Json } | undefined;
  /** The code with which it would fail now, or undefined. */
  readonly problem: string | undefined;
  /** More about it, where there is more to say. */
  readonly detail: string | undefined;
}

/**
 * What a change of governance would do if it were decided in a block of this height and time over `state`: for those who are
 * to approve it. `organisation` is whose administrator asks.
 */
export function describeChange(
  state: StateReader,
  change: GovernanceChange,
  block: Pick<Context, 'height' | 'time' | 'genesisId' | 'organisation'>,
): ChangeDescription {
  const reading = { ...block, ...readerOf(state) };
  const epoch = currentEpoch(reading);
  const next = afterChange(epoch, change);
  const detail = change.kind === 'parameters' ? nextParametersProblem(epoch, change.value) : undefined;
  return {
    before: sizesOf(epoch.validators),
    after: sizesOf(next.validators),
    parameters: changedParameters(epoch.parameters, next.parameters),
    limits: change.kind === 'limits' ? changedLimits(reading, change.value) : undefined,
    problem: problemOf(() => prepareChange(reading, change)),
    detail,
  };
}

function sizesOf({ length: n }: ValidatorSet): Sizes {
  return { n, f: faultsTolerated(n), quorum: quorum(n) };
}

function changedParameters(old: Parameters, next: Parameters): ChangeDescription['parameters'] {
  const [before, after] = [old, next].map((one) => parametersCodec.toJson(one) as Record<string, Json>) as [
    Record<string, Json>,
    Record<string, Json>,
  ];
  return Object.keys(before)
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ name, old: before[name]!, new: after[name]! }));
}

function changedLimits(
  { get }: Pick<Context, 'get'>,
  { role, limits }: ChangeOf<'limits'>,
): NonNullable<ChangeDescription['limits']> {
  const old = get(accountLimits, [role]);
  return {
    role,
    old: old === undefined ? null : limitsCodec.toJson(old),
    new: limits.kind === 'none' ? null : limitsCodec.toJson(limits.value),
  };
}

class Refused {
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }
}

function problemOf(prepare: () => unknown): string | undefined {
  try {
    prepare();
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return error.code;
    throw error;
  }
}

function readerOf(state: StateReader): Pick<Context, 'get' | 'has' | 'fail'> {
  const row = <K extends TableKey, V>(table: Table<K, V>, key: K) => state.get(table.name, table.encodeKey(key));
  return {
    get(table, key) {
      const value = row(table, key);
      return value === undefined ? undefined : decode(table.value, value);
    },
    has: (table, key) => row(table, key) !== undefined,
    fail(code) {
      throw new Refused(code);
    },
  };
}
