/**
 * Writes schema-digests.json from Apache's definitions, which must lie beside the checkout (see src/testing/schema-facts.ts):
 * `npm run build && node packages/protocol/test-fixtures/record-schema-digests.mjs`. The digests stand for the definitions
 * where these are not at hand.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { apacheFacts, digestOf } from "../dist/testing/schema-facts.js";

const facts = apacheFacts();
if (facts === undefined) throw new Error("Apache's definitions are not at hand");
const digests = Object.fromEntries(
  [...facts].map(([path, message]) => [path, digestOf(message)]).toSorted(([a], [b]) => (a < b ? -1 : 1)),
);
const target = fileURLToPath(new URL("schema-digests.json", import.meta.url));
writeFileSync(target, `${JSON.stringify(digests, undefined, 2)}\n`);
