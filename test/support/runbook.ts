import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { REPOSITORY } from './processes.ts';

/** What a section of docs/operations.md says to type, and to write into node.toml. */
export interface Runbook {
  /** Lines of its shell blocks, in order. */
  readonly commands: readonly string[];
  /** Its TOML blocks. */
  readonly toml: readonly string[];
}

export function runbook(heading: string): Runbook {
  const text = readFileSync(`${REPOSITORY}docs/operations.md`, 'utf8');
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  assert(section, `docs/operations.md has no section ${heading}`);
  const blocks = [...section.matchAll(/^( *)```(sh|toml)\n([\s\S]*?)^\1```$/gm)].map(([, indent, language, body]) => ({
    language,
    text: body!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
  const of = (language: string): string[] => blocks.filter((one) => one.language === language).map((one) => one.text);
  return { commands: of('sh').flatMap((one) => one.trimEnd().split('\n')), toml: of('toml') };
}

/** What kind of command it is: the words before its first value. */
export function kindOf(command: string): string {
  const [kind] = /^(quorate )?(gov propose [a-z-]+|(gov|keys|genesis|query) [a-z]+|[a-z]+)/.exec(command) ?? [];
  assert(kind, command);
  return kind.replace(/^quorate /, '');
}
