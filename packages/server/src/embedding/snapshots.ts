import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { constants } from "node:fs";
import path from "node:path";
import type { Clock } from "@samsa/base";
import type { HoldableDisk, MemoryDisk, TemporaryDirectory } from "@samsa/io";
import { temporaryDirectory } from "@samsa/io";
import { StartError } from "../server-error.ts";
import type { Closers } from "../storage.ts";

/** What `restore` takes, of the broker that made it. */
export interface BrokerSnapshot {
  /** When it was taken, by the clock of the broker, milliseconds since 1970. */
  readonly takenMs: number;
}

/** All that was in the data directories at one moment: what a broker leaves behind that is killed then. */
export interface StoredState {
  /** Makes the directories what they were. Nobody has a file of them open. */
  putBack(): Promise<void>;
}

/** Takes copies of the data directories while the broker runs. */
export type CopyState = () => Promise<StoredState>;

/** Copy-on-write: it costs no more than a list of pages. */
export function copyMemoryDisk(disk: MemoryDisk): CopyState {
  return async () => {
    const copy = disk.copy();
    return { putBack: async () => disk.putBack(copy) };
  };
}

const LOCK_FILE = ".lock"; // stays: it says who runs here now

/**
 * Copies of the files, which share their blocks where the file system can do that, in a temporary folder that goes with the broker.
 * Writes wait until they are made.
 */
export function copyDirectories(disk: HoldableDisk, directories: readonly string[], closers: Closers): CopyState {
  let folder: Promise<TemporaryDirectory> | undefined;
  let count = 0;
  const makeFolder = async (): Promise<TemporaryDirectory> => {
    const made = await temporaryDirectory("samsa-snapshots-");
    closers.defer(() => made.remove());
    return made;
  };
  return async () => {
    folder ??= makeFolder();
    const target = path.join((await folder).path, String(count++));
    const copies = directories.map((directory, index) => ({ directory, copy: path.join(target, String(index)) }));
    const release = await disk.hold();
    try {
      for (const { directory, copy } of copies) await copyFolder(directory, copy);
    } finally {
      release();
    }
    return {
      async putBack() {
        for (const { directory, copy } of copies) {
          for (const name of await readdir(directory)) {
            if (name !== LOCK_FILE) await rm(path.join(directory, name), { recursive: true, force: true });
          }
          await copyFolder(copy, directory);
        }
      },
    };
  };
}

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await cp(from, to, {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    preserveTimestamps: true,
    filter: (source) => path.basename(source) !== LOCK_FILE,
  });
}

export interface SnapshotsOptions {
  readonly clock: Clock;
  /** Undefined where a restore would replace what is to stay. */
  readonly copyState: CopyState | undefined;
  readonly stop: () => Promise<void>;
  readonly serve: () => Promise<unknown>;
  /** It could not come up again. */
  readonly onFatal: (error: unknown) => void;
}

/** Takes and restores the states of one broker, one after the other. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #states = new WeakMap<BrokerSnapshot, StoredState>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** @throws StartError for a folder that did not ask for snapshots */
  take(): Promise<BrokerSnapshot> {
    const { clock, copyState } = this.#options;
    return this.#inTurn(async () => {
      if (copyState === undefined) {
        throw new StartError("a restore would replace this folder; start the broker with snapshots: true if it may");
      }
      const snapshot = { takenMs: clock.wallMs() };
      this.#states.set(snapshot, await copyState());
      return snapshot;
    });
  }

  /** @throws StartError for a snapshot of another broker */
  restore(snapshot: BrokerSnapshot): Promise<void> {
    const { stop, serve, onFatal } = this.#options;
    return this.#inTurn(async () => {
      const state = this.#states.get(snapshot);
      if (state === undefined) throw new StartError("a snapshot of another broker");
      try {
        await stop();
        await state.putBack();
        await serve();
      } catch (error) {
        onFatal(error);
        throw error;
      }
    });
  }

  /** Resolves when nothing of this is under way. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task);
    this.#last = done.catch(() => {});
    return done;
  }
}
