/** Values as people read them. Everything here comes from files and is shown as text only. */

/** Milliseconds of each unit, the greatest first. */
const UNITS = [
  ['year', 365 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

/** A span of `ms` >= 0 in its two greatest units: `2 days 3 hours`. */
export function duration(ms: number): string {
  const first = UNITS.findIndex(([, length]) => ms >= length);
  if (first === -1) return 'less than a second';
  let rest = ms;
  const parts: string[] = [];
  for (const [unit, length] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(counted(count, unit));
  }
  return parts.join(' ');
}

/** How long ago `time` was, both in ms since 1970. A time ahead of the clock is said to be so. */
export function ago(time: number, nowMs: number): string {
  if (time <= nowMs) return `${duration(nowMs - time)}, by the clock of this device`;
  return `none: it is ${duration(time - nowMs)} ahead of the clock of this device`;
}

/** Two spellings of a time in ms since 1970. A chain may have times that no calendar holds. */
export function moment(time: number): { readonly utc: string; readonly local: string | undefined } {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return { utc: `${time} ms after 1970, beyond the calendar`, local: undefined };
  return { utc: date.toISOString().replace('T', ' ').replace('Z', ' UTC'), local: LOCAL.format(date) };
}

const LOCAL = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'longOffset',
});

/** `1 call`, `2 calls`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A size in bytes, in the unit that fits. */
export function size(bytes: number): string {
  if (bytes < 1_024) return counted(bytes, 'byte');
  return bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** Control and format characters spelt out: none can hide, or turn the reading direction. `lines` lets line ends stand. */
export function visible(text: string, lines: 'one line' | 'lines' = 'one line'): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' && lines === 'lines' ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
