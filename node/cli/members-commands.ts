import { type Command, Option } from 'commander';
import type { Json } from '../../ledger/codec.ts';
import type { ChangeOptions } from './members.ts';

/** What groups of commands have in common. */
export interface Shared {
  url(): Option;
  json(): Option;
  integer(text: string): number;
  done(exit: number): void;
}

type Given = ChangeOptions & {
  readonly key?: string;
  readonly role?: readonly string[];
  readonly threshold?: number;
  readonly organisation?: string;
};

interface ChangeCommand {
  readonly name: string;
  readonly description: string;
  readonly args: readonly string[];
  readonly options: readonly Option[];
  value(args: readonly (string | string[])[], given: Given): { readonly [name: string]: Json };
}

/** `quorate accounts …`. */
export function addAccounts(program: Command, { url, json, done }: Shared): void {
  const group = program.command('accounts').description('who may sign, what they may do, and what they have');
  const organisation = () => new Option('--organisation <name>', 'only of this one');
  group
    .command('list')
    .description('all accounts')
    .addOption(organisation())
    .addOption(url())
    .addOption(json())
    .action(async (given: Given) => {
      done(await (await import('./accounts-show.ts')).listAccounts(given));
    });
  group
    .command('show')
    .description('an account: its roles, its limits and its balances')
    .argument('<account>', 'its name, its id, or a key that it has or had')
    .addOption(organisation())
    .addOption(url())
    .addOption(json())
    .action(async (account: string, given: Given) => {
      done(await (await import('./accounts-show.ts')).showAccount(account, given));
    });
}

/** `quorate members …`. */
export function addMembers(program: Command, shared: Shared): void {
  const { url, json, integer, done } = shared;
  const group = program.command('members').description('organisations and accounts: who may do what');
  const organisation = () => new Option('--organisation <name>', 'only this one');

  group
    .command('list')
    .description('organisations and accounts')
    .addOption(organisation())
    .addOption(url())
    .addOption(json())
    .action(async (given: Given) => {
      done(await (await import('./members.ts')).listMembers(given.url, given.organisation, given.json));
    });
  group
    .command('show')
    .description('an account and all that was changed about it')
    .argument('<key>', 'its id, or a key that it has or had')
    .addOption(url())
    .addOption(json())
    .action(async (key: string, given: Given) => {
      done(await (await import('./members.ts')).showMember(given.url, key, given.json));
    });
  group
    .command('history')
    .description('all changes of an organisation, and who approved them')
    .argument('<organisation>')
    .addOption(url())
    .addOption(json())
    .action(async (name: string, given: Given) => {
      done(await (await import('./members.ts')).showHistory(given.url, name, given.json));
    });
  group
    .command('approvals')
    .description('what waits for more approvals')
    .addOption(organisation())
    .addOption(url())
    .addOption(json())
    .action(async (given: Given) => {
      done(await (await import('./members.ts')).listApprovals(given.url, given.organisation, given.json));
    });

  for (const { name, description, args, options, value } of changeCommands(integer)) {
    const command = sending(group.command(name).description(description), shared);
    for (const arg of args) command.argument(arg);
    for (const option of options) command.addOption(option);
    command.addOption(
      new Option('--days <n>', 'how long a new proposal may be approved, up to 30').argParser(integer).default(7),
    );
    command.action(async (...all: unknown[]) => {
      const given = all[args.length] as Given;
      const { changeMembers } = await import('./members.ts');
      const json = { kind: name, value: value(all.slice(0, args.length) as (string | string[])[], given) };
      done(await changeMembers(json, given));
    });
  }
  sending(group.command('retract').description('take an own approval back'), shared)
    .argument('<proposal>', 'its id')
    .action(async (id: string, given: Given) => {
      done(await (await import('./members.ts')).retractApproval(id, given));
    });
}

/** With what a command needs that sends a transaction of an administrator. */
export function sending(command: Command, shared: Shared): Command {
  return sendOptions(
    command.requiredOption(
      '--as <administrator>',
      'key file or keystore, or admin:<organisation> of a development network',
    ),
    shared,
  );
}

/** With what every command needs that sends a transaction. */
export function sendOptions(command: Command, shared: Shared): Command {
  const wait = new Option('--wait <state>', 'until a node holds it, it is executed, or it is proven to be final');
  return proving(command.addOption(wait.choices(['none', 'committed', 'final']).default('committed')), shared);
}

/** With what every command needs that goes by the client library. */
export function proving(command: Command, { url, json }: Shared): Command {
  return command
    .addOption(new Option('--genesis <file>', 'genesis file, by which alone answers are proven').env('QUORATE_GENESIS'))
    .addOption(new Option('--accept-recovery <hash>', 'a recovery that people told you of').argParser(collect))
    .addOption(url())
    .addOption(json());
}

/** The value of an option that can be given several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Named as the changes of the formats: each administrator runs the same command. */
function changeCommands(integer: (text: string) => number): readonly ChangeCommand[] {
  const key = () => new Option('--key <key>', 'public key').makeOptionMandatory();
  return [
    {
      name: 'enrol',
      description: 'approve a new account',
      args: ['<name>'],
      options: [key(), new Option('--role <role...>', 'what it may do').default([])],
      value: ([name], given) => ({ key: given.key!, name: name as string, roles: [...given.role!] }),
    },
    {
      name: 'grant',
      description: 'approve roles for an account',
      args: ['<account>', '<role...>'],
      options: [],
      value: ([account, roles]) => ({ account: account as string, roles: roles as string[] }),
    },
    {
      name: 'withdraw',
      description: 'approve that an account loses roles',
      args: ['<account>', '<role...>'],
      options: [],
      value: ([account, roles]) => ({ account: account as string, roles: roles as string[] }),
    },
    {
      name: 'revoke',
      description: 'approve the end of an account, for ever',
      args: ['<account>'],
      options: [],
      value: ([account]) => ({ account: account as string }),
    },
    {
      name: 'rotate',
      description: 'approve another key for an account',
      args: ['<account>'],
      options: [key()],
      value: ([account], given) => ({ account: account as string, key: given.key! }),
    },
    {
      name: 'administrators',
      description: 'approve other administrators of the organisation',
      args: ['<key...>'],
      options: [
        new Option('--threshold <n>', 'how many of them act together').argParser(integer).makeOptionMandatory(),
      ],
      value: ([keys], given) => ({ administrators: keys as string[], threshold: given.threshold! }),
    },
  ];
}
