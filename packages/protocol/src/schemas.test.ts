/** Our schemas hold Apache Kafka's facts: all of them and no others. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { API_INFO } from "./generated/api-info.ts";
import { loadSchemas } from "./testing/message-schemas.ts";
import { apacheFacts, digestOf, factsOfSchema } from "./testing/schema-facts.ts";

const DIGESTS = fileURLToPath(new URL("../test-fixtures/schema-digests.json", import.meta.url));

const schemas = [...loadSchemas()].map(([path, schema]) => ({
  path: `${path.replace(/\/.*/, "")}/${schema.name}`,
  schema,
}));
const digests = JSON.parse(readFileSync(DIGESTS, "utf8")) as Readonly<Record<string, string>>;

test("there is a schema for every message of Kafka 4.4, and no other", () => {
  assert.deepEqual(schemas.map(({ path }) => path).toSorted(), Object.keys(digests).toSorted());
});

for (const { path, schema } of schemas) {
  test(`${path} has the facts that were recorded from Apache's definition`, () => {
    assert.equal(digestOf(factsOfSchema(schema)), digests[path]);
  });
}

const apache = apacheFacts();
if (apache !== undefined) {
  for (const [path, facts] of apache) {
    test(`${path} agrees with Apache's definition field by field`, () => {
      const ours = schemas.find((schema) => schema.path === path)?.schema;
      assert.deepEqual(ours && factsOfSchema(ours), facts);
    });
  }
}

test("every message is explained in one sentence of its own", () => {
  const sentences = schemas.map(({ schema }) => schema.about);
  for (const sentence of sentences) assert.match(sentence, /^[A-Z].{10,}\.$/);
  assert.equal(new Set(sentences).size, sentences.length);
});

test("the table of APIs has every request that has versions", () => {
  const requests = schemas.filter(({ schema }) => schema.kind === "request" && schema.versions !== "none");
  assert.deepEqual(
    [...API_INFO.values()].map(({ apiKey, name }) => `${apiKey} ${name}`),
    requests
      .map(({ schema }) => ({ key: schema.apiKey ?? -1, name: schema.name.replace(/Request$/, "") }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ key, name }) => `${key} ${name}`),
  );
});
