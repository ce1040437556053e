import type { Clock, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { DirectoryAssignment, QuorumController } from "@samsa/controller";

export interface DirectoryReporterOptions {
  readonly clock: Clock;
  readonly nodeId: number;
  /** So long the controller may take to hear of a failed directory (`log.dir.failure.timeout.ms`). */
  readonly failureTimeoutMs: number;
  readonly onFatal: (error: unknown) => void;
}

type Controller = Pick<QuorumController, "assignReplicasToDirs" | "cordonDirectories" | "handleDirectoriesOffline">;

/**
 * Tells the controller what only this broker knows of its data directories: where replicas are, and which directory has failed
 * (Kafka's AssignmentsManager, and part of its heartbeats). What is told before the broker is registered waits for it.
 */
export class DirectoryReporter {
  readonly #options: DirectoryReporterOptions;
  readonly #registered: Promise<{ readonly controller: Controller; readonly brokerEpoch: number }>;
  #begin: (registered: { readonly controller: Controller; readonly brokerEpoch: number }) => void = () => undefined;
  #waiting: DirectoryAssignment[] = [];
  #next: Promise<void> | undefined; // tells what waits
  #last: Promise<void> = Promise.resolve();

  constructor(options: DirectoryReporterOptions) {
    this.#options = options;
    this.#registered = new Promise((resolve) => (this.#begin = resolve));
  }

  /** The broker is registered under this epoch. */
  begin(controller: Controller, brokerEpoch: number): void {
    this.#begin({ controller, brokerEpoch });
  }

  /** Resolves when the metadata says so. What comes while the controller is being told goes out at once afterwards. */
  assign(assignment: DirectoryAssignment): Promise<void> {
    this.#waiting.push(assignment);
    this.#next ??= this.#last.then(() => this.#tell());
    return this.#next;
  }

  /** A broker that cannot tell of it in time stops: the cluster would go on to rely on what is lost. */
  directoryFailed(directoryId: Uuid): void {
    const { clock, nodeId, failureTimeoutMs, onFatal } = this.#options;
    const timer = clock.setTimer(failureTimeoutMs, () =>
      onFatal(
        new KafkaError(
          ErrorCode.KAFKA_STORAGE_ERROR,
          `the controller could not be told of the failed directory ${directoryId} in ${failureTimeoutMs} ms`,
        ),
      ),
    );
    void this.#registered
      .then(({ controller, brokerEpoch }) => controller.handleDirectoriesOffline(nodeId, brokerEpoch, [directoryId]))
      .catch(() => undefined) // the node is stopping
      .finally(() => timer.cancel());
  }

  /** These directories get no new replicas. */
  directoriesCordoned(directoryIds: readonly Uuid[]): void {
    void this.#registered
      .then(({ controller, brokerEpoch }) =>
        controller.cordonDirectories(this.#options.nodeId, brokerEpoch, directoryIds),
      )
      .catch(() => undefined); // the node is stopping
  }

  async #tell(): Promise<void> {
    const { controller, brokerEpoch } = await this.#registered;
    const assignments = this.#waiting;
    this.#waiting = [];
    const told = controller.assignReplicasToDirs(this.#options.nodeId, brokerEpoch, assignments);
    this.#next = undefined;
    this.#last = told.catch(() => undefined);
    return await told;
  }
}
