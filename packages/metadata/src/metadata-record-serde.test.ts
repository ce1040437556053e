import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import fc from "fast-check";
import { METADATA_RECORD_CODECS, metadataRecord } from "./metadata-record.ts";
import type { MetadataRecordType } from "./metadata-record.ts";
import { deserializeMetadataRecord, serializeMetadataRecord } from "./metadata-record-serde.ts";

const TOPIC_ID = "fGI1NitGTpS6Nfkwztxu7w" as Uuid;

test("a value is frame version, type, version and message", () => {
  const bytes = serializeMetadataRecord(metadataRecord("FeatureLevelRecord", { name: "a", featureLevel: 33 }));
  assert.deepEqual([...bytes], [1, 12, 0, 2, 0x61, 0, 33, 0]);
});

test("there are 27 types of records, each with a number of its own", () => {
  const keys = Object.values(METADATA_RECORD_CODECS).map((codec) => codec.apiKey);
  assert.equal(new Set(keys).size, 27);
});

for (const type of Object.keys(METADATA_RECORD_CODECS) as MetadataRecordType[]) {
  test(`writes and reads a ${type} in each of its versions`, () => {
    const { lowestVersion, highestVersion } = METADATA_RECORD_CODECS[type];
    for (let version = lowestVersion; version <= highestVersion; version++) {
      const record = metadataRecord(type, {}, version);
      assert.deepEqual(deserializeMetadataRecord(serializeMetadataRecord(record as never)), record);
    }
  });
}

const topic = serializeMetadataRecord(metadataRecord("TopicRecord", { name: "t", topicId: TOPIC_ID }));
const refused = [
  { bytes: [2, 2, 0], message: "a metadata record has frame version 2, where 1 is known" },
  { bytes: [1, 99, 0], message: "a metadata record has the unknown type 99: a newer version may have written it" },
  {
    bytes: [1, 2, 7],
    message: "a TopicRecord has version 7, where 0 to 0 are known: a newer version may have written it",
  },
  { bytes: [...topic, 0], message: "1 bytes follow a TopicRecord" },
  { bytes: [], message: /^a metadata record cannot be read: / },
  { bytes: [...topic.subarray(0, 8)], message: /^a metadata record cannot be read: / },
];
for (const { bytes, message } of refused) {
  test(`refuses the value ${bytes.join(" ").slice(0, 40)}`, () => {
    assert.throws(() => deserializeMetadataRecord(Uint8Array.from(bytes)), { name: "MetadataParseError", message });
  });
}

test("whatever the bytes, there is a record or a MetadataParseError", () => {
  const prefix = fc.constantFrom([1], [1, 3, 2], [1, 0, 4], [1, 14, 0], []);
  fc.assert(
    fc.property(prefix, fc.uint8Array({ maxLength: 200 }), (start, rest) => {
      try {
        deserializeMetadataRecord(Uint8Array.from([...start, ...rest]));
      } catch (error) {
        assert.equal((error as Error).name, "MetadataParseError");
      }
    }),
  );
});
