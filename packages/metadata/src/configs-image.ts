import type { ConfigRecord } from "@samsa/protocol/messages/config-record";
import { ConfigResourceType } from "./config/config-resource.ts";
import { SortedMap } from "./sorted-map.ts";

export interface ConfigResource {
  readonly type: number;
  /** Topic name, broker id, or empty for the default of all brokers. */
  readonly name: string;
}

export interface ResourceConfig extends ConfigResource {
  readonly entries: ReadonlyMap<string, string>;
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/** What was set dynamically, by resource. Resources without entries are not held. */
export class ConfigsImage {
  readonly #resources: SortedMap<string, ResourceConfig>;

  constructor(resources: SortedMap<string, ResourceConfig> = SortedMap.empty()) {
    this.#resources = resources;
  }

  configFor(type: number, name: string): ReadonlyMap<string, string> {
    return this.#resources.get(keyOf(type, name))?.entries ?? NOTHING;
  }

  resources(): Iterable<ResourceConfig> {
    return this.#resources.values();
  }

  get size(): number {
    return this.#resources.size;
  }

  /** This image with one resource's entries replaced. */
  with(resource: ConfigResource, entries: ReadonlyMap<string, string>): ConfigsImage {
    const key = keyOf(resource.type, resource.name);
    const resources =
      entries.size === 0
        ? this.#resources.delete(key)
        : this.#resources.set(key, { type: resource.type, name: resource.name, entries });
    return new ConfigsImage(resources);
  }
}

export interface ResourceConfigDelta extends ConfigResource {
  /** Each changed entry as it is now; null when it is gone. */
  readonly changes: ReadonlyMap<string, string | null>;
}

/** What records change about configurations. */
export class ConfigsDelta {
  readonly image: ConfigsImage;
  readonly #changed = new Map<string, ConfigResource & { readonly changes: Map<string, string | null> }>();

  constructor(image: ConfigsImage) {
    this.image = image;
  }

  get changed(): Iterable<ResourceConfigDelta> {
    return this.#changed.values();
  }

  get isEmpty(): boolean {
    return this.#changed.size === 0;
  }

  /** What changed about one resource. */
  changesOf(type: number, name: string): ReadonlyMap<string, string | null> | undefined {
    return this.#changed.get(keyOf(type, name))?.changes;
  }

  replayConfig(record: ConfigRecord): void {
    this.#changesOf(record.resourceType, record.resourceName).set(record.name, record.value);
  }

  /** The configuration of a topic goes with it, without records of its own. */
  deleteTopic(name: string): void {
    const changes = this.#changesOf(ConfigResourceType.TOPIC, name);
    changes.clear();
    for (const key of this.image.configFor(ConfigResourceType.TOPIC, name).keys()) changes.set(key, null);
    if (changes.size === 0) this.#changed.delete(keyOf(ConfigResourceType.TOPIC, name));
  }

  apply(): ConfigsImage {
    let image = this.image;
    for (const { type, name, changes } of this.#changed.values()) {
      const entries = new Map(image.configFor(type, name));
      for (const [key, value] of changes) {
        if (value === null) entries.delete(key);
        else entries.set(key, value);
      }
      image = image.with({ type, name }, entries);
    }
    return image;
  }

  #changesOf(type: number, name: string): Map<string, string | null> {
    const key = keyOf(type, name);
    let found = this.#changed.get(key);
    if (found === undefined) {
      found = { type, name, changes: new Map() };
      this.#changed.set(key, found);
    }
    return found.changes;
  }
}

function keyOf(type: number, name: string): string {
  return `${type}:${name}`;
}
