import type { Disk } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import type { MetadataPublisher } from "@samsa/metadata";
import { BrokerConfig } from "@samsa/metadata";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import { formatDataDirectory } from "../format-data-directory.ts";
import { QuorumController } from "../quorum-controller.ts";
import type { SingleVoterQuorumOptions } from "../single-voter-quorum.ts";
import { SingleVoterQuorum } from "../single-voter-quorum.ts";

export const DIRECTORY = "/data";
const CONTROLLER_LISTENER = { name: "CONTROLLER", host: "127.0.0.1", port: 9093 };

export interface Node {
  readonly disk: Disk;
  readonly quorum: SingleVoterQuorum;
  readonly controller: QuorumController;
  /** What `onFatal` was told. */
  readonly failures: unknown[];
}

export interface NodeOptions {
  readonly disk?: Disk;
  readonly publishers?: readonly MetadataPublisher[];
  readonly seed?: number;
  readonly clock?: VirtualClock;
  /** Of the log and its snapshots. */
  readonly log?: Partial<SingleVoterQuorumOptions>;
  readonly snapshotBytes?: number;
}

/** Formats the directory when it is new, and starts quorum and controller. */
export async function startNode({
  disk = new MemoryDisk(),
  publishers = [],
  seed = 1,
  clock = new VirtualClock(),
  log = {},
  snapshotBytes = 20 * 1024 ** 2,
}: NodeOptions = {}): Promise<Node> {
  const random = new SeededRandom(seed);
  const shared = { disk, clock, random, directory: DIRECTORY, nodeId: 1 };
  const { directoryId, clusterId } = await formatDataDirectory({ ...shared, controllerListener: CONTROLLER_LISTENER });
  const quorum = await SingleVoterQuorum.open({ ...shared, directoryId, clusterId, ...log });
  const failures: unknown[] = [];
  const onFatal = (error: unknown): void => void failures.push(error);
  const controller = await QuorumController.start({
    config: BrokerConfig.of({ "node.id": "1" }),
    random,
    metadataLog: quorum,
    listeners: [{ ...CONTROLLER_LISTENER, securityProtocol: 0 }],
    publishers,
    snapshots: {
      clock,
      maxBytesSinceLastSnapshot: snapshotBytes,
      maxTimeSinceLastSnapshotMs: 3_600_000,
      onFailure: onFatal,
    },
    onFatal,
  });
  return { disk, quorum, controller, failures };
}
