import { BOOTSTRAP_FEATURE_LEVELS } from "./features.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { metadataRecord } from "./metadata-record.ts";

/** What formatting a fresh cluster writes: the level of each feature. */
export function bootstrapRecords(): MetadataRecord[] {
  return BOOTSTRAP_FEATURE_LEVELS.map(([name, featureLevel]) =>
    metadataRecord("FeatureLevelRecord", { name, featureLevel }),
  );
}
