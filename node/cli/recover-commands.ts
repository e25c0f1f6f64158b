import { type Command, Option } from 'commander';
import type { Shared } from './members-commands.ts';
import type { PrepareOptions, SignOptions } from './recover.ts';

/** `quorate recover …`. */
export function addRecover(program: Command, { json, done }: Pick<Shared, 'json' | 'done'>): void {
  const group = program
    .command('recover')
    .description('go on after a lost quorum: more validators are gone for good than the chain can lose');
  const genesis = () => new Option('--genesis <file>', 'genesis file').env('QUORATE_GENESIS').makeOptionMandatory();
  const url = () => new Option('--url <url...>', 'nodes that still answer, to check the last certified block');
  group
    .command('prepare')
    .description('on the machine of a stopped node: write what the administrators are to sign')
    .requiredOption('--config <file>', 'the node.toml of the node')
    .option('--remove <name...>', 'validators that are gone', [])
    .option(
      '--add <validator...>',
      'name:organisation:0xconsensus-key:0xpeer-key; a name that stays gets these keys',
      [],
    )
    .requiredOption('--reason <text>', 'why, for everybody who ever verifies this chain')
    .option('--out <file>', 'where it is written', 'recovery.json')
    .addOption(json())
    .action(async (options: PrepareOptions) => {
      done(await (await import('./recover.ts')).prepare(options));
    });
  group
    .command('sign')
    .description('add the signature of an administrator')
    .argument('<file>')
    .addOption(genesis())
    .addOption(url())
    .requiredOption('--as <key>', 'key file of an administrator, or admin:organisation of a development network')
    .addOption(json())
    .action(async (file: string, options: SignOptions) => {
      done(await (await import('./recover.ts')).sign(file, options));
    });
  group
    .command('show')
    .description('what it does, who has signed, and the hash by which it is accepted')
    .argument('<file>')
    .addOption(genesis())
    .addOption(url())
    .addOption(json())
    .action(async (file: string, options: Omit<SignOptions, 'as'>) => {
      done(await (await import('./recover.ts')).show(file, options));
    });
}
