import type { ApiMessageCodec, MessageFields } from "@samsa/protocol";
import { AbortTransactionRecord } from "@samsa/protocol/messages/abort-transaction-record";
import { AccessControlEntryRecord } from "@samsa/protocol/messages/access-control-entry-record";
import { BeginTransactionRecord } from "@samsa/protocol/messages/begin-transaction-record";
import { BrokerRegistrationChangeRecord } from "@samsa/protocol/messages/broker-registration-change-record";
import { ClearElrRecord } from "@samsa/protocol/messages/clear-elr-record";
import { ClientQuotaRecord } from "@samsa/protocol/messages/client-quota-record";
import { ConfigRecord } from "@samsa/protocol/messages/config-record";
import { DelegationTokenRecord } from "@samsa/protocol/messages/delegation-token-record";
import { EndTransactionRecord } from "@samsa/protocol/messages/end-transaction-record";
import { FeatureLevelRecord } from "@samsa/protocol/messages/feature-level-record";
import { FenceBrokerRecord } from "@samsa/protocol/messages/fence-broker-record";
import { NoOpRecord } from "@samsa/protocol/messages/no-op-record";
import { PartitionChangeRecord } from "@samsa/protocol/messages/partition-change-record";
import { PartitionRecord } from "@samsa/protocol/messages/partition-record";
import { ProducerIdsRecord } from "@samsa/protocol/messages/producer-ids-record";
import { RegisterBrokerRecord } from "@samsa/protocol/messages/register-broker-record";
import { RegisterControllerRecord } from "@samsa/protocol/messages/register-controller-record";
import { RemoveAccessControlEntryRecord } from "@samsa/protocol/messages/remove-access-control-entry-record";
import { RemoveDelegationTokenRecord } from "@samsa/protocol/messages/remove-delegation-token-record";
import { RemoveTopicRecord } from "@samsa/protocol/messages/remove-topic-record";
import { RemoveUserScramCredentialRecord } from "@samsa/protocol/messages/remove-user-scram-credential-record";
import { TopicRecord } from "@samsa/protocol/messages/topic-record";
import { UnfenceBrokerRecord } from "@samsa/protocol/messages/unfence-broker-record";
import { UnregisterBrokerRecord } from "@samsa/protocol/messages/unregister-broker-record";
import { UnregisterControllerRecord } from "@samsa/protocol/messages/unregister-controller-record";
import { UserScramCredentialRecord } from "@samsa/protocol/messages/user-scram-credential-record";
import { ZkMigrationStateRecord } from "@samsa/protocol/messages/zk-migration-state-record";

/** Every record that `__cluster_metadata` may hold, by Kafka's name. */
export const METADATA_RECORD_CODECS = {
  AbortTransactionRecord,
  AccessControlEntryRecord,
  BeginTransactionRecord,
  BrokerRegistrationChangeRecord,
  ClearElrRecord,
  ClientQuotaRecord,
  ConfigRecord,
  DelegationTokenRecord,
  EndTransactionRecord,
  FeatureLevelRecord,
  FenceBrokerRecord,
  NoOpRecord,
  PartitionChangeRecord,
  PartitionRecord,
  ProducerIdsRecord,
  RegisterBrokerRecord,
  RegisterControllerRecord,
  RemoveAccessControlEntryRecord,
  RemoveDelegationTokenRecord,
  RemoveTopicRecord,
  RemoveUserScramCredentialRecord,
  TopicRecord,
  UnfenceBrokerRecord,
  UnregisterBrokerRecord,
  UnregisterControllerRecord,
  UserScramCredentialRecord,
  ZkMigrationStateRecord,
} as const;

export type MetadataRecordType = keyof typeof METADATA_RECORD_CODECS;

export type MetadataMessage<T extends MetadataRecordType> =
  (typeof METADATA_RECORD_CODECS)[T] extends ApiMessageCodec<infer M> ? M : never;

/** A message and the version in which it is stored: Kafka's ApiMessageAndVersion. */
export interface MetadataRecordOf<T extends MetadataRecordType> {
  readonly type: T;
  readonly version: number;
  readonly message: MetadataMessage<T>;
}

export type MetadataRecord = { [T in MetadataRecordType]: MetadataRecordOf<T> }[MetadataRecordType];

/**
 * @param version the highest of the message unless given, which is what metadata.version 4.4-IV2 writes. Kafka stores
 *   BrokerRegistrationChangeRecord in the lowest version that holds what changed
 */
export function metadataRecord<T extends MetadataRecordType>(
  type: T,
  fields: MessageFields<MetadataMessage<T>>,
  version?: number,
): MetadataRecordOf<T> {
  // The table gives each type the codec of its own message; the compiler cannot follow that through a union.
  const codec = METADATA_RECORD_CODECS[type] as unknown as ApiMessageCodec<MetadataMessage<T>>;
  return { type, version: version ?? codec.highestVersion, message: codec.create(fields) };
}
