import type { KafkaError } from "@samsa/base";
import { ErrorCode, refusal } from "@samsa/base";
import type { MetadataRecord } from "@samsa/metadata";
import {
  FEATURE_DEPENDENCIES,
  KRAFT_VERSION_FEATURE,
  METADATA_VERSION_FEATURE,
  metadataRecord,
  MetadataVersion,
  SUPPORTED_FEATURES,
} from "@samsa/metadata";
import type { UpdateFeaturesRequest } from "@samsa/protocol/messages/update-features-request";
import { UpdateFeaturesResponse } from "@samsa/protocol/messages/update-features-response";
import { apiErrorOf } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

const UpgradeType = { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 } as const;

interface FeatureUpdate {
  readonly feature: string;
  readonly level: number;
  readonly upgradeType: number;
}

/** Raises or lowers the levels that the cluster has agreed on (KIP-584, KIP-778): all that are named, or none. */
export function updateFeatures(
  context: ControllerContext,
  request: UpdateFeaturesRequest,
  kraftVersion: number,
): ControllerResult<UpdateFeaturesResponse> {
  const updates = request.featureUpdates.map(({ feature, maxVersionLevel: level, upgradeType }) => ({
    feature,
    level,
    upgradeType,
  }));
  const current = new Map([...context.image.features.finalizedLevels, [KRAFT_VERSION_FEATURE, kraftVersion]]);
  const proposed = new Map([...current, ...updates.map(({ feature, level }) => [feature, level] as const)]);
  try {
    const records = updates.flatMap((update) => featureRecords(context, update, current, proposed));
    return {
      records: request.validateOnly ? [] : records,
      response: UpdateFeaturesResponse.create({ errorMessage: null }),
    };
  } catch (error) {
    const { errorCode, errorMessage } = apiErrorOf(error);
    const message = `The update failed for all features since the following feature had an error: ${errorMessage}`;
    return { records: [], response: UpdateFeaturesResponse.create({ errorCode, errorMessage: message }) };
  }
}

/** @throws KafkaError INVALID_UPDATE_VERSION in Kafka's words */
function featureRecords(
  { image, config }: ControllerContext,
  { feature, level, upgradeType }: FeatureUpdate,
  currentLevels: ReadonlyMap<string, number>,
  proposed: ReadonlyMap<string, number>,
): MetadataRecord[] {
  const refuse = (reason: string): KafkaError =>
    refusal(ErrorCode.INVALID_UPDATE_VERSION, `Invalid update version ${level} for feature ${feature}. ${reason}`);
  if (!Object.values<number>(UpgradeType).includes(upgradeType)) {
    throw refuse("The controller does not support the given upgrade type.");
  }
  const current = currentLevels.get(feature) ?? 0;
  if (level < 0) throw refuse("A feature version cannot be less than 0.");
  checkSupported(image, config.number("node.id"), feature, level, refuse);
  if (level < current && upgradeType === UpgradeType.UPGRADE) {
    throw refuse(
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
    );
  }
  if (level > current && upgradeType !== UpgradeType.UPGRADE) throw refuse("Can't downgrade to a newer version.");
  if (feature === METADATA_VERSION_FEATURE) {
    if (level < current && MetadataVersion.isMetadataChanged(level, current)) {
      throw refusal(
        ErrorCode.INVALID_UPDATE_VERSION,
        upgradeType === UpgradeType.UNSAFE_DOWNGRADE
          ? `Invalid metadata.version ${level}. Unsafe metadata downgrade is not supported in this version.`
          : `Invalid metadata.version ${level}. Refusing to perform the requested downgrade because it might delete metadata information.`,
      );
    }
  } else {
    for (const [needed, atLeast] of FEATURE_DEPENDENCIES.get(feature)?.get(level) ?? []) {
      if ((proposed.get(needed) ?? 0) >= atLeast) continue;
      throw refuse(`${feature} could not be set to ${level} because it depends on ${needed} level ${atLeast}`);
    }
  }
  if (feature === KRAFT_VERSION_FEATURE && level > current) throw refuse("The quorum of this node keeps its version.");
  return level === current ? [] : [metadataRecord("FeatureLevelRecord", { name: feature, featureLevel: level })];
}

/** Every registered node must be able to read what the level allows. */
function checkSupported(
  { cluster }: ControllerContext["image"],
  controllerId: number,
  feature: string,
  level: number,
  refuse: (reason: string) => KafkaError,
): void {
  const own = SUPPORTED_FEATURES.get(feature);
  if (own === undefined) throw refuse(`Local controller ${controllerId} does not support this feature.`);
  if (level < own.min || level > own.max) {
    throw refuse(`Local controller ${controllerId} only supports versions ${own.min}-${own.max}`);
  }
  for (const { id, supportedFeatures } of cluster.brokers.values()) {
    const range = supportedFeatures.get(feature);
    if (range === undefined && level === 0) continue;
    if (range === undefined) throw refuse(`Broker ${id} does not support this feature.`);
    if (level < range.min || level > range.max) {
      throw refuse(`Broker ${id} only supports versions ${range.min}-${range.max}`);
    }
  }
}
