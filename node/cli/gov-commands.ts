import { type Command, Option } from 'commander';
import type { Json } from '../../ledger/codec.ts';
import { CliError, EXIT } from './errors.ts';
import type { GovOptions, ProposeOptions } from './gov.ts';
import type { AskedChange } from './gov-changes.ts';
import { type Shared, sending } from './members-commands.ts';

type Given = ProposeOptions & {
  readonly set?: readonly string[];
  readonly remove?: readonly string[];
  readonly shrinksTo?: number;
  readonly nextKey?: string;
  readonly peerKey?: string;
  readonly organisation?: string;
  readonly admin?: readonly string[];
  readonly threshold?: number;
  readonly role?: readonly string[];
  readonly pending?: number;
  readonly perSecond?: number;
  readonly burst?: number;
  readonly none?: true;
};

interface ProposeCommand {
  readonly name: string;
  readonly description: string;
  readonly args: readonly string[];
  readonly options: readonly Option[];
  asked(args: readonly (string | readonly string[])[], given: Given): AskedChange;
}

/** `quorate gov …`. */
export function addGov(program: Command, shared: Shared): void {
  const { url, json, integer, done } = shared;
  const group = program
    .command('gov')
    .description('what the organisations decide together: validators, parameters, organisations');
  const propose = group.command('propose').description('propose a change and approve it');
  for (const { name, description, args, options, asked } of proposeCommands(integer)) {
    const command = sending(propose.command(name).description(description), shared);
    for (const arg of args) command.argument(arg);
    for (const option of options) command.addOption(option);
    command.addOption(new Option('--days <n>', 'how long it may be approved, up to 30').argParser(integer).default(7));
    command.addOption(new Option('--dry-run', 'say what it would do, and send nothing').default(false));
    command.action(async (...all: unknown[]) => {
      const given = all[args.length] as Given;
      const change = asked(all.slice(0, args.length) as (string | string[])[], given);
      done(await (await import('./gov.ts')).propose(change, given));
    });
  }
  sending(group.command('approve').description('approve a proposal as it is'), shared)
    .argument('<proposal>', 'its id')
    .action(async (id: string, given: GovOptions) => {
      done(await (await import('./gov.ts')).approve(id, given));
    });
  sending(group.command('retract').description('take an own approval back'), shared)
    .argument('<proposal>', 'its id')
    .action(async (id: string, given: GovOptions) => {
      done(await (await import('./gov.ts')).retract(id, given));
    });
  sending(
    group.command('activate').description('let passed additions take effect, now that their nodes are ready'),
    shared,
  )
    .argument('<proposal>', 'its id')
    .requiredOption('--candidate <url...>', 'API of the node of each candidate')
    .action(async (id: string, given: GovOptions & { readonly candidate: readonly string[] }) => {
      done(await (await import('./gov.ts')).activate(id, given.candidate, given));
    });
  group
    .command('list')
    .description('what waits for approvals or for its candidates')
    .addOption(url())
    .addOption(json())
    .action(async (given: GovOptions) => {
      done(await (await import('./gov-show.ts')).listProposals(given.url, given.json));
    });
  group
    .command('show')
    .description('a proposal, who approved it, and what it would do now')
    .argument('<proposal>', 'its id')
    .addOption(url())
    .addOption(json())
    .action(async (id: string, given: GovOptions) => {
      done(await (await import('./gov-show.ts')).showProposal(id, given.url, given.json));
    });
  group
    .command('history')
    .description('all that was decided, and who approved it')
    .addOption(url())
    .addOption(json())
    .action(async (given: GovOptions) => {
      done(await (await import('./gov-show.ts')).showHistory(given.url, given.json));
    });
}

