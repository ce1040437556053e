import { KafkaStorageError, OffsetOutOfRangeError } from "./errors.ts";

export interface LogFenceOptions {
  readonly name: string; // of the log, for messages
  readonly directory: () => string; // for messages
  /** Called once, when something has failed. */
  readonly onFailure: (failure: KafkaStorageError) => void;
}

/** What keeps a log from going on after its disk has failed, or after it was closed. */
export class LogFence {
  readonly #options: LogFenceOptions;
  #failure: KafkaStorageError | undefined;
  #isClosed = false;

  constructor(options: LogFenceOptions) {
    this.#options = options;
  }

  /** Why the log is fenced. */
  get failure(): KafkaStorageError | undefined {
    return this.#failure;
  }

  /** Neither fenced nor closed. */
  get isUsable(): boolean {
    return this.#failure === undefined && !this.#isClosed;
  }

  /** @throws KafkaStorageError unless the log is usable */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new KafkaStorageError(`${this.#options.name} is closed`);
  }

  /** Does something with the disk. Whatever goes wrong with it fences the log. */
  async guard<T>(action: () => Promise<T>): Promise<T> {
    this.check();
    try {
      return await action();
    } catch (error) {
      if (error instanceof OffsetOutOfRangeError) throw error;
      throw this.fail(error);
    }
  }

  /** Fences the log. What goes wrong after the first failure, or after the close, changes nothing. */
  fail(cause: unknown): KafkaStorageError {
    const { name, directory, onFailure } = this.#options;
    if (this.#isClosed) return new KafkaStorageError(`${name} is closed`, { cause });
    if (this.#failure !== undefined) return this.#failure;
    const message = cause instanceof Error ? cause.message : String(cause);
    const failure = new KafkaStorageError(`${name} in ${directory()} is offline: ${message}`, { cause });
    this.#failure = failure;
    onFailure(failure);
    return failure;
  }

  close(): void {
    this.#isClosed = true;
  }
}
