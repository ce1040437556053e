import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientQuotaEntityPart, ClientQuotasImage } from "@samsa/metadata";
import { clientQuotaKey, EMPTY_IMAGE } from "@samsa/metadata";
import { ANONYMOUS, ClientQuotaLimits } from "./client-quota-limits.ts";

type Names = { readonly user?: string | null; readonly "client-id"?: string | null; readonly ip?: string | null };

function quotas(...limits: readonly (readonly [Names, string, number])[]): ClientQuotasImage {
  let image = EMPTY_IMAGE.clientQuotas;
  for (const [names, key, value] of limits) {
    const entity = Object.entries(names).map(([entityType, entityName]): ClientQuotaEntityPart => ({
      entityType,
      entityName: entityName ?? null,
    }));
    image = image.set(clientQuotaKey(entity), { entity, quotas: new Map([[key, value]]) });
  }
  return image;
}

const ANN = { user: "ann", clientId: "app" };
/** From the one that counts first to the one that counts last. */
const ENTITIES: readonly Names[] = [
  { user: "ann", "client-id": "app" },
  { user: "ann", "client-id": null },
  { user: "ann" },
  { user: null, "client-id": "app" },
  { user: null, "client-id": null },
  { user: null },
  { "client-id": "app" },
  { "client-id": null },
];

for (const [first, names] of ENTITIES.entries()) {
  test(`the limit of ${JSON.stringify(names)} counts before all those after it`, () => {
    const rest = ENTITIES.slice(first).map((entity, index) => [entity, "producer_byte_rate", 100 + index] as const);
    const limits = new ClientQuotaLimits(quotas(...rest));
    assert.equal(limits.limitOf("producer_byte_rate", ANN)?.perSecond, 100);
  });
}

test("who has no limit of this kind is not limited", () => {
  const limits = new ClientQuotaLimits(quotas([{ user: "bob" }, "producer_byte_rate", 1]));
  assert.equal(limits.limitOf("producer_byte_rate", ANN), undefined);
  assert.equal(limits.limitOf("consumer_byte_rate", { user: "bob", clientId: "app" }), undefined);
  assert.equal(limits.has("producer_byte_rate"), true);
  assert.equal(limits.has("consumer_byte_rate"), false);
});

test("the clients of a user share the limit of the user", () => {
  const limits = new ClientQuotaLimits(quotas([{ user: "ann" }, "producer_byte_rate", 1]));
  const sharedBy = (clientId: string) => limits.limitOf("producer_byte_rate", { user: "ann", clientId })?.sharedBy;
  assert.equal(sharedBy("a"), sharedBy("b"));
});

test("a default is a limit for each, not for all together", () => {
  const limits = new ClientQuotaLimits(quotas([{ "client-id": null }, "producer_byte_rate", 1]));
  const sharedBy = (clientId: string) => limits.limitOf("producer_byte_rate", { user: ANONYMOUS, clientId })?.sharedBy;
  assert.notEqual(sharedBy("a"), sharedBy("b"));
});

test("names are told from defaults, whatever they are called", () => {
  const limits = new ClientQuotaLimits(quotas([{ user: "null" }, "producer_byte_rate", 1]));
  assert.equal(limits.limitOf("producer_byte_rate", ANN), undefined);
});

test("an address has its own connection rate, or that of all addresses", () => {
  const key = "connection_creation_rate";
  const limits = new ClientQuotaLimits(quotas([{ ip: "10.0.0.1" }, key, 5], [{ ip: null }, key, 7]));
  assert.equal(limits.connectionRateOf("10.0.0.1"), 5);
  assert.equal(limits.connectionRateOf("10.0.0.2"), 7);
});
