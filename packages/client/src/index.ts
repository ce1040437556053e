export { Admin } from "./admin/admin.ts";
export type { IsolationOptions, ValidateOptions } from "./admin/admin.ts";
export { ItemResults } from "./admin/item-results.ts";
export type { AclBinding, AclFilter } from "./admin/acls.ts";
export type {
  ClusterDescription,
  DescribeClusterOptions,
  DescribedBroker,
  FeatureMetadata,
  FeatureRange,
  FeatureUpdate,
  NewRaftVoter,
  QuorumInfo,
  QuorumReplica,
  RaftVoter,
  ServedApi,
} from "./admin/cluster-info.ts";
export type {
  ConfigAlteration,
  ConfigEntry,
  ConfigResource,
  ConfigResourceType,
  DescribeConfigsOptions,
} from "./admin/configs.ts";
export type { DelegationToken, NewDelegationToken } from "./admin/delegation-tokens.ts";
export type { CommittedOffset, GroupOffsetsQuery, NewOffset, ShareGroupOffset } from "./admin/group-offsets.ts";
export type {
  ClassicGroupDescription,
  ClassicMember,
  ConsumerGroupDescription,
  ConsumerGroupMember,
  DescribeGroupsOptions,
  GroupFilter,
  GroupListing,
  MemberToRemove,
  ShareGroupDescription,
  ShareGroupMember,
  StreamsGroupDescription,
  StreamsGroupMember,
} from "./admin/groups.ts";
export type { LogDir, LogDirReplica, ReplicaMove } from "./admin/log-dirs.ts";
export type { AclOperation } from "./admin/names.ts";
export type { AdminOffsetQuery, AdminOffsetSpec, RecordsToDelete } from "./admin/offsets.ts";
export type { ClientQuotas, QuotaAlteration, QuotaEntity, QuotaFilter } from "./admin/quotas.ts";
export type { NewReassignment, OngoingReassignment } from "./admin/reassignments.ts";
export type { ScramAlteration, ScramCredential } from "./admin/scram.ts";
export type { CreatedTopic, NewPartitions, NewTopic } from "./admin/topics.ts";
export type {
  HangingTransaction,
  ProducerState,
  TransactionDescription,
  TransactionFilter,
  TransactionListing,
} from "./admin/transactions.ts";
export { adviceFor } from "./advice.ts";
export { NO_OFFSET } from "./cluster/list-offsets.ts";
export type { IsolationLevel, ListedOffset, OffsetQuery, OffsetSpec } from "./cluster/list-offsets.ts";
export type { BrokerNode, PartitionMetadata, TopicMetadata, TopicPartition } from "./cluster/topic-metadata.ts";
export type {
  AssignorTopic,
  GroupMember,
  LastAssignment,
  MemberAssignment,
  PartitionAssignor,
  RebalanceProtocol,
} from "./consumer/assignors/partition-assignor.ts";
export { rangeAssignor } from "./consumer/assignors/range-assignor.ts";
export { roundRobinAssignor } from "./consumer/assignors/round-robin-assignor.ts";
export { cooperativeStickyAssignor, stickyAssignor } from "./consumer/assignors/sticky-assignor.ts";
export { Consumer } from "./consumer/consumer.ts";
export type { Assignment, CloseOptions, IterationOptions, RecordPlace } from "./consumer/consumer.ts";
export type { ConsumerCounters } from "./consumer/consumer-counters.ts";
export { CONSUMER_OPTION_NAMES } from "./consumer/consumer-options.ts";
export type { AutoOffsetReset, ConsumerOptions } from "./consumer/consumer-options.ts";
export { ConsumerBatch } from "./consumer/consumer-record.ts";
export type { ConsumerRecord } from "./consumer/consumer-record.ts";
export { DecodeError } from "./consumer/decode-error.ts";
export type { DecodeErrorPolicy, UndecodedRecord } from "./consumer/decode-error.ts";
export { durationMs } from "./consumer/duration.ts";
export { CommitFailedError, RetriableCommitFailedError } from "./consumer/group/commit-errors.ts";
export type { TopicSelection } from "./consumer/group/topic-selection.ts";
export {
  EventLoopBlockedError,
  MaxPollIntervalExceededError,
  NoOffsetForPartitionError,
} from "./consumer/group/group-errors.ts";
export type { GroupOptions, GroupProtocol } from "./consumer/group/group-options.ts";
export type { ConsumerGroupMetadata, GroupMembershipOperation } from "./consumer/group/member.ts";
export type { CommittedPosition, OffsetToCommit } from "./consumer/group/offset-requests.ts";
export type { RebalanceListener } from "./consumer/group/rebalance-listener.ts";
export type { HeldRecord } from "./consumer/in-hand.ts";
export { LogTruncationError } from "./consumer/log-truncation-error.ts";
export { deadLetters, dueAt, FailureHeader, retryTopics } from "./consumer/processing/dead-letters.ts";
export type { DeadLetterOptions, RetryTopic, RetryTopicsOptions } from "./consumer/processing/dead-letters.ts";
export type { FailedRecord, FailurePolicy } from "./consumer/processing/failed-record.ts";
export type { CommitFunction, CompletedPosition } from "./consumer/processing/position-committer.ts";
export { handleRecords, WorkerEndedError, WorkerPool } from "./consumer/processing/worker-pool.ts";
export type { WorkerPoolOptions } from "./consumer/processing/worker-pool.ts";
export type { ExactlyOnceRunOptions, TransactionalProducer } from "./consumer/processing/exactly-once-run.ts";
export type { DeliveryGuarantee, HandlerRetries, RunOptions } from "./consumer/processing/run-options.ts";
export {
  BrokerError,
  BufferExhaustedError,
  ClosedError,
  ConfigurationError,
  ConnectionError,
  NoBrokerReachableError,
  RecordTooLargeError,
  RequestTimeoutError,
  SerialisationError,
  SomeItemsFailedError,
  TimeLimitError,
  UnsupportedVersionError,
} from "./errors.ts";
export { ExactlyOnce } from "./exactly-once.ts";
export type { ExactlyOnceCounters, ExactlyOnceOptions, Produced, ProducedRecord } from "./exactly-once.ts";
export { Kafka, KAFKA_OPTION_NAMES } from "./kafka.ts";
export type { KafkaOptions } from "./kafka.ts";
export { nearestName } from "./options.ts";
export type { OpenTelemetryApi } from "./observability/open-telemetry.ts";
export { traceContextOf } from "./observability/open-telemetry.ts";
export type {
  PartitionExplanation,
  PartitionerFunction,
  PartitionerInput,
  PartitionerName,
} from "./producer/partitioner.ts";
export { Producer } from "./producer/producer.ts";
export type { SendOptions } from "./producer/producer.ts";
export type { ProducerCounters } from "./producer/producer-counters.ts";
export { PRODUCER_OPTION_NAMES } from "./producer/producer-options.ts";
export type { ProducerOptions } from "./producer/producer-options.ts";
export type { OffsetSource } from "./producer/transaction.ts";
export { Transaction } from "./producer/transaction.ts";
export type { ProducerIdAndEpoch } from "./producer/transaction-errors.ts";
export {
  ProducerFencedError,
  TransactionAbortableError,
  TransactionAbortedError,
  TransactionStateError,
} from "./producer/transaction-errors.ts";
export { UNKNOWN_OFFSET } from "./producer/record.ts";
export type { Data, DeliveryCallback, ProducerHeader, ProducerRecord, RecordMetadata } from "./producer/record.ts";
export { serializers } from "./serialisers/serialisers.ts";
export type {
  DeserialisationContext,
  Deserializer,
  SerialisationContext,
  Serde,
  Serializer,
} from "./serialisers/serialiser.ts";
export type { ConnectionCounters } from "./connection/connection-counters.ts";
export type { SaslOptions, SecurityProtocol } from "./security-options.ts";
export { ErrorCode, KafkaError } from "@samsa/base";
export type { TlsClientOptions } from "@samsa/io";
export type { OAuthBearerToken, ScramMechanism } from "@samsa/security";
