import { addOffsetsToTxn } from "./handlers/add-offsets-to-txn.ts";
import { addPartitionsToTxn } from "./handlers/add-partitions-to-txn.ts";
import { alterReplicaLogDirs } from "./handlers/alter-replica-log-dirs.ts";
import { apiVersions } from "./handlers/api-versions.ts";
import { createTopics } from "./handlers/create-topics.ts";
import { deleteRecords } from "./handlers/delete-records.ts";
import { deleteTopics } from "./handlers/delete-topics.ts";
import { describeCluster } from "./handlers/describe-cluster.ts";
import { describeConfigs } from "./handlers/describe-configs.ts";
import { describeLogDirs } from "./handlers/describe-log-dirs.ts";
import { describeTransactions } from "./handlers/describe-transactions.ts";
import { endTxn } from "./handlers/end-txn.ts";
import { fetch } from "./handlers/fetch.ts";
import { findCoordinator } from "./handlers/find-coordinator.ts";
import { initProducerId } from "./handlers/init-producer-id.ts";
import { listOffsets } from "./handlers/list-offsets.ts";
import { listTransactions } from "./handlers/list-transactions.ts";
import { metadata } from "./handlers/metadata.ts";
import { offsetForLeaderEpoch } from "./handlers/offset-for-leader-epoch.ts";
import { produce } from "./handlers/produce.ts";
import { alterConfigs } from "./handlers/alter-configs.ts";
import { createPartitions } from "./handlers/create-partitions.ts";
import { describeTopicPartitions } from "./handlers/describe-topic-partitions.ts";
import { incrementalAlterConfigs } from "./handlers/incremental-alter-configs.ts";
import { listConfigResources } from "./handlers/list-config-resources.ts";
import { electLeaders } from "./handlers/elect-leaders.ts";
import { alterPartitionReassignments } from "./handlers/alter-partition-reassignments.ts";
import { listPartitionReassignments } from "./handlers/list-partition-reassignments.ts";
import { updateFeatures } from "./handlers/update-features.ts";
import { describeQuorum } from "./handlers/describe-quorum.ts";
import { describeProducers } from "./handlers/describe-producers.ts";
import { unregisterBroker } from "./handlers/unregister-broker.ts";
import { describeClientQuotas } from "./handlers/describe-client-quotas.ts";
import { alterClientQuotas } from "./handlers/alter-client-quotas.ts";
import { consumerGroupDescribe } from "./handlers/consumer-group-describe.ts";
import { consumerGroupHeartbeat } from "./handlers/consumer-group-heartbeat.ts";
import { joinGroup } from "./handlers/join-group.ts";
import { syncGroup } from "./handlers/sync-group.ts";
import { heartbeat } from "./handlers/heartbeat.ts";
import { leaveGroup } from "./handlers/leave-group.ts";
import { describeGroups } from "./handlers/describe-groups.ts";
import { listGroups } from "./handlers/list-groups.ts";
import { deleteGroups } from "./handlers/delete-groups.ts";
import { offsetCommit } from "./handlers/offset-commit.ts";
import { offsetFetch } from "./handlers/offset-fetch.ts";
import { offsetDelete } from "./handlers/offset-delete.ts";
import { alterUserScramCredentials } from "./handlers/alter-user-scram-credentials.ts";
import { describeUserScramCredentials } from "./handlers/describe-user-scram-credentials.ts";
import { txnOffsetCommit } from "./handlers/txn-offset-commit.ts";
import { writeTxnMarkers } from "./handlers/write-txn-markers.ts";
import { addRaftVoter } from "./handlers/add-raft-voter.ts";
import { removeRaftVoter } from "./handlers/remove-raft-voter.ts";
import { getTelemetrySubscriptions } from "./handlers/get-telemetry-subscriptions.ts";
import { pushTelemetry } from "./handlers/push-telemetry.ts";
import type { ApiEndpoint } from "./request-dispatcher.ts";
import { endpoint } from "./request-dispatcher.ts";

/** Every API that this broker serves, by key; what is not here is not advertised, and closes the connection. */
export const API_ENDPOINTS: readonly ApiEndpoint[] = [
  endpoint(produce),
  endpoint(fetch),
  endpoint(listOffsets),
  endpoint(metadata),
  endpoint(findCoordinator),
  endpoint(joinGroup),
  endpoint(syncGroup),
  endpoint(heartbeat),
  endpoint(leaveGroup),
  endpoint(describeGroups),
  endpoint(listGroups),
  endpoint(deleteGroups),
  endpoint(offsetCommit),
  endpoint(offsetFetch),
  endpoint(offsetDelete),
  endpoint(apiVersions),
  endpoint(createTopics),
  endpoint(deleteTopics),
  endpoint(deleteRecords),
  endpoint(initProducerId),
  endpoint(offsetForLeaderEpoch),
  endpoint(addPartitionsToTxn),
  endpoint(addOffsetsToTxn),
  endpoint(endTxn),
  endpoint(writeTxnMarkers),
  endpoint(txnOffsetCommit),
  endpoint(describeConfigs),
  endpoint(alterConfigs),
  endpoint(createPartitions),
  endpoint(electLeaders),
  endpoint(incrementalAlterConfigs),
  endpoint(alterPartitionReassignments),
  endpoint(listPartitionReassignments),
  endpoint(describeQuorum),
  endpoint(describeClientQuotas),
  endpoint(alterClientQuotas),
  endpoint(describeUserScramCredentials),
  endpoint(alterUserScramCredentials),
  endpoint(updateFeatures),
  endpoint(alterReplicaLogDirs),
  endpoint(describeLogDirs),
  endpoint(describeCluster),
  endpoint(describeProducers),
  endpoint(unregisterBroker),
  endpoint(describeTransactions),
  endpoint(listTransactions),
  endpoint(consumerGroupHeartbeat),
  endpoint(consumerGroupDescribe),
  endpoint(listConfigResources),
  endpoint(describeTopicPartitions),
  endpoint(addRaftVoter),
  endpoint(getTelemetrySubscriptions),
  endpoint(pushTelemetry),
  endpoint(removeRaftVoter),
];
