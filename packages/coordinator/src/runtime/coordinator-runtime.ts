import type { Clock } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { CompressionType } from "@samsa/protocol";
import { CoordinatorContext } from "./coordinator-context.ts";
import type { CoordinatorLog, CoordinatorShard, RecordSerde, Reply, Step } from "./coordinator-shard.ts";

export interface CoordinatorRuntimeOptions<R, S extends CoordinatorShard<R>> {
  readonly clock: Clock;
  readonly serde: RecordSerde<R>;
  readonly newShard: (leaderEpoch: number) => S;
  readonly compressionType: CompressionType;
  /** A partition that could not be loaded, or whose write failed. */
  readonly onProblem: (partition: number, error: unknown) => void;
}

/** One input of a shard: it decides, the runtime carries out. A KafkaError that it throws is the answer. */
export type Command<R, S, T> = (step: Step<R>, shard: S, reply: Reply<T>) => void;

/**
 * The partitions of a coordinator's topic that this broker leads (Kafka's CoordinatorRuntime). A command yields records and
 * answers; the records yield the state; an answer leaves when the records before it are committed. Leadership comes and goes
 * with `load` and `unload`.
 */
export class CoordinatorRuntime<R, S extends CoordinatorShard<R>> {
  readonly #options: CoordinatorRuntimeOptions<R, S>;
  readonly #contexts = new Map<number, CoordinatorContext<R, S>>();

  constructor(options: CoordinatorRuntimeOptions<R, S>) {
    this.#options = options;
  }

  /** Partitions that are led here, loaded or not. */
  get partitions(): readonly number[] {
    return [...this.#contexts.keys()];
  }

  /** This broker leads the partition now. An epoch that is held already, or an older one, is ignored. */
  load(partition: number, leaderEpoch: number, log: CoordinatorLog): void {
    const held = this.#contexts.get(partition);
    if (held !== undefined && held.leaderEpoch >= leaderEpoch) return;
    held?.close();
    this.#start(partition, leaderEpoch, log);
  }

  /** This broker leads the partition no more: whoever waits is answered NOT_COORDINATOR, and no timer fires again. */
  unload(partition: number): void {
    this.#contexts.get(partition)?.close();
    this.#contexts.delete(partition);
  }

  close(): void {
    for (const partition of this.partitions) this.unload(partition);
  }

  /** At once where nothing has to be waited for. Rejects with KafkaError NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, or what the command throws. */
  schedule<T>(partition: number, command: Command<R, S, T>): T | Promise<T> {
    const context = this.#contexts.get(partition);
    if (context === undefined) {
      return Promise.reject(
        new KafkaError(ErrorCode.NOT_COORDINATOR, "this broker does not lead the partition of the coordinator"),
      );
    }
    return context.schedule(command);
  }

  /** Runs a step that nobody waits for, on every partition that is loaded. */
  forEach(input: (step: Step<R>, shard: S) => void): void {
    for (const context of this.#contexts.values()) context.run(input);
  }

  #start(partition: number, leaderEpoch: number, log: CoordinatorLog): void {
    const { clock, serde, newShard, compressionType, onProblem } = this.#options;
    const context = new CoordinatorContext<R, S>({
      leaderEpoch,
      log,
      clock,
      serde,
      compressionType,
      shard: newShard(leaderEpoch),
      onWriteFailed: (error) => {
        onProblem(partition, error);
        // What had been replayed is gone from the disk: the state is made anew from what is there.
        if (this.#contexts.get(partition) === context) this.#start(partition, leaderEpoch, log);
      },
      onLoadFailed: (error) => onProblem(partition, error),
    });
    this.#contexts.set(partition, context);
    context.load();
  }
}
