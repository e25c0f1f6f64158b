import { writeSync } from 'node:fs';

/** A disk that made a short write wait so long is busy: for a while the loop does not wait with it. */
const BUSY_DISK_MS = 5;
const BUSY_FOR_MS = 1_000;

/** Short writes to the system's cache by the calling thread: a few microseconds, unless the disk is busy. */
export class WriteAtOnce {
  #busyUntil = 0;

  /** Whether the last one took no longer than it should, or that was long ago. */
  get isFast(): boolean {
    return performance.now() >= this.#busyUntil;
  }

  /** As `fs.writeSync`: how many bytes were taken. */
  write(file: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const begun = performance.now();
    const taken = writeSync(file, bytes, offset, length, position);
    const ended = performance.now();
    if (ended - begun > BUSY_DISK_MS) this.#busyUntil = ended + BUSY_FOR_MS;
    return taken;
  }
}