function proposeCommands(integer: (text: string) => number): readonly ProposeCommand[] {
  const organisation = () => new Option('--organisation <name>', 'who runs it').makeOptionMandatory();
  const shrinksTo = () =>
    new Option('--shrinks-to <n>', 'how many validators are left, if fewer than 4 or if fewer faults are tolerated')
      .argParser(integer)
      .default(0);
  const count = (flags: string, description: string) => new Option(flags, description).argParser(integer);
  return [
    {
      name: 'parameters',
      description: 'other values of parameters, or other versions',
      args: [],
      options: [new Option('--set <name=value...>', 'what shall be another value').makeOptionMandatory()],
      asked: (_, { set }) => ({ kind: 'parameters', set: set! }),
    },
    {
      name: 'add',
      description: 'more validators',
      args: ['<validator...>'],
      options: [new Option('--remove <name...>', 'who leaves in the same change').default([]), shrinksTo()],
      asked: ([add], { remove, shrinksTo }) => ({
        kind: 'validators',
        add: add as readonly string[],
        remove: remove!,
        shrinksTo: shrinksTo!,
      }),
    },
    {
      name: 'remove',
      description: 'fewer validators',
      args: ['<name...>'],
      options: [shrinksTo()],
      asked: ([remove], { shrinksTo }) => ({
        kind: 'validators',
        add: [],
        remove: remove as readonly string[],
        shrinksTo: shrinksTo!,
      }),
    },
    {
      name: 'rotate',
      description: 'other keys for a validator of the own organisation',
      args: ['<name>'],
      options: [
        new Option('--next-key <file>', 'key file with the consensus key that it will have').makeOptionMandatory(),
        new Option('--peer-key <key>', 'another peer key'),
      ],
      asked: ([name], { nextKey, peerKey }) => ({ kind: 'rotate', name: name as string, nextKey: nextKey!, peerKey }),
    },
    {
      name: 'admit',
      description: 'a new organisation',
      args: ['<organisation>'],
      options: [
        new Option('--admin <key...>', 'public keys of its administrators').makeOptionMandatory(),
        new Option('--threshold <n>', 'how many of them act together').argParser(integer).default(1),
        new Option('--role <role...>', 'what it may give to its accounts').default([]),
      ],
      asked: ([name], { admin, threshold, role }) => {
        const administration = { administrators: admin!, threshold: threshold! };
        return { kind: 'admit', value: { name: name as string, administration, roles: role! } };
      },
    },
    {
      name: 'expel',
      description: 'an organisation and all its accounts, for ever',
      args: ['<organisation>'],
      options: [],
      asked: ([organisation]) => ({ kind: 'expel', value: { organisation: organisation as string } }),
    },
    {
      name: 'observer',
      description: 'a node that follows without a vote',
      args: ['<name>'],
      options: [organisation(), new Option('--peer-key <key>', 'its public key').makeOptionMandatory()],
      asked: ([name], { organisation, peerKey }) => ({
        kind: 'observer',
        value: { name: name as string, organisation: organisation!, peerKey: peerKey! },
      }),
    },
    {
      name: 'remove-observer',
      description: 'an observer less',
      args: ['<observer>'],
      options: [],
      asked: ([observer]) => ({ kind: 'removeObserver', observer: observer as string }),
    },
    {
      name: 'limits',
      description: 'how much an account with a role may send at one node; * is for accounts whose roles have no limits',
      args: ['<role>'],
      options: [
        count('--pending <n>', 'transactions that are accepted and not executed yet'),
        count('--per-second <n>', 'transactions a second, in the long run'),
        count('--burst <n>', 'transactions at once, after a pause'),
        new Option('--none', 'no limits of this role any more').conflicts(['pending', 'perSecond', 'burst']),
      ],
      asked: ([role], given) => ({ kind: 'limits', value: { role: role as string, limits: limitsOf(given) } }),
    },
  ];
}

function limitsOf({ pending, perSecond, burst, none }: Given): Json {
  if (none) return { kind: 'none', value: {} };
  if (pending === undefined || perSecond === undefined || burst === undefined)
    throw new CliError(EXIT.usage, 'USAGE', 'expected --pending, --per-second and --burst, or --none');
  return { kind: 'these', value: { pending, perSecond, burst } };
}
