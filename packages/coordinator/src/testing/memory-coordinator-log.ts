import { ErrorCode, KafkaError } from "@samsa/base";
import type { CoordinatorAppend, CoordinatorLog } from "../runtime/coordinator-shard.ts";

interface PendingAppend {
  readonly resolve: () => void;
  readonly reject: (error: KafkaError) => void;
}

/** A partition in memory. What is appended is committed when `commit` is called, or at once while `isHeld` is false. */
export class MemoryCoordinatorLog implements CoordinatorLog {
  readonly batches: Uint8Array[] = [];
  #committed = 0;
  readonly #pending: PendingAppend[] = [];
  /** Appends wait for `commit`. */
  isHeld = false;
  /** What is not held is committed when the coordinator asks, not when it listens. */
  isPrompt = true;
  /** Set to have the next append refused at once. */
  refusal: KafkaError | undefined;
  /** Set to have a load wait. */
  loadGate: Promise<void> | undefined;

  async load(onRecords: (batches: Uint8Array) => void): Promise<void> {
    await this.loadGate;
    for (const batch of this.batches) onRecords(batch);
  }

  append(batch: Uint8Array): CoordinatorAppend {
    const { refusal } = this;
    this.refusal = undefined;
    if (refusal !== undefined) throw refusal;
    this.batches.push(batch);
    if (!this.isHeld) {
      this.#committed = this.batches.length;
      return { commitNow: () => this.isPrompt && this.#pending.length === 0, committed: () => Promise.resolve() };
    }
    const committed = new Promise<void>((resolve, reject) => this.#pending.push({ resolve, reject }));
    committed.catch(() => undefined); // nobody asks after a crash
    return { commitNow: () => false, committed: () => committed };
  }

  get pendingAppends(): number {
    return this.#pending.length;
  }

  /** The oldest appends that wait are on the disk. */
  commit(count = this.#pending.length): void {
    for (const { resolve } of this.#pending.splice(0, count)) {
      this.#committed++;
      resolve();
    }
  }

  /** The disk fails: what waits is lost. */
  fail(code: ErrorCode = ErrorCode.KAFKA_STORAGE_ERROR): void {
    this.batches.length = this.#committed;
    for (const { reject } of this.#pending.splice(0)) reject(new KafkaError(code));
  }

  /** A crash: what was committed is there, and of the rest as much as the disk happened to have. */
  crashed(keptPending: number): MemoryCoordinatorLog {
    const survivor = new MemoryCoordinatorLog();
    survivor.batches.push(...this.batches.slice(0, this.#committed + keptPending));
    survivor.#committed = survivor.batches.length;
    return survivor;
  }
}
