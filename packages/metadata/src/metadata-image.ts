import type { Uuid } from "@samsa/base";
import type { AccessControlEntryRecord } from "@samsa/protocol/messages/access-control-entry-record";
import type { DelegationTokenRecord } from "@samsa/protocol/messages/delegation-token-record";
import type { UserScramCredentialRecord } from "@samsa/protocol/messages/user-scram-credential-record";
import type { ClientQuotasImage } from "./client-quotas-image.ts";
import type { ClusterImage } from "./cluster-image.ts";
import { EMPTY_CLUSTER } from "./cluster-image.ts";
import { ConfigsImage } from "./configs-image.ts";
import { FeaturesImage } from "./features-image.ts";
import { SortedMap } from "./sorted-map.ts";
import type { TopicsImage } from "./topics-image.ts";
import { EMPTY_TOPICS } from "./topics-image.ts";

/** How much of the metadata log an image holds. */
export interface MetadataProvenance {
  /** Inclusive; -1 before the first record. */
  readonly lastContainedOffset: number;
  readonly lastContainedEpoch: number;
  readonly lastContainedLogTimeMs: number;
}

export const EMPTY_PROVENANCE: MetadataProvenance = {
  lastContainedOffset: -1,
  lastContainedEpoch: -1,
  lastContainedLogTimeMs: -1,
};

/** Everything the records of the metadata log amount to at one offset. It is never changed; a MetadataDelta makes the next one. */
export interface MetadataImage {
  readonly provenance: MetadataProvenance;
  readonly features: FeaturesImage;
  readonly cluster: ClusterImage;
  readonly topics: TopicsImage;
  readonly configs: ConfigsImage;
  readonly clientQuotas: ClientQuotasImage;
  readonly producerIds: ProducerIdsImage;
  /** By `mechanism:user`. */
  readonly scram: SortedMap<string, UserScramCredentialRecord>;
  readonly acls: SortedMap<Uuid, AccessControlEntryRecord>;
  readonly delegationTokens: SortedMap<string, DelegationTokenRecord>;
}

export interface ProducerIdsImage {
  /** The first producer id that no block holds; -1 before the first block. */
  readonly nextProducerId: number;
}

export const EMPTY_IMAGE: MetadataImage = {
  provenance: EMPTY_PROVENANCE,
  features: new FeaturesImage(),
  cluster: EMPTY_CLUSTER,
  topics: EMPTY_TOPICS,
  configs: new ConfigsImage(),
  clientQuotas: SortedMap.empty(),
  producerIds: { nextProducerId: -1 },
  scram: SortedMap.empty(),
  acls: SortedMap.empty(),
  delegationTokens: SortedMap.empty(),
};
