import { assert } from "@samsa/base";
import type { KafkaStorageError } from "./errors.ts";
import type { LogSegment } from "./log-segment.ts";
import { Written } from "./written.ts";

const MOST_GROUP_BYTES = 16 * 1024 * 1024;
const MOST_GROUP_CHUNKS = 512; // of the 1024 that one writev takes

export interface WriteQueueHandlers {
  /** A group has been written, and its segment told: what is to happen before it counts as done, such as a sync. */
  onWritten(endOffset: number): Promise<void> | undefined;
  /** A step failed. Returns what those who wait are told; nothing is performed after it. */
  onFailure(cause: unknown): KafkaStorageError;
}

/** Appends to one segment that go out as one `writev`. */
interface WriteGroup {
  readonly kind: "write";
  readonly segment: LogSegment;
  readonly position: number;
  readonly chunks: Uint8Array[];
  bytes: number;
  endOffset: number;
  readonly done: Written;
}

interface Effect {
  readonly kind: "effect";
  readonly run: () => Promise<void>;
  readonly done: Written;
}

/** A run of the steps begins behind it: at the end of the turn's current callback. */
const END_OF_CALLBACK = Promise.resolve();

/**
 * What a log has decided and the disk has yet to do, in order. While a group is being written, the appends that arrive form
 * the next one. The appends of one turn share a write, because the first step waits for the end of the turn's current callback;
 * unless somebody who knows that no more will come asks for it before (`writeNow`).
 */
export class WriteQueue {
  readonly #handlers: WriteQueueHandlers;
  readonly #steps: (WriteGroup | Effect)[] = []; // those under way are no longer here
  #running: Promise<void> | undefined;
  #isUnderWay = false; // a step
  #pendingBytes = 0;
  #failure: KafkaStorageError | undefined;

  constructor(handlers: WriteQueueHandlers) {
    this.#handlers = handlers;
  }

  /** Bytes that wait or are being written. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Queues bytes at the end of a segment. What is returned is shared by the group. */
  write(segment: LogSegment, position: number, bytes: Uint8Array, endOffset: number): Written {
    const last = this.#steps.at(-1);
    this.#pendingBytes += bytes.length;
    if (last?.kind === "write" && last.segment === segment && hasRoom(last, bytes)) {
      assert(last.position + last.bytes === position, "appends to a segment follow one another");
      last.chunks.push(bytes);
      last.bytes += bytes.length;
      last.endOffset = endOffset;
      return last.done;
    }
    const done = new Written();
    return this.#add({ kind: "write", segment, position, chunks: [bytes], bytes: bytes.length, endOffset, done });
  }

  /** Queues something that has to be done after what was queued before and before what comes after. */
  perform(run: () => Promise<void>): Promise<void> {
    return this.#add({ kind: "effect", run, done: new Written() }).promise;
  }

  /** Writes the one group that waits, if nothing else does, where the disk is quick about it. Else it takes its turn. */
  writeNow(): void {
    const [group] = this.#steps;
    if (this.#isUnderWay || this.#steps.length > 1 || group?.kind !== "write") return;
    try {
      if (!group.segment.log.writeNow(group.position, group.chunks)) return;
      this.#steps.length = 0;
      const finishing = this.#wrote(group);
      if (finishing === undefined) this.#settle(group);
      else this.#steps.push({ kind: "effect", run: () => finishing, done: group.done });
    } catch (error) {
      this.#failed(group, error);
    }
  }

  /** Resolves when all that is queued now has been done. Rejects when some of it has failed. */
  async settled(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#running === undefined) return;
    await (this.#steps.at(-1)?.done.promise ?? this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when nothing is under way any more, whatever became of it. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Rejects everything that waits; what is under way ends as it may and is not looked at. */
  fail(failure: KafkaStorageError): void {
    this.#failure ??= failure;
    for (const step of this.#steps.splice(0)) step.done.reject(failure);
    this.#pendingBytes = 0;
  }

  #add(step: WriteGroup | Effect): Written {
    if (this.#failure !== undefined) step.done.reject(this.#failure);
    else {
      this.#steps.push(step);
      this.#running ??= END_OF_CALLBACK.then(this.#run);
    }
    return step.done;
  }

  readonly #run = async (): Promise<void> => {
    this.#isUnderWay = true;
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      try {
        const doing = step.kind === "write" ? this.#write(step) : step.run();
        if (doing !== undefined) await doing;
      } catch (error) {
        this.#failed(step, error);
        break;
      }
      this.#settle(step);
    }
    this.#isUnderWay = false;
    this.#running = undefined;
  };

  #settle({ done }: WriteGroup | Effect): void {
    if (this.#failure === undefined) done.resolve();
    else done.reject(this.#failure);
  }

  #failed({ done }: WriteGroup | Effect, error: unknown): void {
    const failure = this.#failure ?? this.#handlers.onFailure(error);
    done.reject(failure);
    this.fail(failure);
  }

  /** At once where the disk is quick about it. */
  #write(group: WriteGroup): Promise<void> | undefined {
    const { log } = group.segment;
    if (log.writeNow(group.position, group.chunks)) return this.#wrote(group);
    return log.write(group.position, group.chunks).then(() => this.#wrote(group));
  }

  #wrote(group: WriteGroup): Promise<void> | undefined {
    this.#pendingBytes = Math.max(0, this.#pendingBytes - group.bytes);
    if (this.#failure !== undefined) return undefined;
    group.segment.markWritten(group.position + group.bytes);
    return this.#handlers.onWritten(group.endOffset);
  }
}

function hasRoom(group: WriteGroup, bytes: Uint8Array): boolean {
  return group.bytes + bytes.length <= MOST_GROUP_BYTES && group.chunks.length < MOST_GROUP_CHUNKS;
}
