import { METADATA_VERSION_FEATURE, SUPPORTED_FEATURES } from "@samsa/metadata";
import { StartError } from "../server-error.ts";

/** The metadata versions of Kafka's releases, from level 7 on. */
const METADATA_VERSIONS = (
  "3.3-IV3 3.4-IV0 3.5-IV0 3.5-IV1 3.5-IV2 3.6-IV0 3.6-IV1 3.6-IV2 3.7-IV0 3.7-IV1 3.7-IV2 3.7-IV3 3.7-IV4 3.8-IV0 3.9-IV0 " +
  "4.0-IV0 4.0-IV1 4.0-IV2 4.0-IV3 4.1-IV0 4.1-IV1 4.2-IV0 4.2-IV1 4.3-IV0 4.4-IV0 4.4-IV1 4.4-IV2"
).split(" ");
const LOWEST_LEVEL = 7;
export const LATEST_RELEASE = "4.4-IV2";

/** From which metadata version on a feature has a level by itself. */
const DEFAULTS: readonly (readonly [feature: string, since: number, level: number])[] = [
  ["eligible.leader.replicas.version", 26, 1],
  ["group.version", 22, 1],
  ["share.version", 28, 1],
  ["share.version", 31, 2],
  ["streams.version", 29, 1],
  ["transaction.version", 24, 2],
];
const KRAFT_VERSION = "kraft.version";

export interface FeatureLevels {
  readonly metadataVersion: string; // 4.4-IV2
  /** What is written: metadata.version first, then those above 0 by name. */
  readonly levels: readonly (readonly [feature: string, level: number])[];
}

/**
 * The levels of a new cluster for a release and the features that were asked for, by Kafka's rules and in its words.
 *
 * @param release `4.4-IV2`, or `4.4` for the last of its versions
 * @param asked as `feature=level`
 * @throws StartError
 */
export function featureLevels(release: string | undefined, asked: readonly string[]): FeatureLevels {
  const chosen = new Map<string, number>();
  for (const pair of asked) {
    const [, feature = "", level = ""] = /^\s*([^=\s]+)\s*=\s*(\d{1,5})\s*$/.exec(pair) ?? [];
    if (level === "")
      throw new StartError(`Can't parse feature=level string ${pair}: a feature and its level are wanted`);
    if (!SUPPORTED_FEATURES.has(feature)) {
      const known = [...SUPPORTED_FEATURES.keys()].filter((name) => name !== METADATA_VERSION_FEATURE).toSorted();
      throw new StartError(`Unsupported feature: ${feature}. Supported features are: ${known.join(", ")}`);
    }
    chosen.set(feature, Number(level));
  }
  const metadataLevel = metadataVersionLevel(release, chosen.get(METADATA_VERSION_FEATURE));
  if (chosen.get(KRAFT_VERSION) === 0) {
    throw new StartError(
      "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, " +
        "--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the " +
        "--feature flag for kraft.version.",
    );
  }
  const levels = new Map(
    DEFAULTS.filter(([, since]) => metadataLevel >= since).map(([name, , level]) => [name, level]),
  );
  for (const [name, level] of chosen) {
    const { min, max } = SUPPORTED_FEATURES.get(name) ?? { min: 0, max: 0 };
    if (level < min || level > max) throw new StartError(`No feature:${name} with feature level ${level}`);
    if (name !== METADATA_VERSION_FEATURE && name !== KRAFT_VERSION) levels.set(name, level);
  }
  const others = [...levels].filter(([, level]) => level > 0).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return {
    metadataVersion: METADATA_VERSIONS[metadataLevel - LOWEST_LEVEL] ?? LATEST_RELEASE,
    levels: [[METADATA_VERSION_FEATURE, metadataLevel], ...others],
  };
}

function metadataVersionLevel(release: string | undefined, asked: number | undefined): number {
  if (release !== undefined && asked !== undefined) {
    throw new StartError("Use --release-version instead of --feature metadata.version=X to avoid ambiguity.");
  }
  if (asked !== undefined) return asked;
  const wanted = release ?? LATEST_RELEASE;
  const short = /^(\d+\.\d+)(?:\.\d+)?$/.exec(wanted)?.[1];
  const at = METADATA_VERSIONS.findLastIndex((name) => name === wanted || name.split("-")[0] === short);
  if (at >= 0) return LOWEST_LEVEL + at;
  throw new StartError(
    `Unknown metadata.version '${wanted}'. Supported metadata.version are: ${METADATA_VERSIONS.join(", ")}`,
  );
}
