import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, ErrorCode, KafkaError } from "@samsa/base";
import fc from "fast-check";
import { loadMessages } from "./testing/message-schemas.ts";
import { MessageModel, plain } from "./testing/model-message.ts";

const RUNS = 15; // of each version of each message

for (const { schema, codec, versions } of await loadMessages()) {
  const model = new MessageModel(schema);

  test(`${schema.name} ${schema.versions} is written as its schema says, and read back equal`, () => {
    for (const version of versions) {
      const property = fc.property(model.arbitrary(version), (fields) => {
        const message = codec.create(fields);
        const writer = new ByteWriter(16);
        codec.write(writer, message, version);
        const bytes = writer.toBytes();
        assert.equal(Buffer.from(bytes).toString("hex"), Buffer.from(model.encode(fields, version)).toString("hex"));
        const reader = new ByteReader(bytes);
        assert.deepEqual(plain(codec.read(reader, version)), plain(message));
        assert.equal(reader.remaining, 0);
      });
      fc.assert(property, { numRuns: RUNS });
    }
  });
}

test("a message has no versions but its own", async () => {
  for (const { codec } of await loadMessages()) {
    for (const version of [codec.lowestVersion - 1, codec.highestVersion + 1, codec.lowestVersion + 0.5, Number.NaN]) {
      const isUnsupported = (error: unknown): boolean =>
        error instanceof KafkaError && error.code === ErrorCode.UNSUPPORTED_VERSION;
      assert.throws(() => codec.read(new ByteReader(new Uint8Array(100)), version), isUnsupported);
      assert.throws(() => codec.write(new ByteWriter(), codec.create(), version), isUnsupported);
    }
  }
});

test("a message without anything is written in each version, or names the field it cannot do without", async () => {
  for (const { codec, versions } of await loadMessages()) {
    for (const version of versions) {
      const writer = new ByteWriter();
      codec.write(writer, codec.create(), version);
      assert.deepEqual(codec.read(new ByteReader(writer.toBytes()), version), codec.create());
    }
  }
});
