import type { JournalFiles } from './files.ts';

/** What a file is called while it is written; it means nothing, whatever is in it. */
const DRAFT = 'DRAFT';

/** Makes `bytes` the content of `name`, durably and in one step: a crash leaves the file as it was or as it shall be. */
export async function replaceFile(files: JournalFiles, name: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(DRAFT);
  await file.truncate(0);
  await file.write(bytes, 0);
  await file.sync();
  await file.close();
  await files.rename(DRAFT, name);
  await files.sync();
}
