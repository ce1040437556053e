import type { ClientQuotasImage } from "@samsa/metadata";

/** Whom quotas are about: the authenticated user and the client id of the request. */
export interface QuotaClient {
  readonly user: string;
  readonly clientId: string | null;
}

/** The user of a connection without a login. */
export const ANONYMOUS = "ANONYMOUS";

export type ClientQuotaKey =
  | "producer_byte_rate"
  | "consumer_byte_rate"
  | "request_percentage"
  | "controller_mutation_rate";

export interface ClientQuotaLimit {
  readonly perSecond: number;
  /** One text for all who share the limit: the clients of a user, the users of a client id, or one client of one user. */
  readonly sharedBy: string;
}

/** Of an entity: a name, null for the default of its type, undefined where the entity has no such part. */
type Part = string | null | undefined;

/** Which limit counts for whom, in the order of Kafka's DefaultQuotaCallback. Made anew for every change of the quotas. */
export class ClientQuotaLimits {
  readonly #byKey = new Map<string, Map<string, number>>();

  constructor(quotas: ClientQuotasImage) {
    for (const { entity, quotas: limits } of quotas.values()) {
      const nameOf = (type: string): Part => entity.find(({ entityType }) => entityType === type)?.entityName;
      for (const [key, value] of limits) {
        const byEntity = this.#byKey.get(key) ?? new Map<string, number>();
        this.#byKey.set(key, byEntity);
        byEntity.set(text(nameOf("user"), nameOf("client-id"), nameOf("ip")), value);
      }
    }
  }

  /** Whether anybody has a limit of this kind: most often nobody has. */
  has(key: ClientQuotaKey): boolean {
    return this.#byKey.has(key);
  }

  limitOf(key: ClientQuotaKey, { user, clientId }: QuotaClient): ClientQuotaLimit | undefined {
    const limits = this.#byKey.get(key);
    if (limits === undefined) return undefined;
    const client = clientId ?? "";
    const candidates: readonly (readonly [Part, Part])[] = [
      [user, client],
      [user, null],
      [user, undefined],
      [null, client],
      [null, null],
      [null, undefined],
      [undefined, client],
      [undefined, null],
    ];
    for (const [ofUser, ofClient] of candidates) {
      const perSecond = limits.get(text(ofUser, ofClient));
      if (perSecond === undefined) continue;
      // A default is a limit for each of those it counts for, not one for all of them.
      const sharedBy = text(ofUser === undefined ? undefined : user, ofClient === undefined ? undefined : client);
      return { perSecond, sharedBy };
    }
    return undefined;
  }

  /** New connections a second that an address may make (KIP-612). */
  connectionRateOf(ip: string): number | undefined {
    const limits = this.#byKey.get("connection_creation_rate");
    return limits?.get(text(undefined, undefined, ip)) ?? limits?.get(text(undefined, undefined, null));
  }
}

function text(user: Part, clientId: Part, ip?: Part): string {
  return JSON.stringify([part(user), part(clientId), part(ip)]);
}

function part(name: Part): string | null | 0 {
  return name === undefined ? 0 : name;
}
