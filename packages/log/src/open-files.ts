import { DiskError } from "@samsa/base";

/** A file that is open and could be closed, because nobody is using it. */
export interface IdleFile {
  /** What was written to it may not be on the platter yet. */
  readonly isUnsynced: boolean;
  /** Closes it, until its next use. Must not reject. */
  closeIdle(): Promise<void>;
}

const MOST_OPEN_FILES = 1024;
const MOST_LOOKED_AT = 16;

/**
 * Bounds how many files of a broker are open at a time, over all its logs: a descriptor for every segment would be more than
 * an operating system gives. Whoever opens a file takes a place first. When there is none, the file that has not been used for
 * the longest time is closed; those in use stay, and when all are, the next one waits for its turn. That ends, because nobody
 * who has a place waits for another.
 */
export class OpenFiles {
  readonly maxOpen: number;
  #open = 0;
  readonly #idle = new Set<IdleFile>(); // idle for the longest time first
  #latest: IdleFile | undefined; // the last of them
  readonly #waiting: (() => void)[] = [];
  #closing = 0;

  constructor(maxOpen: number = MOST_OPEN_FILES) {
    this.maxOpen = Math.max(1, maxOpen);
  }

  get openCount(): number {
    return this.#open;
  }

  /** Takes a place: at once when undefined is returned, else when the promise resolves. */
  acquire(): Promise<void> | undefined {
    if (this.#open < this.maxOpen) {
      this.#open++;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#makeRoom();
    });
  }

  /** Gives a place back. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#open--;
    else next();
  }

  /** From now on the file may be closed, `busy` tells when it is used again. */
  idle(file: IdleFile): void {
    this.#idle.add(file);
    this.#latest = file;
    if (this.#waiting.length > 0) this.#makeRoom();
  }

  busy(file: IdleFile): void {
    this.#idle.delete(file);
    if (this.#latest === file) this.#latest = undefined;
  }

  /** It was used, and is idle as before. */
  used(file: IdleFile): void {
    if (this.#latest === file) return;
    this.busy(file);
    this.idle(file);
  }

  /** Closes a file, as when the system has fewer descriptors than was thought. False when there is none to close. */
  async closeOne(): Promise<boolean> {
    const file = this.#longestIdle();
    if (file === undefined) return false;
    this.busy(file);
    await file.closeIdle();
    return true;
  }

  #makeRoom(): void {
    while (this.#waiting.length > this.#closing && this.#idle.size > 0) {
      this.#closing++;
      void this.closeOne().finally(() => {
        this.#closing--;
        this.#makeRoom();
      });
    }
  }

  /**
   * A file with unsynced bytes is closed only when there is hardly another: when writing them fails while nobody has it open,
   * Linux tells the next one who syncs it only as long as it remembers the file.
   */
  #longestIdle(): IdleFile | undefined {
    let oldest: IdleFile | undefined;
    let lookedAt = 0;
    for (const file of this.#idle) {
      if (!file.isUnsynced) return file;
      oldest ??= file;
      if (++lookedAt === MOST_LOOKED_AT) break;
    }
    return oldest;
  }
}

/** The system or the process has no descriptor left. */
export function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof DiskError && (error.code === "EMFILE" || error.code === "ENFILE");
}
