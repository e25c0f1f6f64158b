import { utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import type { Doubt, DoubtTerm } from '../ports.ts';
import type { JournalFiles } from './files.ts';
import { replaceFile } from './replace.ts';

/** Doubt is durable (R6): once found it is written here, and holds although the files may look whole later. */
export const DOUBT_FILE = 'DOUBT';

/** As it stands in the file: `epoch 7` or `for ever`, `group 95`, and the reason, each on a line of its own. */
export interface WrittenDoubt extends Doubt {
  /**
   * LevelDB names no greater group while the doubt holds. If it does, the journal had begun anew, and what is here now is
   * older.
   */
  readonly group: number;
}

/** What an older version wrote is only a reason. */
const TEXT = /^(?:epoch (\d{1,15})|for ever)\ngroup (\d{1,15})\n(.*)$/s;

/** R6: whether a validator signs nothing in this epoch. */
export function holdsIn({ through }: Pick<Doubt, 'through'>, epoch: number): boolean {
  return through === 'for ever' || through >= epoch;
}

export function isLonger(one: DoubtTerm, other: DoubtTerm): boolean {
  if (other === 'for ever') return false;
  return one === 'for ever' || one > other;
}

export async function readDoubt(files: JournalFiles): Promise<WrittenDoubt | undefined> {
  if (!(await files.list()).includes(DOUBT_FILE)) return undefined;
  const text = utf8Decode(await files.read(DOUBT_FILE)) ?? '';
  const [, epoch, group, reason] = TEXT.exec(text) ?? [];
  if (group === undefined || reason === undefined)
    return { reason: text === '' ? 'found at an earlier start' : text, through: 'for ever', group: 0 };
  return { reason, through: epoch === undefined ? 'for ever' : Number(epoch), group: Number(group) };
}

export async function writeDoubt(files: JournalFiles, { reason, through, group }: WrittenDoubt): Promise<void> {
  const term = through === 'for ever' ? through : `epoch ${through}`;
  await replaceFile(files, DOUBT_FILE, utf8Encode(`${term}\ngroup ${group}\n${reason}`));
}
