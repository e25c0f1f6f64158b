import { type Context, defineModule, type EventCodecs } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import { amount, bytes32, checked, struct, text } from '../codec.ts';
import { NAME_BYTES_MAX } from '../limits.ts';
import { bytesPart, defineTable, textPart } from '../table.ts';
import { accountOf } from './accounts.ts';

const SUPPLY_MAX = (1n << 128n) - 1n;

/** Asset names have one spelling and fit into a URL. */
const assetName = checked(text(NAME_BYTES_MAX, 1), (name) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)
    ? undefined
    : `expected letters, digits, '.', '_' or '-', beginning with a letter or digit, got ${JSON.stringify(name)}`,
);

/** Asset name to who may issue it and how much exists. */
export const definitions = defineTable(
  'assets.definitions',
  [textPart(NAME_BYTES_MAX)],
  struct({ owner: bytes32, supply: amount }),
);
/** Account and asset to balance. No row: nothing. */
export const balances = defineTable('assets.balances', [bytesPart(32), textPart(NAME_BYTES_MAX)], struct({ amount }));

/** Assets that accounts issue, hold and transfer. The sum of an asset's balances is always its supply. */
export const assets = defineModule({
  name: 'assets',
  tables: [definitions, balances],
  events: {
    issued: struct({ asset: assetName, by: bytes32, to: bytes32, amount }),
    transferred: struct({ asset: assetName, from: bytes32, to: bytes32, amount }),
  },
  actions: {
    /** The first issue of a name makes its sender the owner; only the owner issues more. */
    issue: {
      roles: ['issuer'],
      args: struct({ asset: assetName, to: bytes32, amount }),
      run(ctx, args) {
        if (args.amount === 0n) return ctx.fail('zero-amount');
        const { owner, supply } = ctx.get(definitions, [args.asset]) ?? { owner: ctx.sender, supply: 0n };
        if (!equalBytes(owner, ctx.sender)) return ctx.fail('not-owner');
        if (supply + args.amount > SUPPLY_MAX) return ctx.fail('overflow');
        ctx.set(definitions, [args.asset], { owner, supply: supply + args.amount });
        const to = credit(ctx, args.to, args.asset, args.amount);
        ctx.emit('issued', { asset: args.asset, by: ctx.sender, to, amount: args.amount });
      },
    },
    transfer: {
      roles: [],
      args: struct({ asset: assetName, to: bytes32, amount }),
      run(ctx, args) {
        if (args.amount === 0n) return ctx.fail('zero-amount');
        const held = ctx.get(balances, [ctx.sender, args.asset])?.amount ?? 0n;
        if (held < args.amount) return ctx.fail('insufficient-balance');
        // Taken before it is given: a transfer to oneself then changes nothing.
        if (held === args.amount) ctx.delete(balances, [ctx.sender, args.asset]);
        else ctx.set(balances, [ctx.sender, args.asset], { amount: held - args.amount });
        const to = credit(ctx, args.to, args.asset, args.amount);
        ctx.emit('transferred', { asset: args.asset, from: ctx.sender, to, amount: args.amount });
      },
    },
  },
});

/** To the account that `to` is a key of, now or before: its id. No balance exceeds the supply, so the sum needs no check. */
function credit<E extends EventCodecs>(ctx: Context<E>, to: Uint8Array, asset: string, more: bigint): Uint8Array {
  const account = accountOf(ctx, to)?.account;
  if (account?.active !== true) return ctx.fail('unknown-recipient');
  const held = ctx.get(balances, [account.id, asset])?.amount ?? 0n;
  ctx.set(balances, [account.id, asset], { amount: held + more });
  return account.id;
}
