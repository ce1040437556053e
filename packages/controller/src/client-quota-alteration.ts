import type { KafkaError } from "@samsa/base";
import { ErrorCode, refusal } from "@samsa/base";
import type { ClientQuotaEntityPart, MetadataImage, MetadataRecord } from "@samsa/metadata";
import { clientQuotaKey, metadataRecord } from "@samsa/metadata";
import type {
  AlterClientQuotasRequest,
  AlterClientQuotasRequestEntryData as Entry,
} from "@samsa/protocol/messages/alter-client-quotas-request";
import { AlterClientQuotasResponse } from "@samsa/protocol/messages/alter-client-quotas-response";
import { apiErrorOf, NO_ERROR, repeatedIn } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

/** What may be limited, and whether in whole numbers only. */
const CLIENT_KEYS: ReadonlyMap<string, { readonly isWhole: boolean }> = new Map([
  ["producer_byte_rate", { isWhole: true }],
  ["consumer_byte_rate", { isWhole: true }],
  ["request_percentage", { isWhole: false }],
  ["controller_mutation_rate", { isWhole: false }],
]);
const IP_KEYS: typeof CLIENT_KEYS = new Map([["connection_creation_rate", { isWhole: true }]]);
const ENTITY_TYPES: readonly string[] = ["user", "client-id", "ip"];

/** Sets and removes quotas of users, client ids and addresses (KIP-546). An entity changes as a whole or not at all. */
export function alterClientQuotas(
  { image }: ControllerContext,
  { entries, validateOnly }: AlterClientQuotasRequest,
): ControllerResult<AlterClientQuotasResponse> {
  const records: MetadataRecord[] = [];
  const asked = entries.map(({ entity, ops }) => ({ entity: withoutRepeats(entity), ops }));
  const repeated = repeatedIn(asked.map(({ entity }) => clientQuotaKey(entity)));
  const once = new Map(asked.map((entry) => [clientQuotaKey(entry.entity), entry]));
  const results = Array.from(once, ([key, entry]) => {
    const { entity } = entry;
    try {
      if (repeated.has(key)) throw invalid("Duplicate client quota entity");
      const changed = quotaRecords(image, entry);
      if (!validateOnly) records.push(...changed);
      return { entity, ...NO_ERROR };
    } catch (error) {
      return { entity, ...apiErrorOf(error) };
    }
  });
  return { records, response: AlterClientQuotasResponse.create({ entries: results }) };
}

/** Of parts of one type the last one counts. */
function withoutRepeats(entity: Entry["entity"]): Entry["entity"] {
  return [...new Map(entity.map((part) => [part.entityType, part])).values()];
}

/** @throws KafkaError INVALID_REQUEST */
function quotaRecords(image: MetadataImage, { entity, ops }: Entry): MetadataRecord[] {
  const keys = checkEntity(entity);
  const current = image.clientQuotas.get(clientQuotaKey(entity))?.quotas;
  const records: MetadataRecord[] = [];
  for (const { key, value, remove } of ops) {
    if (remove) {
      if (current?.has(key) !== true) continue;
    } else {
      const kind = keys.get(key);
      if (kind === undefined) throw invalid(`Invalid configuration key ${key}`);
      if (!(value > 0)) throw invalid(`Quota ${key} must be greater than 0`);
      if (!Number.isFinite(value)) throw invalid(`Quota ${key} must be finite`);
      if (kind.isWhole && !isWhole(value)) throw invalid(`${key} cannot be a fractional value.`);
      if (current?.get(key) === value) continue;
    }
    records.push(metadataRecord("ClientQuotaRecord", { entity, key, value: remove ? 0 : value, remove }));
  }
  return records;
}

/** The keys that the entity may have. */
function checkEntity(entity: readonly ClientQuotaEntityPart[]): typeof CLIENT_KEYS {
  if (entity.length === 0) throw invalid("Invalid empty client quota entity");
  const types = new Set<string>();
  for (const { entityType, entityName } of entity) {
    if (!ENTITY_TYPES.includes(entityType)) throw invalid(`Unhandled client quota entity type: ${entityType}`);
    if (entityName === "") throw invalid(`Empty ${entityType} not supported`);
    types.add(entityType);
  }
  if (!types.has("ip")) return CLIENT_KEYS;
  if (types.size > 1) {
    throw invalid("Invalid quota entity combination, IP entity should not be combined with User or ClientId");
  }
  const [ip] = entity;
  const isAddress = ip?.entityName === null || /^[\d.]+$|^[\da-fA-F:.]+$|^[\w.-]+$/.test(ip?.entityName ?? "");
  if (!isAddress) throw invalid(`${ip?.entityName} is not a valid IP or resolvable host.`);
  return IP_KEYS;
}

function isWhole(value: number): boolean {
  return Math.abs(value % 1) <= 1e-6;
}

function invalid(message: string): KafkaError {
  return refusal(ErrorCode.INVALID_REQUEST, message);
}
