import type { FeatureLevelRecord } from "@samsa/protocol/messages/feature-level-record";
import { ELIGIBLE_LEADER_REPLICAS_FEATURE, METADATA_VERSION_FEATURE, MetadataVersion } from "./features.ts";

/** The levels that the cluster has agreed on. */
export class FeaturesImage {
  /** By feature; metadata.version is among them. Level 0 is absent. */
  readonly finalizedLevels: ReadonlyMap<string, number>;

  constructor(finalizedLevels: ReadonlyMap<string, number> = new Map()) {
    this.finalizedLevels = finalizedLevels;
  }

  level(feature: string): number {
    return this.finalizedLevels.get(feature) ?? 0;
  }

  /** Level 0 before the first record. */
  get metadataVersion(): MetadataVersion {
    return new MetadataVersion(this.level(METADATA_VERSION_FEATURE));
  }

  get isElrEnabled(): boolean {
    return this.metadataVersion.isElrSupported && this.level(ELIGIBLE_LEADER_REPLICAS_FEATURE) > 0;
  }
}

/** What records change about feature levels. */
export class FeaturesDelta {
  readonly image: FeaturesImage;
  readonly #changed = new Map<string, number>();

  constructor(image: FeaturesImage) {
    this.image = image;
  }

  /** Each changed level; 0 when the feature is off. */
  get changed(): ReadonlyMap<string, number> {
    return this.#changed;
  }

  replayFeatureLevel(record: FeatureLevelRecord): void {
    this.#changed.set(record.name, record.featureLevel);
  }

  apply(): FeaturesImage {
    const levels = new Map([...this.image.finalizedLevels, ...this.#changed]);
    for (const [name, level] of levels) if (level === 0) levels.delete(name);
    return new FeaturesImage(levels);
  }
}
