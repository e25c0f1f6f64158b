import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Shell } from './completion.ts';
import { EXIT, shownError } from './errors.ts';
import { addGenesis, addKeys } from './file-commands.ts';
import { addGov } from './gov-commands.ts';
import { DEFAULT_URL } from './http.ts';
import { addAccounts, addMembers, collect, type Shared, sendOptions } from './members-commands.ts';
import { tell } from './output.ts';
import { addQuery, addWatch } from './query-commands.ts';
import { addRecover } from './recover-commands.ts';
import { version } from './version.ts';

const DEFAULT_URLS: readonly string[] = [DEFAULT_URL];

/** Runs one command line; resolves to the exit code. Commands load what they need when they run. */
export async function main(argv: readonly string[]): Promise<number> {
  // Also where the command line is so wrong that nobody knows what it would mean.
  const asJson = argv.includes('--json');
  let exit: number = EXIT.ok;
  const program = createProgram((code) => {
    exit = code;
  }, asJson);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    return report(error, asJson);
  }
}

/** One line on stderr, or one JSON object; resolves to the exit code. */
function report(error: unknown, asJson: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // For people commander has said it already.
    if (asJson) tell(true, { code: 'USAGE', detail: error.message.replace(/^error: /, '') }, '');
    return EXIT.usage;
  }
  const { exit, ...shown } = shownError(error);
  const { code, detail } = shown;
  tell(asJson, shown, `quorate: ${detail}${code === undefined ? '' : ` [${code}]`}`);
  return exit;
}

