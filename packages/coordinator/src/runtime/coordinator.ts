import { assert, ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import type { Command, CoordinatorRuntimeOptions } from "./coordinator-runtime.ts";
import { CoordinatorRuntime } from "./coordinator-runtime.ts";
import type { CoordinatorLog, CoordinatorShard, Reply, Step } from "./coordinator-shard.ts";
import { partitionForKey } from "./partition-for-key.ts";

export interface CoordinatorOptions<R, S extends CoordinatorShard<R>> extends CoordinatorRuntimeOptions<R, S> {
  readonly topicName: string;
  /** What everyone is answered while the topic is not there. */
  readonly withoutTopic: ErrorCode;
}

/**
 * What the coordinators of a broker have in common: each key (a group, a transactional id) belongs to the partition of an internal
 * topic that it hashes to, and whoever leads that partition coordinates what has the key.
 */
export abstract class Coordinator<R, S extends CoordinatorShard<R>> {
  readonly #runtime: CoordinatorRuntime<R, S>;
  readonly #topicName: string;
  readonly #withoutTopic: ErrorCode;
  #partitionCount = 0;

  constructor({ topicName, withoutTopic, ...runtime }: CoordinatorOptions<R, S>) {
    this.#topicName = topicName;
    this.#withoutTopic = withoutTopic;
    this.#runtime = new CoordinatorRuntime(runtime);
  }

  /** The topic is there, with so many partitions; 0 when it is not. */
  setPartitionCount(count: number): void {
    this.#partitionCount = count;
  }

  /** The partition of the topic that a key belongs to. */
  partitionFor(key: string): number {
    assert(this.#partitionCount > 0, "a key has a partition when the topic is there");
    return partitionForKey(key, this.#partitionCount);
  }

  /** This broker leads the partition now. An epoch that is held already, or an older one, is ignored. */
  load(partition: number, leaderEpoch: number, log: CoordinatorLog): void {
    this.#runtime.load(partition, leaderEpoch, log);
  }

  /** It does so no more: whoever waits is answered NOT_COORDINATOR, and what was under way is somebody else's. */
  unload(partition: number): void {
    this.#runtime.unload(partition);
  }

  /** Partitions that are led here, loaded or not. */
  get partitions(): readonly number[] {
    return this.#runtime.partitions;
  }

  close(): void {
    this.#runtime.close();
  }

  /** At once where nothing has to be waited for. Rejects with a KafkaError that is the answer, NOT_COORDINATOR and COORDINATOR_LOAD_IN_PROGRESS among them. */
  protected schedule<T>(key: string, command: Command<R, S, T>): T | Promise<T> {
    if (this.#partitionCount === 0) {
      return Promise.reject(new KafkaError(this.#withoutTopic, `there is no ${this.#topicName} yet`));
    }
    return this.scheduleOn(this.partitionFor(key), command);
  }

  protected scheduleOn<T>(partition: number, command: Command<R, S, T>): T | Promise<T> {
    return this.#runtime.schedule(partition, command);
  }

  /** What each partition that is led here tells, in one list. Rejects with COORDINATOR_LOAD_IN_PROGRESS while one is loaded. */
  protected async collect<T>(tell: (shard: S) => readonly T[]): Promise<readonly T[]> {
    const command = (step: Step<R>, shard: S, reply: Reply<readonly T[]>): void => step.reply(reply, tell(shard));
    const lists = this.partitions.map(async (partition) => {
      try {
        return await this.scheduleOn(partition, command);
      } catch (error) {
        if (errorCodeOf(error) === ErrorCode.NOT_COORDINATOR) return []; // since just now
        throw error;
      }
    });
    return (await Promise.all(lists)).flat();
  }

  /** Runs a step that nobody waits for, on every partition that is loaded. */
  protected forEach(input: (step: Step<R>, shard: S) => void): void {
    this.#runtime.forEach(input);
  }
}
