import type { BrokerRegistration, ControllerRegistration, Endpoint } from "./cluster-image.ts";
import type { SupportedVersionRange } from "./features.ts";
import { METADATA_VERSION_FEATURE } from "./features.ts";
import type { MetadataImage } from "./metadata-image.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { metadataRecord } from "./metadata-record.ts";
import { partitionRecord } from "./partition-registration.ts";

/** The records that replay to this image: the contents of a snapshot. */
export function* imageRecords(image: MetadataImage): Generator<MetadataRecord, undefined, unknown> {
  const { metadataVersion, finalizedLevels } = image.features;
  // First of all, because it says what may follow.
  if (metadataVersion.level > 0) {
    yield metadataRecord("FeatureLevelRecord", { name: METADATA_VERSION_FEATURE, featureLevel: metadataVersion.level });
  }
  for (const [name, featureLevel] of finalizedLevels) {
    if (name !== METADATA_VERSION_FEATURE) yield metadataRecord("FeatureLevelRecord", { name, featureLevel });
  }
  for (const controller of image.cluster.controllers.values()) yield controllerRecord(controller);
  for (const broker of image.cluster.brokers.values()) {
    yield metadataRecord("RegisterBrokerRecord", brokerFields(broker), metadataVersion.registerBrokerRecordVersion);
  }
  for (const { name, id, partitions } of image.topics.byName.values()) {
    yield metadataRecord("TopicRecord", { name, topicId: id });
    for (const [partitionId, partition] of partitions) {
      yield partitionRecord(partitionId, id, partition, metadataVersion.partitionRecordVersion);
    }
  }
  for (const { type, name: resourceName, entries } of image.configs.resources()) {
    for (const [name, value] of entries) {
      yield metadataRecord("ConfigRecord", { resourceType: type, resourceName, name, value });
    }
  }
  for (const { entity, quotas } of image.clientQuotas.values()) {
    for (const [key, value] of quotas) yield metadataRecord("ClientQuotaRecord", { entity, key, value });
  }
  const { nextProducerId } = image.producerIds;
  if (nextProducerId >= 0) yield metadataRecord("ProducerIdsRecord", { brokerId: -1, brokerEpoch: -1, nextProducerId });
  for (const message of image.scram.values()) yield metadataRecord("UserScramCredentialRecord", message);
  for (const message of image.acls.values()) yield metadataRecord("AccessControlEntryRecord", message);
  for (const message of image.delegationTokens.values()) yield metadataRecord("DelegationTokenRecord", message);
}

/** The fields of the record that registers a broker so. */
export function brokerFields(broker: BrokerRegistration) {
  return {
    brokerId: broker.id,
    incarnationId: broker.incarnationId,
    brokerEpoch: broker.epoch,
    endPoints: endpointFields(broker.listeners),
    features: featureFields(broker.supportedFeatures),
    rack: broker.rack,
    fenced: broker.fenced,
    inControlledShutdown: broker.inControlledShutdown,
    logDirs: broker.directories,
    cordonedLogDirs: broker.cordonedDirectories,
  };
}

/** The record that registers a controller so. */
export function controllerRecord(controller: ControllerRegistration): MetadataRecord {
  return metadataRecord("RegisterControllerRecord", {
    controllerId: controller.id,
    incarnationId: controller.incarnationId,
    zkMigrationReady: controller.zkMigrationReady,
    endPoints: endpointFields(controller.listeners),
    features: featureFields(controller.supportedFeatures),
  });
}

function endpointFields(listeners: ReadonlyMap<string, Endpoint>): Endpoint[] {
  return [...listeners.values()];
}

function featureFields(features: ReadonlyMap<string, SupportedVersionRange>) {
  return [...features].map(([name, { min, max }]) => ({ name, minSupportedVersion: min, maxSupportedVersion: max }));
}