/** All commands; `done` gets the exit code of the one that ran. */
export function createProgram(done: (exit: number) => void, asJson: boolean): Command {
  const program = new Command('quorate')
    .description('A permissioned ledger: validators, transactions and proofs')
    .version(version())
    .exitOverride()
    .enablePositionalOptions();
  if (asJson) program.configureOutput({ writeErr: () => {}, outputError: () => {} });
  const url = () =>
    new Option('--url <url>', 'API of a node; given again: of another, in case the first does not answer')
      .default(DEFAULT_URLS, DEFAULT_URL)
      .argParser((value, before: readonly string[]) => collect(value, before === DEFAULT_URLS ? [] : before));
  const urls = () => new Option('--url <url...>', 'API of one node or more').default([DEFAULT_URL]);
  const accepted = () =>
    new Option('--accept-recovery <hash...>', 'recoveries that you were told of by people, and accept');
  const genesis = () => new Option('--genesis <file>', 'genesis file').env('QUORATE_GENESIS').makeOptionMandatory();
  const json = () => new Option('--json', 'print JSON for scripts').default(false);

  program
    .command('dev')
    .description('start a network of validators on this machine')
    .option('--home <dir>', 'where its files are or shall be (default: a fresh temporary directory)')
    .option('--port <port>', 'API port of the first validator; 0 takes free ones', integer, 7_800)
    .option('--nodes <n>', 'how many validators', integer, 4)
    .option('--ready-file <file>', 'write a JSON object when ready')
    .addOption(json())
    .action(async ({ home, port, nodes, readyFile, json }) => {
      const { dev } = await import('./dev.ts');
      done(await dev({ home, port, nodes, readyFile, json }));
    });

  program
    .command('start')
    .description('run one node')
    .requiredOption('--config <file>', 'its node.toml')
    .option('--genesis <file>', 'genesis file')
    .option('--data <dir>', 'data directory')
    .option('--listen <multiaddr...>', 'where other validators reach it')
    .option('--bootstrap <multiaddr...>', 'a reachable validator')
    .option('--api-host <host>', 'address of the REST API')
    .option('--api-port <port>', 'port of the REST API', integer)
    .option('--api-origins <origin...>', 'origins whose web pages may use the REST API')
    .option('--metrics-host <host>', 'address at which metrics are served')
    .option('--metrics-port <port>', 'port at which metrics are served', integer)
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option('--verify-threads <n>', 'threads that verify client signatures', integer)
    .option('--archive', 'keep the state provable at every height from now on')
    .option('--observer', 'start also without a vote: follow, and vote as soon as the set names this node')
    .option('--recovery <file>', 'take a recovery after a lost quorum, with --accept-recovery')
    .option('--accept-recovery <hash...>', 'recoveries that this node follows: their hashes, as people told you')
    .option('--log-file <file>', 'instead of stderr')
    .option('--ready-file <file>', 'write a JSON object when ready')
    .addOption(new Option('--with-parent', 'stop when stdin ends').default(false).hideHelp())
    .action(async ({ config, readyFile, logFile, recovery, withParent, ...overrides }) => {
      const { start } = await import('./start.ts');
      done(await start({ config, overrides, readyFile, logFile, recovery, withParent }));
    });

  const shared: Shared = { url, json, integer, done };
  sendOptions(
    program
      .command('tx')
      .description('sign and send one transaction, e.g. tx records register --key k --digest 0x… --as writer')
      .argument('[module]')
      .argument('[action]')
      .argument('[arguments...]', '--argument value, as the action takes them')
      .allowUnknownOption()
      .option('--calls <file>', 'several calls, of which all happen or none: a JSON list of { module, action, args }')
      .requiredOption('--as <account>', 'development account, key file or keystore')
      .option('--memo <text>', 'up to 256 bytes', ''),
    shared,
  ).action(async (module, action, args, options) => {
    const { tx } = await import('./tx.ts');
    done(await tx(module, action, args, options));
  });

  program
    .command('import')
    .description('register every package of an NDJSON index as a record')
    .argument('<file>')
    .requiredOption('--as <account>', 'development account, key file or keystore')
    .option('--batch <n>', 'transactions in one request', integer, 250)
    .addOption(urls())
    .addOption(json())
    .action(async (file, { as, batch, url, json }) => {
      const { importPackages } = await import('./import.ts');
      done(await importPackages(file, { as, batch, urls: url, json }));
    });

  program
    .command('proof')
    .description('print the proof of a transaction')
    .argument('<id>')
    .option('--out <file>', 'instead of stdout')
    .addOption(url())
    .addOption(json())
    .action(async (id, options) => {
      const { proof } = await import('./proofs.ts');
      done(await proof(id, options));
    });

  program
    .command('verify')
    .description('check a proof with the genesis file alone, without any network')
    .argument('<file>')
    .addOption(genesis())
    .option('--max-age <ms>', 'how old the certificate may be', integer)
    .addOption(accepted())
    .addOption(json())
    .action(async (file, options) => {
      const { verify } = await import('./proofs.ts');
      done(await verify(file, options));
    });

  program
    .command('follow')
    .description('follow the chain from its genesis file to the newest certificate, comparing nodes')
    .addOption(genesis())
    .option('--max-age <ms>', 'how old the newest certificate may be', integer)
    .addOption(accepted())
    .option('--store <file>', 'keeps what was followed, for the next time')
    .option('--evidence <file>', 'where evidence of a fork is written', 'evidence.fork.json')
    .addOption(urls())
    .addOption(json())
    .action(async (options) => {
      const { follow } = await import('./follow.ts');
      done(await follow(options));
    });

  program
    .command('status')
    .description('how nodes are')
    .addOption(urls())
    .addOption(json())
    .action(async ({ url, json }) => {
      const { status } = await import('./status.ts');
      done(await status(url, json));
    });

  addAccounts(program, shared);
  addMembers(program, shared);
  addGov(program, shared);
  addRecover(program, { json, done });
  addQuery(program, shared);
  addWatch(program, shared);
  addKeys(program, shared);
  addGenesis(program, shared);
  program
    .command('completion')
    .description('print a script that completes command lines in a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: Shell) => {
      const { completion } = await import('./completion.ts');
      done(completion(program, shell));
    });
  return program;
}

function integer(text: string): number {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}
