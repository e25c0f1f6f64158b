import { type Command, Option } from 'commander';
import type { KeyOptions } from './keys.ts';
import type { Shared } from './members-commands.ts';

/** `quorate keys …`. */
export function addKeys(program: Command, { json, done }: Shared): void {
  const kinds = () =>
    new Option('--kind <kind>', 'what it signs').choices(['account', 'consensus', 'peer']).default('account');
  const keystore = () => new Option('--keystore <file>', "a keystore instead: an account's key under a passphrase");
  const group = program.command('keys').description('key files and keystores');
  group
    .command('new')
    .description('make a key file or a keystore (mode 0600)')
    .argument('[file]')
    .addOption(keystore())
    .addOption(kinds())
    .addOption(json())
    .action(async (file: string | undefined, options: KeyOptions) => {
      done(await (await import('./keys.ts')).newKey(file, options));
    });
  group
    .command('show')
    .description('print the public key of a key file or a keystore')
    .argument('[file]')
    .addOption(keystore())
    .option('--check', 'open the keystore, which takes its passphrase', false)
    .addOption(kinds())
    .addOption(json())
    .action(async (file: string | undefined, options: KeyOptions & { readonly check: boolean }) => {
      done(await (await import('./keys.ts')).showKey(file, options));
    });
}

/** `quorate genesis …`. */
export function addGenesis(program: Command, { json, integer, done }: Shared): void {
  const genesis = program.command('genesis').description('genesis files');
  genesis
    .command('join')
    .description('make the keys of one validator and the file to hand to whoever builds the genesis file')
    .requiredOption('--chain <name>', 'name of the chain')
    .requiredOption('--name <name>', 'name of the validator')
    .requiredOption('--organisation <name>', 'who runs it')
    .requiredOption('--admin <key...>', 'public keys of its administrators')
    .option('--threshold <n>', 'how many of them act together', integer, 1)
    .option('--role <role...>', 'what it may give to its accounts', [])
    .option('--address <multiaddr...>', 'where others may find it', [])
    .option('--keys <dir>', 'where the keys are or shall be', 'keys')
    .requiredOption('--out <file>', 'the file to hand over')
    .addOption(json())
    .action(async (options) => {
      const { joinGenesis } = await import('./genesis.ts');
      done(joinGenesis(options));
    });
  genesis
    .command('build')
    .description('put the files of all organisations together')
    .argument('<files...>', 'one for each validator, in the order of the set')
    .requiredOption('--chain <name>', 'name of the chain')
    .option('--account <account...>', 'name:organisation:0xkey:role,role', [])
    .option(
      '--recovery <percent>',
      'of the organisations that must sign a recovery after a lost quorum, at least 67; 0: none is ever possible',
      integer,
      0,
    )
    .requiredOption('--out <file>', 'the genesis file')
    .addOption(json())
    .action(async (files, options) => {
      const { buildGenesis } = await import('./genesis.ts');
      done(buildGenesis(files, options));
    });
  genesis
    .command('show')
    .description('check a genesis file and print what it says')
    .argument('<file>')
    .addOption(json())
    .action(async (file: string, options: { json: boolean }) => {
      const { showGenesis } = await import('./keys.ts');
      done(await showGenesis(file, options.json));
    });
}
