/** One JSON value for scripts, or lines for people. */
export function print(asJson: boolean, json: object, lines: readonly string[]): void {
  process.stdout.write(asJson ? `${JSON.stringify(json)}\n` : `${lines.join('\n')}\n`);
}

/** Rows under a heading, columns as wide as they need. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heading.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  return [line(heading), ...rows.map(line)];
}

export function warnPublicKey(name: string): void {
  process.stderr.write(`note: the key of ${name} is publicly known; it is for development networks only\n`);
}
