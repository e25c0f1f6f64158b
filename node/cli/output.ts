/** One JSON value for scripts, or lines for people. What stands in the ledger can't move the cursor. */
export function print(asJson: boolean, json: object, lines: readonly string[]): void {
  process.stdout.write(asJson ? `${JSON.stringify(json)}\n` : `${lines.map(visible).join('\n')}\n`);
}

/** On stderr, beside the answer: a line for people, one JSON object for scripts. */
export function tell(asJson: boolean, json: object, line: string): void {
  process.stderr.write(`${asJson ? JSON.stringify(json) : visible(line)}\n`);
}

/** Rows under a heading, columns as wide as they need on a terminal. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const shown = [heading, ...rows].map((row) => row.map(visible));
  const widths = heading.map((_, column) => Math.max(...shown.map((row) => widthOf(row[column] ?? ''))));
  return shown.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join('  ')
      .trimEnd(),
  );
}

/** A name and what it is, one pair a line. */
export function pairs(rows: readonly (readonly [name: string, value: string])[]): string[] {
  return table(['', ''], rows).slice(1);
}

/** Text from outside can hold anything, also what moves a terminal's cursor or turns its text around. */
export function visible(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (letter) => `\\u{${letter.codePointAt(0)!.toString(16)}}`);
}

const NO_COLUMN = /[\p{Mn}\p{Me}]/u;
/** Halfwidth katakana and hangul, at the end, are of scripts that are wide otherwise. */
const TWO_COLUMNS =
  /(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** Columns that a terminal gives to a text. */
export function widthOf(text: string): number {
  let columns = 0;
  for (const letter of text) columns += NO_COLUMN.test(letter) ? 0 : TWO_COLUMNS.test(letter) ? 2 : 1;
  return columns;
}

/** Block times may lie beyond what a Date can hold. */
export function moment(ms: number): string {
  return ms <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}

export function warnPublicKey(name: string, asJson = false): void {
  const note = `the key of ${name} is publicly known; it is for development networks only`;
  tell(asJson, { note }, `note: ${note}`);
}
