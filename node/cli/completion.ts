import type { Command, Option } from 'commander';
import { schemaOf } from '../../ledger/describe.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { DEV_ACCOUNTS } from './accounts.ts';
import { bashScript, fishScript, zshScript } from './completion-scripts.ts';
import { EXIT } from './errors.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

/** A word that may stand somewhere, and what it means. */
export interface Word {
  readonly name: string;
  readonly description: string;
}

/** What follows an option: nothing, anything, a path, one of these, or one of these or a path. */
export interface Flag extends Word {
  readonly value: 'none' | 'any' | 'file' | readonly string[];
  readonly orFile: boolean;
}

/** What may follow the words of a command line up to here. */
export interface Place {
  /** `quorate`, `quorate tx`, `quorate tx assets`, …. */
  readonly path: string;
  /** With a place of their own. */
  readonly commands: readonly Word[];
  /** Without. */
  readonly words: readonly Word[];
  readonly flags: readonly Flag[];
  readonly takesFile: boolean;
}

/** `quorate completion <shell>`: the script to put where the shell looks for it. */
export function completion(program: Command, shell: Shell): number {
  const places = placesOf(program, 'quorate');
  const scripts: Record<Shell, (places: readonly Place[]) => string> = {
    bash: bashScript,
    zsh: zshScript,
    fish: fishScript,
  };
  process.stdout.write(scripts[shell](places));
  return EXIT.ok;
}

function placesOf(command: Command, path: string): readonly Place[] {
  const flags = [...command.options.filter(({ hidden }) => !hidden).map(flagOf), HELP];
  const own = command.registeredArguments;
  const place: Place = {
    path,
    commands: command.commands.map((one) => ({ name: one.name(), description: one.description() })),
    words: own.flatMap((one) => one.argChoices ?? []).map((name) => ({ name, description: '' })),
    flags,
    takesFile: own.some((one) => /file/.test(one.name())),
  };
  if (path === 'quorate tx') return transactionPlaces(place);
  if (path === 'quorate query state' || path === 'quorate query rows') return [{ ...place, words: TABLES }];
  return [place, ...command.commands.flatMap((one) => placesOf(one, `${path} ${one.name()}`))];
}

const HELP: Flag = { name: '--help', description: 'how it is used', value: 'none', orFile: false };

const TABLES: readonly Word[] = quorateApplication.modules.flatMap(({ name: module, tables }) =>
  tables.map(({ name }) => ({ name, description: `table of module ${module}` })),
);

/** Its words are those of the application: a module, an action, and the arguments that it takes. */
function transactionPlaces(place: Place): readonly Place[] {
  const { modules } = quorateApplication;
  const below = modules.flatMap(({ name: module, actions }): Place[] => [
    {
      ...place,
      path: `${place.path} ${module}`,
      commands: Object.keys(actions).map((name) => ({ name, description: `action of module ${module}` })),
    },
    ...Object.entries(actions).map(([action, { args }]) => {
      const { properties = {} } = schemaOf(args) as { properties?: object };
      const own = Object.keys(properties).map((name): Flag => {
        return { name: `--${name}`, description: 'an argument of the action', value: 'any', orFile: false };
      });
      return { ...place, path: `${place.path} ${module} ${action}`, flags: [...own, ...place.flags] };
    }),
  ]);
  const commands = modules.map(({ name }) => ({ name, description: 'a module' }));
  return [{ ...place, commands }, ...below];
}

function flagOf({ long, description, argChoices, required, optional, flags }: Option): Flag {
  const name = long!;
  const placeholder = /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1] ?? '';
  const flag = { name, description, orFile: false };
  if (!required && !optional) return { ...flag, value: 'none' };
  if (argChoices !== undefined) return { ...flag, value: argChoices };
  if (name === '--as') return { ...flag, value: DEV_ACCOUNTS.map((one) => one.name), orFile: true };
  return { ...flag, value: /^(file|dir|key)\b/.test(placeholder) && isPath(name) ? 'file' : 'any' };
}

/** A `<key>` is a public key in some places, and the path of a key file in others. */
function isPath(name: string): boolean {
  return !['--key', '--admin', '--peer-key'].includes(name);
}
