import { unreachable } from "@samsa/base";
import type { RemoveTopicRecord } from "@samsa/protocol/messages/remove-topic-record";
import { replayClientQuota } from "./client-quotas-image.ts";
import { ClusterDelta } from "./cluster-image.ts";
import { ConfigsDelta } from "./configs-image.ts";
import { FeaturesDelta } from "./features-image.ts";
import type { MetadataImage, MetadataProvenance } from "./metadata-image.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { MetadataReplayError } from "./metadata-replay-error.ts";
import { TopicsDelta } from "./topics-delta.ts";

/** What a run of records changes about an image: replay the records, then apply. */
export class MetadataDelta {
  /** The image before. */
  readonly image: MetadataImage;
  readonly features: FeaturesDelta;
  readonly cluster: ClusterDelta;
  readonly topics: TopicsDelta;
  readonly configs: ConfigsDelta;
  // Small and rarely changed: the next image grows with the records.
  #clientQuotas: MetadataImage["clientQuotas"];
  #producerIds: MetadataImage["producerIds"];
  #scram: MetadataImage["scram"];
  #acls: MetadataImage["acls"];
  #delegationTokens: MetadataImage["delegationTokens"];

  constructor(image: MetadataImage) {
    this.image = image;
    this.features = new FeaturesDelta(image.features);
    this.cluster = new ClusterDelta(image.cluster);
    this.topics = new TopicsDelta(image.topics);
    this.configs = new ConfigsDelta(image.configs);
    this.#clientQuotas = image.clientQuotas;
    this.#producerIds = image.producerIds;
    this.#scram = image.scram;
    this.#acls = image.acls;
    this.#delegationTokens = image.delegationTokens;
  }

  /** @throws MetadataReplayError when the record contradicts those before it */
  replay(record: MetadataRecord): void {
    switch (record.type) {
      case "TopicRecord":
        return this.topics.replayTopic(record.message);
      case "PartitionRecord":
        return this.topics.replayPartition(record.message);
      case "PartitionChangeRecord":
        return this.topics.replayPartitionChange(record.message);
      case "RemoveTopicRecord":
        return this.#removeTopic(record.message);
      case "ClearElrRecord":
        return this.topics.replayClearElr(record.message);
      case "ConfigRecord":
        return this.configs.replayConfig(record.message);
      case "RegisterBrokerRecord":
        return this.cluster.replayRegisterBroker(record.message);
      case "BrokerRegistrationChangeRecord":
        return this.cluster.replayBrokerChange(record.message);
      case "UnregisterBrokerRecord":
        return this.cluster.replayUnregisterBroker(record.message.brokerId, record.message.brokerEpoch);
      case "FenceBrokerRecord":
        return this.cluster.replayFencing(record.message.id, record.message.epoch, true);
      case "UnfenceBrokerRecord":
        return this.cluster.replayFencing(record.message.id, record.message.epoch, false);
      case "RegisterControllerRecord":
        return this.cluster.replayRegisterController(record.message);
      case "UnregisterControllerRecord":
        return this.cluster.replayUnregisterController(record.message.controllerId);
      case "FeatureLevelRecord":
        return this.features.replayFeatureLevel(record.message);
      case "ProducerIdsRecord":
        this.#producerIds = { nextProducerId: record.message.nextProducerId };
        return;
      case "ClientQuotaRecord":
        this.#clientQuotas = replayClientQuota(this.#clientQuotas, record.message);
        return;
      case "UserScramCredentialRecord":
        this.#scram = this.#scram.set(scramKey(record.message), record.message);
        return;
      case "RemoveUserScramCredentialRecord":
        this.#scram = this.#scram.delete(scramKey(record.message));
        return;
      case "AccessControlEntryRecord":
        this.#acls = this.#acls.set(record.message.id, record.message);
        return;
      case "RemoveAccessControlEntryRecord":
        this.#acls = this.#acls.delete(record.message.id);
        return;
      case "DelegationTokenRecord":
        this.#delegationTokens = this.#delegationTokens.set(record.message.tokenId, record.message);
        return;
      case "RemoveDelegationTokenRecord":
        this.#delegationTokens = this.#delegationTokens.delete(record.message.tokenId);
        return;
      case "NoOpRecord":
      case "ZkMigrationStateRecord":
        return;
      case "BeginTransactionRecord":
      case "EndTransactionRecord":
      case "AbortTransactionRecord":
        throw new MetadataReplayError(record.type, "the loader resolves transactions before it replays");
    }
    return unreachable(record);
  }

  get haveClientQuotasChanged(): boolean {
    return this.#clientQuotas !== this.image.clientQuotas;
  }

  get haveScramCredentialsChanged(): boolean {
    return this.#scram !== this.image.scram;
  }

  get haveAclsChanged(): boolean {
    return this.#acls !== this.image.acls;
  }

  /** The image after. Parts that no record touched are the same objects as before. */
  apply(provenance: MetadataProvenance): MetadataImage {
    const { image } = this;
    return {
      provenance,
      features: this.features.changed.size === 0 ? image.features : this.features.apply(),
      cluster: this.cluster.isEmpty ? image.cluster : this.cluster.apply(),
      topics: this.topics.isEmpty ? image.topics : this.topics.apply(),
      configs: this.configs.isEmpty ? image.configs : this.configs.apply(),
      clientQuotas: this.#clientQuotas,
      producerIds: this.#producerIds,
      scram: this.#scram,
      acls: this.#acls,
      delegationTokens: this.#delegationTokens,
    };
  }

  #removeTopic(record: RemoveTopicRecord): void {
    const name = this.topics.replayRemoveTopic(record);
    this.configs.deleteTopic(name);
  }
}

function scramKey({ mechanism, name }: { readonly mechanism: number; readonly name: string }): string {
  return `${mechanism}:${name}`;
}
