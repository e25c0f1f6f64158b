import { parseArgs } from 'node:util';
import { enumerateTwins } from './twins.ts';

const USAGE = 'usage: npm run sim:twins -- [--rounds 6] [--states 20000]';
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '6' }, states: { type: 'string', default: '20000' } },
});
const [rounds, states] = [Number(values.rounds), Number(values.states)];
if (![rounds, states].every((number) => Number.isSafeInteger(number) && number > 0)) {
  console.error(USAGE);
  process.exit(2);
}
const { violations, ...summary } = enumerateTwins(rounds, states, console.error);
for (const violation of violations) console.log(`VIOLATION ${violation}`);
console.log(JSON.stringify({ rounds, ...summary, violations: violations.length }));
process.exitCode = violations.length > 0 ? 1 : 0;
