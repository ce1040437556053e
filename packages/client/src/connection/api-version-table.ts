import { UnsupportedVersionError } from "../errors.ts";
import type { ApiRange } from "./api.ts";

export interface VersionRange {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** What a cluster has agreed on. */
export interface FinalizedFeature {
  readonly name: string;
  readonly maxVersionLevel: number;
}

/** What one broker serves, as it said itself. */
export class ApiVersionTable {
  readonly #ranges: ReadonlyMap<number, VersionRange>;

  readonly #features: ReadonlyMap<string, number>;

  constructor(ranges: readonly VersionRange[], features: readonly FinalizedFeature[] = []) {
    this.#ranges = new Map(ranges.map((range) => [range.apiKey, range]));
    this.#features = new Map(features.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]));
  }

  /** 0 for a feature that the cluster has not agreed on (KIP-584). */
  finalizedFeature(name: string): number {
    return this.#features.get(name) ?? 0;
  }

  /** The highest version that both sides know, undefined where there is none. */
  find(api: ApiRange): number | undefined {
    const range = this.#ranges.get(api.apiKey);
    if (range === undefined) return undefined;
    const version = Math.min(range.maxVersion, api.highestVersion);
    return version < Math.max(range.minVersion, api.lowestVersion) ? undefined : version;
  }

  /** @throws UnsupportedVersionError where there is none */
  versionOf(api: ApiRange, broker: string): number {
    const version = this.find(api);
    if (version !== undefined) return version;
    const range = this.#ranges.get(api.apiKey);
    const theirs =
      range === undefined ? "does not serve it" : `serves versions ${range.minVersion}-${range.maxVersion}`;
    throw new UnsupportedVersionError(
      `${api.name} to ${broker}: the broker ${theirs}, this client speaks ${api.lowestVersion}-${api.highestVersion}`,
    );
  }
}
