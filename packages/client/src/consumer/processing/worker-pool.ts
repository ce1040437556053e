import type { Thread, Threads } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import { parentThread, WorkerThreads } from "@samsa/io";
import { ClosedError, ConfigurationError } from "../../errors.ts";
import { checkNames } from "../../options.ts";
import type { ConsumerRecord } from "../consumer-record.ts";

/** A thread ended with records in hand. Whether they were handled is not known, so they count as not handled. */
export class WorkerEndedError extends KafkaError {
  override readonly name = "WorkerEndedError";

  constructor(script: string, cause: Error | undefined) {
    const reason = cause === undefined ? "it ended" : cause.message;
    super(ErrorCode.UNKNOWN_SERVER_ERROR, `the worker thread of ${script}: ${reason}`, { cause });
  }
}

export interface WorkerPoolOptions {
  /** Default: as many as the machine runs at a time. */
  readonly threads?: number | undefined;
  /** Where threads come from; for tests. */
  readonly source?: Threads;
}

/** To a thread. */
interface Job {
  readonly id: number;
  readonly record: unknown;
}

/** From a thread. */
interface Answer {
  readonly id: number;
  readonly failure: { readonly error: unknown } | undefined;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface PoolThread {
  readonly thread: Thread;
  readonly waiting: Map<number, Waiting>;
}

/**
 * Handlers in threads of their own, for work that would block the event loop: fetching and heartbeats go on meanwhile.
 *
 *   await using pool = new WorkerPool(new URL("handler.js", import.meta.url));
 *   await consumer.run({ eachRecord: pool.eachRecord, concurrency: pool.threads, orderedBy: "key" });
 *
 * The guarantees are those of the run: a record is done when its thread says so. What a handler throws is thrown here, and a
 * thread that dies fails the records it had, so that they are tried again, or handed out again.
 */
export class WorkerPool<K = Uint8Array, V = Uint8Array> implements AsyncDisposable {
  readonly threads: number;
  readonly #script: URL;
  readonly #source: Threads;
  readonly #running: PoolThread[] = [];
  #ids = 0;
  #isClosed = false;

  /** @param script a module that calls `handleRecords` */
  constructor(script: URL, options: WorkerPoolOptions = {}) {
    if (!(script instanceof URL)) {
      throw new ConfigurationError(
        'new WorkerPool(): the script is a URL, as in new URL("handler.js", import.meta.url)',
      );
    }
    checkNames("new WorkerPool()", options, ["threads", "source"]);
    const { threads, source = new WorkerThreads() } = options;
    const count = threads ?? source.parallelism;
    if (!Number.isInteger(count) || count < 1) {
      throw new ConfigurationError(`new WorkerPool(): threads is ${count}; wanted is a whole number from 1`);
    }
    this.threads = count;
    this.#script = script;
    this.#source = source;
  }

  /** Has a thread handle it, the one that has least to do. @throws what the handler throws, WorkerEndedError, ClosedError */
  readonly eachRecord = (record: ConsumerRecord<K, V>): Promise<void> => {
    if (this.#isClosed) return Promise.reject(new ClosedError("the pool of threads"));
    const { thread, waiting } = this.#leastBusy();
    const id = this.#ids++;
    const [copy, buffers] = movable(record);
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      try {
        thread.post({ id, record: copy } satisfies Job, buffers);
      } catch (error) {
        waiting.delete(id);
        reject(error); // there is something in it that cannot be copied, such as a function
      }
    });
  };

  /** Ends the threads. Records that they have in hand fail: end the run first. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#running].map(({ thread }) => thread.terminate()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #leastBusy(): PoolThread {
    let least: PoolThread | undefined;
    for (const one of this.#running) if (least === undefined || one.waiting.size < least.waiting.size) least = one;
    if (least !== undefined && (least.waiting.size === 0 || this.#running.length >= this.threads)) return least;
    return this.#start();
  }

  #start(): PoolThread {
    const waiting = new Map<number, Waiting>();
    const thread = this.#source.start(this.#script, {
      onMessage: (message) => {
        const { id, failure } = message as Answer;
        const told = waiting.get(id);
        waiting.delete(id);
        if (failure === undefined) told?.resolve();
        else told?.reject(failure.error);
      },
      onEnd: (error) => {
        this.#running.splice(this.#running.indexOf(one), 1);
        const ended = this.#isClosed ? new ClosedError("the pool of threads") : undefined;
        for (const told of waiting.values()) told.reject(ended ?? new WorkerEndedError(this.#script.href, error));
        waiting.clear();
      },
    });
    const one = { thread, waiting };
    this.#running.push(one);
    return one;
  }
}

/**
 * In the script of a WorkerPool: handles the records that come, as many at a time as the run hands over.
 * @throws ConfigurationError in the main thread
 */
export function handleRecords<K = Uint8Array, V = Uint8Array>(
  handler: (record: ConsumerRecord<K, V>) => Promise<void> | void,
): void {
  const parent = parentThread();
  if (parent === undefined) throw new ConfigurationError("handleRecords is for the script of a WorkerPool");
  const handle = async ({ id, record }: Job): Promise<void> => {
    try {
      await handler(record as ConsumerRecord<K, V>);
      parent.post({ id, failure: undefined } satisfies Answer);
    } catch (error) {
      answerFailure(id, error);
    }
  };
  const answerFailure = (id: number, error: unknown): void => {
    try {
      parent.post({ id, failure: { error } } satisfies Answer);
    } catch {
      // It has something in it that cannot be copied; its words can.
      const copy = error instanceof Error ? new Error(error.message, { cause: error.stack }) : new Error(String(error));
      parent.post({ id, failure: { error: copy } } satisfies Answer);
    }
  };
  parent.onMessage((message) => void handle(message as Job));
}

/** A view of bytes would take all that was fetched with it to the other thread: bytes are copied once here, and then moved. */
function movable<K, V>(record: ConsumerRecord<K, V>): [record: unknown, buffers: ArrayBuffer[]] {
  const buffers: ArrayBuffer[] = [];
  const move = (value: unknown): unknown => {
    if (!(value instanceof Uint8Array)) return value;
    const copy = Uint8Array.from(value);
    buffers.push(copy.buffer);
    return copy;
  };
  const { key, value, headers } = record;
  const moved = headers.map((header) => ({ key: header.key, value: move(header.value) }));
  return [{ ...record, key: move(key), value: move(value), headers: moved }, buffers];
}
