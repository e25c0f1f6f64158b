import type { Flag, Place, Word } from './completion.ts';

/** Scripts for shells. Each finds the place by the words before the cursor, then offers what may follow there. */

export function bashScript(places: readonly Place[]): string {
  return `# bash completion for quorate; made by: quorate completion bash
_quorate() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at=quorate words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${pathCases(places)}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
${valueCases(places, (words) => `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$cur"))`, '_quorate_files')}
  esac
  case "$at" in
${places
  .map(({ path, commands, words, flags, takesFile }) => {
    const plain = namesOf([...commands, ...words]);
    const files = takesFile ? '; [[ $cur == -* ]] || _quorate_files' : '';
    return `    '${path}') if [[ $cur == -* ]]; then words='${namesOf(flags)}'; else words='${plain}'; fi${files} ;;`;
  })
  .join('\n')}
  esac
  COMPREPLY+=($(compgen -W "$words" -- "$cur"))
}
_quorate_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -- "$cur"))
}
complete -F _quorate quorate
`;
}

export function zshScript(places: readonly Place[]): string {
  return `#compdef quorate
# zsh completion for quorate; made by: quorate completion zsh
_quorate() {
  local at=quorate i
  local -a plain flags
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      ${pathCases(places)}) at="$at \${words[i]}" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${valueCases(places, (words) => `compadd -- ${words.join(' ')}`, '_files')}
  esac
  case "$at" in
${places
  .map(({ path, commands, words, flags, takesFile }) => {
    const plain = [...commands, ...words].map(zshWord).join(' ');
    return `    '${path}') plain=(${plain}); flags=(${flags.map(zshWord).join(' ')})${takesFile ? '; _files' : ''} ;;`;
  })
  .join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe option flags; else _describe command plain; fi
}
_quorate "$@"
`;
}

export function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, words, flags, takesFile }) => {
    const here = `complete -c quorate -n 'test (__quorate_at) = "${path}"'`;
    return [
      ...[...commands, ...words].map((one) => `${here} -a ${one.name}${fishDescription(one)}`),
      ...flags.map((flag) => `${here} -l ${flag.name.slice(2)}${fishValue(flag)}${fishDescription(flag)}`),
      ...(takesFile ? [`${here} -F`] : []),
    ];
  });
  return `# fish completion for quorate; made by: quorate completion fish
function __quorate_at
    set -l at quorate
    set -l words (commandline -opc)
    for word in $words[2..-1]
        switch "$at $word"
            case ${pathsBelow(places).map(quoted).join(' ')}
                set at "$at $word"
        end
    end
    echo $at
end
complete -c quorate -f
${lines.join('\n')}
`;
}

/** Every place but the first, which nobody goes into. */
function pathsBelow(places: readonly Place[]): string[] {
  return places.slice(1).map(({ path }) => path);
}

function pathCases(places: readonly Place[]): string {
  return pathsBelow(places).map(quoted).join('|');
}

/** After an option that takes a value: its choices, files, or nothing, as nobody knows what. */
function valueCases(places: readonly Place[], choices: (words: readonly string[]) => string, files: string): string {
  const cases = new Map<string, string[]>();
  for (const { path, flags } of places) {
    for (const { name, value, orFile } of flags) {
      if (value === 'none') continue;
      const offered = typeof value === 'string' ? [] : [choices(value)];
      const work = [...offered, ...(value === 'file' || orFile ? [files] : []), 'return'].join('; ');
      cases.set(work, [...(cases.get(work) ?? []), quoted(`${path} ${name}`)]);
    }
  }
  return [...cases].map(([work, where]) => `    ${where.join('|')}) ${work} ;;`).join('\n');
}

function namesOf(words: readonly Word[]): string {
  return words.map(({ name }) => name).join(' ');
}

function zshWord({ name, description }: Word): string {
  return quoted(`${name.replaceAll(':', '\\:')}${description === '' ? '' : `:${description}`}`);
}

function fishValue({ value, orFile }: Flag): string {
  if (value === 'none') return '';
  if (value === 'file') return ' -r -F';
  if (value === 'any') return ' -x';
  return ` ${orFile ? '-r -F' : '-x'} -a ${quoted(value.join(' '))}`;
}

function fishDescription({ description }: Word): string {
  return description === '' ? '' : ` -d ${fishQuoted(description)}`;
}

/** In bash and zsh a single quote ends the text, stands outside, and begins it again. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
