import { DOUBT_FILE } from './doubt.ts';
import type { JournalFiles } from './files.ts';
import { firstGroupOf, type Segment, segmentNames } from './scan.ts';

/**
 * R1: a group number greater than any that a file here or LevelDB can name. A journal that begins anew begins above it: so
 * whatever LevelDB named before is older than the journal, which is normal, also if it is of a group that was lost.
 */
export async function unusedGroup(files: JournalFiles, known: number): Promise<number> {
  return Math.max(known, ...(await segmentNames(files)).map(firstGroupOf)) + 1;
}

/** Removes, durably, what the beginning of these segments has made void: older segments, and the doubt about them. */
export async function removeFormer(files: JournalFiles, segments: readonly Segment[]): Promise<void> {
  const kept = new Set(segments.map(({ name }) => name));
  const former = (await segmentNames(files)).filter((name) => !kept.has(name));
  if ((await files.list()).includes(DOUBT_FILE)) former.push(DOUBT_FILE);
  if (former.length === 0) return;
  for (const name of former) await files.remove(name);
  await files.sync();
}
