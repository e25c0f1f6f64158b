import { defineModule } from '../application.ts';
import { parametersCodec } from '../parameters.ts';
import { defineTable, textPart } from '../table.ts';
import { validatorSetCodec } from '../validators.ts';

/** The one key of each governance table. */
export const CURRENT = 'current';

/** Parameters of the epoch, under the key `current`. */
export const parametersTable = defineTable('governance.parameters', [textPart(CURRENT.length)], parametersCodec);
/** Validators of the epoch in their order, under the key `current`. */
export const validatorsTable = defineTable('governance.validators', [textPart(CURRENT.length)], validatorSetCodec);

/** What the epoch is made of, as provable state. */
export const governance = defineModule({
  name: 'governance',
  tables: [parametersTable, validatorsTable],
  events: {},
  actions: {},
});
