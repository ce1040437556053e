export { Admin } from "./admin/admin.ts";
export type { ClusterDescription, CreatedTopic, NewTopic } from "./admin/admin.ts";
export { adviceFor } from "./advice.ts";
export { NO_OFFSET } from "./cluster/list-offsets.ts";
export type { IsolationLevel, ListedOffset, OffsetQuery, OffsetSpec } from "./cluster/list-offsets.ts";
export type { BrokerNode, PartitionMetadata, TopicMetadata, TopicPartition } from "./cluster/topic-metadata.ts";
export { Consumer } from "./consumer/consumer.ts";
export type { Assignment, IterationOptions } from "./consumer/consumer.ts";
export type { ConsumerCounters } from "./consumer/consumer-counters.ts";
export type { AutoOffsetReset, ConsumerOptions } from "./consumer/consumer-options.ts";
export { ConsumerBatch } from "./consumer/consumer-record.ts";
export type { ConsumerRecord } from "./consumer/consumer-record.ts";
export { DecodeError } from "./consumer/decode-error.ts";
export type { DecodeErrorPolicy, UndecodedRecord } from "./consumer/decode-error.ts";
export { LogTruncationError } from "./consumer/log-truncation-error.ts";
export type { RunOptions } from "./consumer/run.ts";
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
export { Kafka } from "./kafka.ts";
export type { KafkaOptions } from "./kafka.ts";
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
export type { ProducerOptions } from "./producer/producer-options.ts";
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
export type { OAuthBearerToken } from "@samsa/security";
