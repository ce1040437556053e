export { bootstrapRecords } from "./bootstrap-records.ts";
export { clientQuotaKey } from "./client-quotas-image.ts";
export type { ClientQuota, ClientQuotaEntityPart, ClientQuotasImage } from "./client-quotas-image.ts";
export { ClusterDelta, hasOnlineDirectory, isActive, isAlive } from "./cluster-image.ts";
export type { BrokerRegistration, ClusterImage, ControllerRegistration, Endpoint } from "./cluster-image.ts";
export { BrokerConfig } from "./config/broker-config.ts";
export { ConfigTypeCode } from "./config/config-definition.ts";
export type { ConfigDefinition, ConfigImportance, ConfigType, ConfigValue } from "./config/config-definition.ts";
export {
  BROKER_CONFIGS,
  brokerConfigDefinition,
  CLIENT_METRICS_CONFIGS,
  GROUP_CONFIG_DEFINITIONS,
  TOPIC_CONFIGS,
} from "./config/config-definitions.ts";
export { ConfigResourceType, ConfigSource } from "./config/config-resource.ts";
export { canonicalConfigText, formatConfigValue, parseConfigValue } from "./config/config-value.ts";
export {
  describeBrokerConfigs,
  describeClientMetricsConfigs,
  describeDefaultBrokerConfigs,
  describeGroupConfigs,
  describeTopicConfig,
  describeTopicConfigs,
} from "./config/describe-configs.ts";
export type { DescribedConfig, DescribedSynonym } from "./config/describe-configs.ts";
export {
  DYNAMIC_BROKER_CONFIG_NAMES,
  isPerBrokerConfig,
  LISTENER_ONLY_CONFIG_NAMES,
  listenerConfigBase,
} from "./config/dynamic-broker-configs.ts";
export { EffectiveBrokerConfig, GroupConfig, isUsableBrokerConfig, TopicConfig } from "./config/effective-config.ts";
export { validateClientMetricsConfigs, validateGroupConfigs } from "./config/group-config-validation.ts";
export { InvalidConfigError } from "./config/invalid-config-error.ts";
export { resolveTopicConfigs } from "./config/resolve-topic-configs.ts";
export type { ResolvedConfig } from "./config/resolve-topic-configs.ts";
export { validateTopicConfigs } from "./config/topic-config-validation.ts";
export { TOPIC_CONFIG_SYNONYMS } from "./config/topic-config-synonyms.ts";
export type { TopicConfigSynonym } from "./config/topic-config-synonyms.ts";
export { ConfigsDelta, ConfigsImage } from "./configs-image.ts";
export type { ConfigResource, ResourceConfig, ResourceConfigDelta } from "./configs-image.ts";
export {
  BOOTSTRAP_FEATURE_LEVELS,
  ELIGIBLE_LEADER_REPLICAS_FEATURE,
  FEATURE_DEPENDENCIES,
  KRAFT_VERSION_FEATURE,
  LATEST_METADATA_VERSION,
  METADATA_VERSION_FEATURE,
  MetadataVersion,
  SUPPORTED_FEATURES,
} from "./features.ts";
export type { SupportedVersionRange } from "./features.ts";
export { FeaturesDelta, FeaturesImage } from "./features-image.ts";
export { brokerFields, controllerRecord, imageRecords } from "./image-records.ts";
export {
  checkMetaProperties,
  formatMetaProperties,
  InconsistentMetaPropertiesError,
  META_PROPERTIES_FILE,
  parseMetaProperties,
} from "./meta-properties.ts";
export type { MetaProperties } from "./meta-properties.ts";
export { decodeControlBatch, decodeMetadataBatch, encodeControlBatch, encodeMetadataBatch } from "./metadata-batch.ts";
export type { BatchPosition } from "./metadata-batch.ts";
export { MetadataDelta } from "./metadata-delta.ts";
export { EMPTY_IMAGE, EMPTY_PROVENANCE } from "./metadata-image.ts";
export type { MetadataImage, MetadataProvenance, ProducerIdsImage } from "./metadata-image.ts";
export { MetadataLoader } from "./metadata-loader.ts";
export type { MetadataBatch, MetadataPublisher, MetadataUpdate } from "./metadata-loader.ts";
export { metadataRecord } from "./metadata-record.ts";
export type { MetadataMessage, MetadataRecord, MetadataRecordOf, MetadataRecordType } from "./metadata-record.ts";
export { deserializeMetadataRecord, MetadataParseError, serializeMetadataRecord } from "./metadata-record-serde.ts";
export { MetadataReplayError } from "./metadata-replay-error.ts";
export {
  LeaderRecoveryState,
  mergePartition,
  NO_LEADER,
  NO_LEADER_CHANGE,
  partitionRecord,
} from "./partition-registration.ts";
export type { PartitionRegistration } from "./partition-registration.ts";
export {
  BOOTSTRAP_SNAPSHOT_ID,
  decodeSnapshot,
  encodeSnapshot,
  parseSnapshotFileName,
  quorumRecords,
  SnapshotCorruptError,
  snapshotFileName,
} from "./snapshot.ts";
export type { Snapshot, SnapshotId } from "./snapshot.ts";
export { SortedMap } from "./sorted-map.ts";
export {
  CLUSTER_METADATA_TOPIC_NAME,
  GROUP_METADATA_TOPIC_NAME,
  hasCollisionChars,
  isInternalTopic,
  SHARE_GROUP_STATE_TOPIC_NAME,
  topicNamesCollide,
  TRANSACTION_STATE_TOPIC_NAME,
  unifyCollisionChars,
} from "./topic-name.ts";
export { TopicsDelta } from "./topics-delta.ts";
export type { TopicDelta } from "./topics-delta.ts";
export { partitionOf } from "./topics-image.ts";
export type { TopicImage, TopicsImage } from "./topics-image.ts";
