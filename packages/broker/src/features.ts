import type { MetadataImage } from "@samsa/metadata";
import { KRAFT_VERSION_FEATURE, SUPPORTED_FEATURES } from "@samsa/metadata";
import type {
  ApiVersionsResponseFinalizedFeatureKey,
  ApiVersionsResponseSupportedFeatureKey,
} from "@samsa/protocol/messages/api-versions-response";

const FIRST_VERSION_WITH_LEVEL_ZERO = 4;

/** Before ApiVersions v4 a client cannot read a range that starts at 0, so such features are left out (KAFKA-17011). */
export function supportedFeatures(apiVersion: number): readonly ApiVersionsResponseSupportedFeatureKey[] {
  const features = Array.from(SUPPORTED_FEATURES, ([name, { min, max }]) => ({
    name,
    minVersion: min,
    maxVersion: max,
  }));
  return apiVersion >= FIRST_VERSION_WITH_LEVEL_ZERO ? features : features.filter(({ minVersion }) => minVersion > 0);
}

/** What the cluster has agreed on. A level of 0 is none. */
export function finalizedFeatures(
  { features }: MetadataImage,
  kraftVersion: number,
): readonly ApiVersionsResponseFinalizedFeatureKey[] {
  const levels = new Map([...features.finalizedLevels, [KRAFT_VERSION_FEATURE, kraftVersion]]);
  return Array.from(levels, ([name, level]) => ({ name, minVersionLevel: level, maxVersionLevel: level })).filter(
    ({ maxVersionLevel }) => maxVersionLevel > 0,
  );
}
