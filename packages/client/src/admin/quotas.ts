import type { KafkaError } from "@samsa/base";
import { AlterClientQuotasRequest } from "@samsa/protocol/messages/alter-client-quotas-request";
import { AlterClientQuotasResponse } from "@samsa/protocol/messages/alter-client-quotas-response";
import { DescribeClientQuotasRequest } from "@samsa/protocol/messages/describe-client-quotas-request";
import { DescribeClientQuotasResponse } from "@samsa/protocol/messages/describe-client-quotas-response";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import { anyBroker } from "./routes.ts";
import { byName } from "./topics.ts";

const DESCRIBE_CLIENT_QUOTAS = api(DescribeClientQuotasRequest, DescribeClientQuotasResponse);
const ALTER_CLIENT_QUOTAS = api(AlterClientQuotasRequest, AlterClientQuotasResponse);
const MATCH_EXACT = 0;
const MATCH_DEFAULT = 1;
const MATCH_SPECIFIED = 2;

/** Kinds ("user", "client-id", "ip") and their names; null is the default of the kind. */
export type QuotaEntity = Readonly<Record<string, string | null>>;

export interface QuotaFilter {
  /** Kinds that an entity must have: a name, null for the default, "any" spelled `{ any: true }`. */
  readonly entity?: Readonly<Record<string, string | null | { readonly any: true }>>;
  /** Whether an entity may have no other kinds. */
  readonly strict?: boolean;
}

export interface ClientQuotas {
  readonly entity: QuotaEntity;
  readonly quotas: Readonly<Record<string, number>>;
}

export interface QuotaAlteration {
  readonly entity: QuotaEntity;
  /** `producer_byte_rate`, `consumer_byte_rate`, `request_percentage` …; null takes it away. */
  readonly quotas: Readonly<Record<string, number | null>>;
}

/** KIP-546. */
export async function describeClientQuotas(
  driver: AdminDriver,
  { entity = {}, strict = false }: QuotaFilter,
): Promise<readonly ClientQuotas[]> {
  const request = DescribeClientQuotasRequest.create({
    components: Object.entries(entity).map(([entityType, wanted]) => ({
      entityType,
      matchType: wanted === null ? MATCH_DEFAULT : typeof wanted === "string" ? MATCH_EXACT : MATCH_SPECIFIED,
      match: typeof wanted === "string" ? wanted : null,
    })),
    strict,
  });
  const response = await driver.one(DESCRIBE_CLIENT_QUOTAS, request, ({ errorCode, errorMessage }) =>
    throwCode(errorCode, "DescribeClientQuotas", errorMessage),
  );
  return (response.entries ?? []).map(({ entity: parts, values }) => ({
    entity: entityOf(parts),
    quotas: Object.fromEntries(values.map(({ key, value }) => [key, value])),
  }));
}

export async function alterClientQuotas(
  driver: AdminDriver,
  alterations: readonly QuotaAlteration[],
  validateOnly: boolean,
): Promise<void> {
  const results = await driver.items<QuotaAlteration, true>({
    what: "AlterClientQuotas",
    items: alterations,
    nameOf: ({ entity }) => nameOfEntity(entity),
    route: anyBroker,
    ask: async (connection, some) => {
      const request = AlterClientQuotasRequest.create({
        entries: some.map(({ entity, quotas }) => ({
          entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
          ops: Object.entries(quotas).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
        })),
        validateOnly,
      });
      const { entries } = await connection.send(ALTER_CLIENT_QUOTAS, request);
      const answers = entries.map(({ entity, errorCode, errorMessage }): [string, true | KafkaError] => {
        const name = nameOfEntity(entityOf(entity));
        return [name, errorOf(errorCode, `quotas of ${name}`, errorMessage) ?? true];
      });
      return byName(some, ({ entity }) => nameOfEntity(entity), answers);
    },
  });
  results.all();
}

function entityOf(parts: readonly { readonly entityType: string; readonly entityName: string | null }[]): QuotaEntity {
  return Object.fromEntries(parts.map(({ entityType, entityName }) => [entityType, entityName]));
}

function nameOfEntity(entity: QuotaEntity): string {
  const parts = Object.entries(entity).map(([type, name]) => `${type} ${name ?? "<default>"}`);
  return parts.toSorted((a, b) => (a < b ? -1 : 1)).join(", ");
}
