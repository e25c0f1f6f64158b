import type { Context } from '../application.ts';
import { utf8Encode } from '../bytes.ts';
import { type CodecType, decode, struct, u64 } from '../codec.ts';
import type { StateReader } from '../overlay.ts';
import { type Parameters, parametersCodec } from '../parameters.ts';
import { defineTable, textPart } from '../table.ts';
import { type ValidatorSet, validatorSetCodec } from '../validators.ts';
import { CURRENT } from './rows.ts';

/** What an epoch is made of (E1), as provable state. Written by genesis and by `governance`. */

/** The keys of each table: the epoch of the next block, and the one before it (R8), which epoch 0 has not. */
export const PREVIOUS = 'previous';
const key = [textPart(PREVIOUS.length)] as const;

export const epochCodec = struct({
  number: u64,
  /** The epoch's first block. */
  firstHeight: u64,
  /** E8: the longest lifetime that was in force within the last one of them, in ms. */
  idHorizonMs: u64,
  /** Block time up to which it counts. */
  idHorizonUntil: u64,
  /** C4: the longest that was ever in force. */
  idHorizonMaxMs: u64,
});
export type EpochRow = CodecType<typeof epochCodec>;

export const epochTable = defineTable('governance.epoch', key, epochCodec);
export const parametersTable = defineTable('governance.parameters', key, parametersCodec);
/** In their order. */
export const validatorsTable = defineTable('governance.validators', key, validatorSetCodec);

export interface Epoch extends EpochRow {
  readonly validators: ValidatorSet;
  readonly parameters: Parameters;
}

/** The epoch of a chain's first blocks. */
export function firstEpoch({ maxLifetimeMs }: Parameters): EpochRow {
  return { number: 0, firstHeight: 1, idHorizonMs: 0, idHorizonUntil: 0, idHorizonMaxMs: maxLifetimeMs };
}

/** E8: how long executed ids are remembered at a block time, in ms. */
export function idHorizonAt(epoch: Pick<Epoch, 'idHorizonMs' | 'idHorizonUntil' | 'parameters'>, time: number): number {
  const { maxLifetimeMs } = epoch.parameters;
  return time <= epoch.idHorizonUntil ? Math.max(maxLifetimeMs, epoch.idHorizonMs) : maxLifetimeMs;
}

/**
 * E8: the row of the epoch after `epoch`, which a block of this height and time ends by giving these parameters. A longer
 * lifetime counts at once; after a shorter one the longer stays for as long as it was.
 */
export function nextEpoch(epoch: Epoch, next: Parameters, height: number, time: number): EpochRow {
  const held = idHorizonAt(epoch, time);
  const shorter = next.maxLifetimeMs < held;
  return {
    number: epoch.number + 1,
    firstHeight: height + 1,
    idHorizonMs: shorter ? held : 0,
    idHorizonUntil: shorter ? Math.max(epoch.idHorizonUntil, time + epoch.parameters.maxLifetimeMs) : 0,
    idHorizonMaxMs: Math.max(epoch.idHorizonMaxMs, next.maxLifetimeMs),
  };
}

/** The epoch that the rows are of; another one once a transaction of the block has ended it. */
export function currentEpoch(ctx: Pick<Context, 'get'>): Epoch {
  const at = [CURRENT] as const;
  const [validators, parameters] = [ctx.get(validatorsTable, at)!, ctx.get(parametersTable, at)!];
  return { ...ctx.get(epochTable, at)!, validators, parameters };
}

/** E2: the block that executes is the last one of its epoch. Only one thing can be the reason. */
export function endEpoch(
  ctx: Pick<Context, 'get' | 'set' | 'fail' | 'height' | 'time'>,
  next: Pick<Epoch, 'validators' | 'parameters'>,
): void {
  const { validators, parameters, ...row } = currentEpoch(ctx);
  if (row.firstHeight > ctx.height) return ctx.fail('epoch-ends');
  ctx.set(epochTable, [PREVIOUS], row);
  ctx.set(validatorsTable, [PREVIOUS], validators);
  ctx.set(parametersTable, [PREVIOUS], parameters);
  const epoch = { ...row, validators, parameters };
  ctx.set(epochTable, [CURRENT], nextEpoch(epoch, next.parameters, ctx.height, ctx.time));
  ctx.set(validatorsTable, [CURRENT], next.validators);
  ctx.set(parametersTable, [CURRENT], next.parameters);
}

/** The epoch of the block that comes after `state`, or the one before that. */
export function readEpoch(state: StateReader, which: typeof CURRENT | typeof PREVIOUS): Epoch | undefined {
  const at = utf8Encode(which);
  const row = state.get(epochTable.name, at);
  const validators = state.get(validatorsTable.name, at);
  const parameters = state.get(parametersTable.name, at);
  if (row === undefined || validators === undefined || parameters === undefined) return undefined;
  return {
    ...decode(epochCodec, row),
    validators: decode(validatorSetCodec, validators),
    parameters: decode(parametersCodec, parameters),
  };
}
