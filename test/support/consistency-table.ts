import { openApiPath } from '../../api/openapi.ts';
import { CONSISTENCY, type Route } from '../../api/route.ts';

/** The generated parts of docs/consistency.md, by the names of their markers. */
export function consistencyParts(routes: readonly Route[]): Readonly<Record<string, string>> {
  const classes = Object.entries(CONSISTENCY).map(([name, says]) => [`\`${name}\``, says]);
  const rows = routes.map(({ method, path, query, consistency, consistencyNote = '' }) => [
    `\`${method} ${openApiPath(path)}\``,
    `\`${consistency}\``,
    'minHeight' in query.shape ? 'yes' : '',
    consistencyNote,
  ]);
  return {
    classes: table(['class', 'what it promises'], classes),
    routes: table(['route', 'class', 'minHeight', 'which part is what'], rows),
  };
}

/** `document` with its generated parts as they should be. Throws if one of them has no place in it. */
export function withParts(document: string, parts: Readonly<Record<string, string>>): string {
  let filled = document;
  for (const [name, text] of Object.entries(parts)) {
    const place = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`);
    if (!place.test(filled)) throw new Error(`no place for ${name}`);
    filled = filled.replace(place, (_, begin: string, end: string) => `${begin}\n${text}\n\n${end}`);
  }
  return filled;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
