import { defineModule } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import { bytes32, struct, text, u64 } from '../codec.ts';
import { defineTable, textPart } from '../table.ts';

const KEY_BYTES_MAX = 200;
const key = text(KEY_BYTES_MAX, 1);
/** Free text or JSON about the document. */
const note = text(512);

/** Key to the document registered under it. */
export const entries = defineTable(
  'records.entries',
  [textPart(KEY_BYTES_MAX)],
  struct({
    digest: bytes32,
    /** Account that registered it. */
    owner: bytes32,
    /** Block time in ms. */
    registered: u64,
    note,
    /** Block time in ms when the owner revoked it; 0 if it stands. */
    revoked: u64,
  }),
);

/** The notary: a document's digest under a key, once and for ever, with who and when. */
export const records = defineModule({
  name: 'records',
  tables: [entries],
  events: {
    registered: struct({ key, digest: bytes32, owner: bytes32 }),
    revoked: struct({ key, owner: bytes32 }),
  },
  actions: {
    register: {
      roles: ['writer'],
      args: struct({ key, digest: bytes32, note }),
      run(ctx, args) {
        // Also a revoked entry keeps its key: what was once said under it stays said.
        if (ctx.has(entries, [args.key])) return ctx.fail('already-registered');
        const { digest, note } = args;
        ctx.set(entries, [args.key], { digest, owner: ctx.sender, registered: ctx.time, note, revoked: 0 });
        ctx.emit('registered', { key: args.key, digest, owner: ctx.sender });
      },
    },
    revoke: {
      roles: [],
      args: struct({ key }),
      run(ctx, args) {
        const entry = ctx.get(entries, [args.key]);
        if (entry === undefined) return ctx.fail('unknown-record');
        if (!equalBytes(entry.owner, ctx.sender)) return ctx.fail('not-owner');
        if (entry.revoked !== 0) return ctx.fail('already-revoked');
        ctx.set(entries, [args.key], { ...entry, revoked: ctx.time });
        ctx.emit('revoked', { key: args.key, owner: ctx.sender });
      },
    },
  },
});
