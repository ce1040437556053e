import assert from "node:assert/strict";
import { test } from "node:test";
import { clientProperties } from "./client.ts";
import { table } from "./table.ts";

test("-X takes Kafka's names, and each goes where it belongs", () => {
  const pairs = ["linger.ms=50", "client.id=me", "check.crcs=false", "compression.type=zstd", "requestTimeoutMs=7"];
  assert.deepEqual(clientProperties(pairs), {
    kafkaProperties: { clientId: "me", requestTimeoutMs: 7 },
    otherProperties: { lingerMs: 50, checkCrcs: false, compressionType: "zstd" },
  });
});

test("a table has its columns one below the other, and nothing after the last", () => {
  assert.equal(
    table(
      ["A", "LONG"],
      [
        ["wide one", "1"],
        ["b", ""],
      ],
    ),
    "A         LONG\nwide one  1\nb\n",
  );
});
