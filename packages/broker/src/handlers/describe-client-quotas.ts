import { ErrorCode, KafkaError } from "@samsa/base";
import type { ClientQuotaEntityPart } from "@samsa/metadata";
import { DescribeClientQuotasRequest } from "@samsa/protocol/messages/describe-client-quotas-request";
import { DescribeClientQuotasResponse } from "@samsa/protocol/messages/describe-client-quotas-response";
import type { ApiHandler } from "../api-handler.ts";

const MatchType = { EXACT: 0, DEFAULT: 1, ANY: 2 } as const;
const ENTITY_TYPES: readonly string[] = ["user", "client-id", "ip"];

type Components = DescribeClientQuotasRequest["components"];

/** DescribeClientQuotas 0-1 (KIP-546): the quotas of the entities that a filter matches. v1 is flexible. */
export const describeClientQuotas: ApiHandler<DescribeClientQuotasRequest, DescribeClientQuotasResponse> = {
  request: DescribeClientQuotasRequest,
  response: DescribeClientQuotasResponse,

  handle({ components, strict }, _context, { metadata }) {
    const filter = filterOf(components);
    const found = [...metadata.image.clientQuotas.values()].filter(({ entity }) => matches(entity, filter, strict));
    return DescribeClientQuotasResponse.create({
      entries: found.map(({ entity, quotas }) => ({
        entity,
        values: Array.from(quotas, ([key, value]) => ({ key, value })),
      })),
    });
  },

  refuse: (_request, errorCode, errorMessage) =>
    DescribeClientQuotasResponse.create({ errorCode, errorMessage, entries: null }),
};

/** By type of entity: its name, null for the default, undefined for any. */
type Filter = ReadonlyMap<string, string | null | undefined>;

/** @throws KafkaError for what cannot be asked */
function filterOf(components: Components): Filter {
  const filter = new Map<string, string | null | undefined>();
  for (const { entityType, matchType, match } of components) {
    if (entityType === "") throw invalid("Invalid empty entity type.");
    if (filter.has(entityType)) throw invalid(`Entity type ${entityType} cannot appear more than once in the filter.`);
    if (!ENTITY_TYPES.includes(entityType)) {
      throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `Custom entity type '${entityType}' not supported`);
    }
    filter.set(entityType, wantedName(matchType, match));
  }
  if (filter.has("ip") && filter.size > 1) {
    throw invalid(
      "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.",
    );
  }
  return filter;
}

function wantedName(matchType: number, match: string | null): string | null | undefined {
  switch (matchType) {
    case MatchType.EXACT:
      if (match === null) throw invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.");
      return match;
    case MatchType.DEFAULT:
      if (match !== null) throw invalid("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
      return null;
    case MatchType.ANY:
      if (match !== null) throw invalid("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
      return undefined;
    default:
      throw invalid(`Unknown match type ${matchType}`);
  }
}

/** @param isStrict the entity may have no other parts */
function matches(entity: readonly ClientQuotaEntityPart[], filter: Filter, isStrict: boolean): boolean {
  if (isStrict && entity.length !== filter.size) return false;
  return [...filter].every(([type, name]) => {
    const part = entity.find(({ entityType }) => entityType === type);
    return part !== undefined && (name === undefined || part.entityName === name);
  });
}

function invalid(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message);
}
