import { type Command, Option } from 'commander';
import type { EventOptions } from './events.ts';
import type { LedgerOptions } from './ledger.ts';
import { collect, proving, type Shared } from './members-commands.ts';

type Given = LedgerOptions & {
  readonly json: boolean;
  readonly proof: boolean;
  readonly out?: string;
  readonly prefix: string;
  readonly limit: number;
};

/** `quorate query …`. */
export function addQuery(program: Command, shared: Shared): void {
  const { url, json, integer, done } = shared;
  const group = program.command('query').description('read one thing of a node');
  const command = (name: string, description: string): Command =>
    group.command(name).description(description).addOption(url()).addOption(json());

  proving(group.command('state').description('a row of the state, or that there is none'), shared)
    .argument('<table>', 'like records.entries')
    .argument('<key>', 'its parts joined with :')
    .option('--proof', 'verify it, and say who has certified it', false)
    .option('--out <file>', 'verify it, and keep the proof for quorate verify')
    .action(async (table: string, key: string, given: Given) => {
      done(await (await import('./query.ts')).queryState(table, key, given));
    });
  command('rows', 'rows of a table')
    .argument('<table>', 'like assets.balances')
    .option('--prefix <key>', 'only keys that begin so', '')
    .option('--limit <n>', 'how many at most', integer, 100)
    .action(async (table: string, given: Given) => {
      done(await (await import('./query.ts')).queryRows(table, given));
    });
  command('tx', 'a transaction and what became of it')
    .argument('<id>')
    .action(async (id: string, given: Given) => {
      done(await (await import('./query.ts')).queryTransaction(id, given));
    });
  command('block', 'a block and its transactions')
    .argument('<at>', 'its height or hash, latest or final')
    .action(async (at: string, given: Given) => {
      done(await (await import('./query.ts')).queryBlock(at, given));
    });
  command('blocks', 'the newest blocks')
    .option('--limit <n>', 'how many', integer, 20)
    .action(async (given: Given) => {
      done(await (await import('./query.ts')).queryBlocks(given));
    });
  command('checkpoint', 'the certificate of a block')
    .argument('<height>', 'or latest')
    .action(async (height: string, given: Given) => {
      done(await (await import('./query.ts')).queryCheckpoint(height, given));
    });
}

/** `quorate watch …` and `quorate events …`. */
export function addWatch(program: Command, shared: Shared): void {
  const { integer, done } = shared;
  const count = () => new Option('--count <n>', 'end after so many; else until Ctrl-C').argParser(integer);
  proving(
    program
      .command('watch')
      .description('follow a transaction to its end, which is proven; or each block that becomes final'),
    shared,
  )
    .argument('[id]', 'of the transaction')
    .addOption(count())
    .action(async (id: string | undefined, given: Given & EventOptions) => {
      if (id === undefined) return done(await (await import('./events.ts')).watchBlocks(given));
      return done(await (await import('./watch.ts')).watchTransaction(id, given));
    });
  proving(program.command('events').description('print what becomes final, an event a line'), shared)
    .addOption(
      new Option('--topic <topic>', 'block, transaction, event:assets, account:0x…; given again: more').argParser(
        collect,
      ),
    )
    .option('--after <id>', 'begin behind this event, which was the last that you saw')
    .option('--from <height>', 'begin at this block', integer)
    .addOption(count())
    .action(async (given: EventOptions) => {
      done(await (await import('./events.ts')).printEvents(given));
    });
}
