import { ErrorCode, errorCodeOf } from "@samsa/base";
import type { TransactionMarker } from "@samsa/coordinator";
import { GROUP_METADATA_TOPIC_NAME } from "@samsa/metadata";
import { ControlRecordType, endTransactionMarker } from "@samsa/protocol";
import type { WriteTxnMarkersRequestWritableTxnMarker } from "@samsa/protocol/messages/write-txn-markers-request";
import type { WriteTxnMarkersResponseWritableTxnMarkerResult } from "@samsa/protocol/messages/write-txn-markers-response";
import type { BrokerServices } from "./broker-services.ts";
import { whenCommitted } from "./when-committed.ts";

export type MarkerWriting = Pick<BrokerServices, "replicas" | "groups" | "clock" | "logger">;

/**
 * Writes the markers that end transactions into partitions that this broker leads. In `__consumer_offsets` a marker settles the
 * offsets that the transaction has committed.
 *
 * @returns a result for each marker, in order, once all are below the high watermark or refused: NOT_LEADER_OR_FOLLOWER,
 *   UNKNOWN_TOPIC_OR_PARTITION, INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, or what the disk says. Never rejects.
 */
export function writeTxnMarkers(
  markers: readonly WriteTxnMarkersRequestWritableTxnMarker[],
  services: MarkerWriting,
): Promise<readonly WriteTxnMarkersResponseWritableTxnMarkerResult[]> {
  return Promise.all(markers.map((marker) => writeTxnMarker(marker, services)));
}

async function writeTxnMarker(
  request: WriteTxnMarkersRequestWritableTxnMarker,
  services: MarkerWriting,
): Promise<WriteTxnMarkersResponseWritableTxnMarkerResult> {
  const { producerId, producerEpoch, coordinatorEpoch, transactionVersion, transactionResult: isCommitted } = request;
  const marker = { producerId, producerEpoch, coordinatorEpoch, isCommitted, transactionVersion };
  const writes = request.topics.map(async ({ name, partitionIndexes }) => {
    const results = partitionIndexes.map(async (partitionIndex) => {
      const errorCode = await writeIntoPartition(name, partitionIndex, marker, services);
      return { partitionIndex, errorCode };
    });
    return { name, partitions: await Promise.all(results) };
  });
  return { producerId, topics: await Promise.all(writes) };
}

async function writeIntoPartition(
  topic: string,
  index: number,
  marker: TransactionMarker,
  { replicas, groups, clock, logger }: MarkerWriting,
): Promise<ErrorCode> {
  try {
    const partition = replicas.partition(topic, index);
    if (topic === GROUP_METADATA_TOPIC_NAME) {
      await groups.completeTransaction(index, marker);
      return ErrorCode.NONE;
    }
    const { producerId, producerEpoch, coordinatorEpoch, isCommitted, transactionVersion } = marker;
    const type = isCommitted ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
    const timestamp = clock.wallMs();
    const batch = endTransactionMarker({ type, producerId, producerEpoch, coordinatorEpoch, timestamp });
    const { info, written } = partition.appendRecordsToLeader(batch, "coordinator", { transactionVersion });
    await whenCommitted(partition, info.lastOffset, written);
    return ErrorCode.NONE;
  } catch (error) {
    const code = codeOf(error);
    if (code === ErrorCode.UNKNOWN_SERVER_ERROR) {
      logger.error({ topic, partition: index, err: error }, "a transaction marker could not be written");
    }
    return code;
  }
}

/** Of groups that are elsewhere, or not loaded yet, the coordinator of transactions knows only as of a partition that has moved. */
function codeOf(error: unknown): ErrorCode {
  const code = errorCodeOf(error);
  switch (code) {
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    default:
      return code;
  }
}
