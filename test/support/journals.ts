import { sha256 } from '../../ledger/hash.ts';
import { type JournalOptions, openJournal } from '../../node/journal/journal.ts';
import { MemoryFiles } from './memory-files.ts';

/** Journals in memory. */

export const OWNER = { genesisId: sha256(Uint8Array.of(1)), validatorKey: sha256(Uint8Array.of(2)) };

export function open(files: MemoryFiles, options: Partial<JournalOptions> = {}) {
  return openJournal({
    directory: 'memory',
    ...OWNER,
    epoch: 0,
    formerKeys: [],
    mark: undefined,
    onFatal() {},
    files,
    segmentBytes: 1_000,
    ...options,
  });
}

export const entry = (height: number, length = 100) => ({ height, bytes: new Uint8Array(length).fill(height) });
export const heights = (records: readonly Uint8Array[]): number[] => records.map((record) => record[0]!);

/** A journal of several segments with one entry per group, heights from 1. */
export async function filled(count: number, options: Partial<JournalOptions> = {}): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  const { journal } = await open(files, options);
  for (let height = 1; height <= count; height++) await journal.append([entry(height)]);
  await journal.close();
  return files;
}

export const names = (files: MemoryFiles): string[] =>
  [...files.files.keys()].filter((name) => name.endsWith('.journal')).sort();
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
