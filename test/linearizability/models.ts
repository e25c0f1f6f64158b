import type { Model } from './history.ts';

/** A register: undefined is a value too, that of a row which does not exist. */
export type RegisterInput =
  | { readonly kind: 'write'; readonly value: string | undefined }
  | { readonly kind: 'read' }
  /** Writes `to` if the value is `from`. */
  | { readonly kind: 'cas'; readonly from: string | undefined; readonly to: string | undefined };

export type RegisterOutput =
  | { readonly kind: 'written' }
  /** The value was another one. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'value'; readonly value: string | undefined };

/** Undefined can't stand for both a value and an outcome that is not possible. */
export interface RegisterState {
  readonly value: string | undefined;
}

export const registerModel: Model<RegisterState, RegisterInput, RegisterOutput> = {
  step(state, input, output) {
    switch (input.kind) {
      case 'write':
        return output === undefined || output.kind === 'written' ? { value: input.value } : undefined;
      case 'read':
        return output === undefined || (output.kind === 'value' && output.value === state.value) ? state : undefined;
      case 'cas': {
        const kind = state.value === input.from ? 'written' : 'refused';
        if (output !== undefined && output.kind !== kind) return undefined;
        return kind === 'written' ? { value: input.to } : state;
      }
    }
  },
  isRead: (input, output) => input.kind === 'read' || output?.kind === 'refused',
  identify: ({ value }) => (value === undefined ? 'none' : `value ${value}`),
  describe(input, output) {
    const result = output === undefined ? 'unknown' : output.kind === 'value' ? shown(output.value) : output.kind;
    if (input.kind === 'read') return `read gives ${result}`;
    if (input.kind === 'write') return `write ${shown(input.value)} gives ${result}`;
    return `cas from ${shown(input.from)} to ${shown(input.to)} gives ${result}`;
  },
};

function shown(value: string | undefined): string {
  return value ?? 'none';
}

/** One asset: transfers between its holders, and reads of one balance or of all at one moment. */
export type BankInput =
  | { readonly kind: 'transfer'; readonly from: string; readonly to: string; readonly amount: number }
  | { readonly kind: 'balance'; readonly account: string }
  | { readonly kind: 'snapshot' };

export type BankOutput =
  | { readonly kind: 'transferred' }
  | { readonly kind: 'insufficient' }
  | { readonly kind: 'balance'; readonly amount: number }
  | { readonly kind: 'snapshot'; readonly balances: Balances };

/** An account that has nothing is not in it. */
export type Balances = Readonly<Record<string, number>>;

export const bankModel: Model<Balances, BankInput, BankOutput> = {
  step(state, input, output) {
    switch (input.kind) {
      case 'transfer': {
        const kind = balance(state, input.from) >= input.amount ? 'transferred' : 'insufficient';
        if (output !== undefined && output.kind !== kind) return undefined;
        return kind === 'transferred' ? moved(state, input) : state;
      }
      case 'balance': {
        const fits = output?.kind === 'balance' && output.amount === balance(state, input.account);
        return output === undefined || fits ? state : undefined;
      }
      case 'snapshot': {
        const fits = output?.kind === 'snapshot' && identifyBalances(output.balances) === identifyBalances(state);
        return output === undefined || fits ? state : undefined;
      }
    }
  },
  isRead: (input, output) => input.kind !== 'transfer' || output?.kind === 'insufficient',
  identify: identifyBalances,
  describe(input, output) {
    if (input.kind === 'transfer')
      return `transfer ${input.amount} from ${input.from} to ${input.to} gives ${output?.kind ?? 'unknown'}`;
    const what = input.kind === 'balance' ? `balance of ${input.account}` : 'all balances';
    if (output?.kind === 'balance') return `${what} is ${output.amount}`;
    return `${what}: ${output?.kind === 'snapshot' ? identifyBalances(output.balances) : 'unknown'}`;
  },
};

/** How much there is of the asset. */
export function totalOf(balances: Balances): number {
  return Object.values(balances).reduce((sum, amount) => sum + amount, 0);
}

function balance(state: Balances, account: string): number {
  return state[account] ?? 0;
}

function moved(state: Balances, { from, to, amount }: Extract<BankInput, { kind: 'transfer' }>): Balances {
  const taken = { ...state, [from]: balance(state, from) - amount };
  return { ...taken, [to]: balance(taken, to) + amount };
}

function identifyBalances(balances: Balances): string {
  const held = Object.entries(balances).filter(([, amount]) => amount !== 0);
  return held
    .map(([account, amount]) => `${account}=${amount}`)
    .sort()
    .join(' ');
}

/** Any object of the ledger. */
export type LedgerInput = RegisterInput | BankInput;
export type LedgerOutput = RegisterOutput | BankOutput;
export type LedgerObject =
  | { readonly kind: 'register'; readonly state: RegisterState }
  | { readonly kind: 'bank'; readonly state: Balances };

export const ledgerModel: Model<LedgerObject, LedgerInput, LedgerOutput> = {
  step(object, input, output) {
    if (object.kind === 'register') {
      const state = registerModel.step(object.state, input as RegisterInput, output as RegisterOutput | undefined);
      return state && { kind: 'register', state };
    }
    const state = bankModel.step(object.state, input as BankInput, output as BankOutput | undefined);
    return state && { kind: 'bank', state };
  },
  isRead: (input, output) =>
    isRegister(input)
      ? registerModel.isRead(input, output as RegisterOutput | undefined)
      : bankModel.isRead(input, output as BankOutput | undefined),
  identify: ({ kind, state }) => (kind === 'register' ? registerModel.identify(state) : bankModel.identify(state)),
  describe: (input, output) =>
    isRegister(input)
      ? registerModel.describe(input, output as RegisterOutput | undefined)
      : bankModel.describe(input, output as BankOutput | undefined),
};

function isRegister(input: LedgerInput): input is RegisterInput {
  return input.kind === 'write' || input.kind === 'read' || input.kind === 'cas';
}
