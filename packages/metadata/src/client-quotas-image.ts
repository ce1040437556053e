import type { ClientQuotaRecord } from "@samsa/protocol/messages/client-quota-record";
import { SortedMap } from "./sorted-map.ts";

export interface ClientQuotaEntityPart {
  /** `user`, `client-id` or `ip`. */
  readonly entityType: string;
  /** null: the default of all entities of the type. */
  readonly entityName: string | null;
}

/** The quotas of one entity, which is a user, a client id, an address, or a user with a client id. */
export interface ClientQuota {
  readonly entity: readonly ClientQuotaEntityPart[];
  /** By quota key, e.g. `producer_byte_rate`. */
  readonly quotas: ReadonlyMap<string, number>;
}

/** By the entity's canonical text. */
export type ClientQuotasImage = SortedMap<string, ClientQuota>;

/** One text for an entity, whatever the order of its parts. */
export function clientQuotaKey(entity: readonly ClientQuotaEntityPart[]): string {
  const parts = entity.map(({ entityType, entityName }) => [entityType, entityName]);
  return JSON.stringify(parts.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

export function replayClientQuota(image: ClientQuotasImage, record: ClientQuotaRecord): ClientQuotasImage {
  const key = clientQuotaKey(record.entity);
  const quotas = new Map(image.get(key)?.quotas);
  if (record.remove) quotas.delete(record.key);
  else quotas.set(record.key, record.value);
  return quotas.size === 0 ? image.delete(key) : image.set(key, { entity: record.entity, quotas });
}
