/** How many times the peak is offered: all of these once, the last in every pair. */
export const OFFERED = [0.5, 1, 2, 5, 10] as const;

/** The row of what was offered, and of what became final meanwhile. */
export function offeredRow(times: (typeof OFFERED)[number], what: 'offered' | 'goodput'): string {
  if (times === 10) return what === 'offered' ? 'offeredPerSecond' : 'goodput finalPerSecond';
  return `${what} at ${times} x peak`;
}
