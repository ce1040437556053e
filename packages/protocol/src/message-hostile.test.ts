/** Whatever the bytes, reading them gives a message or a ProtocolError. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, ProtocolError } from "@samsa/base";
import fc from "fast-check";
import { FetchRequest } from "./generated/fetch-request.ts";
import { MetadataRequest } from "./generated/metadata-request.ts";
import type { MessageCodec } from "./message-codec.ts";
import type { AnyMessage, TestedMessage } from "./testing/message-schemas.ts";
import { loadMessages } from "./testing/message-schemas.ts";
import { MessageModel, plain } from "./testing/model-message.ts";

const MUTATIONS = 60; // of one message of each version
const RANDOM_INPUTS = 30; // for each version
Error.stackTraceLimit = 0; // hundreds of thousands of errors, none of them looked at

const HOSTILE_BYTES = [
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0x00, 0x00, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x0f], // the largest varint
  [0xff, 0xff, 0xff, 0xff, 0x7f], // a varint of more than 32 bits
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], // a varint of more than five bytes
  [0xc3, 0x28], // no UTF-8
  [0xed, 0xa0, 0x80], // a surrogate in UTF-8
  [0x00],
  [0x01],
  [0x02, 0x00, 0x00, 0x00, 0x00], // tagged fields with equal tags
];

const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  removed: fc.integer({ min: 0, max: 5 }),
  inserted: fc.oneof(fc.constantFrom(...HOSTILE_BYTES), fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 })),
});
const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });

for (const { schema, codec, versions } of await loadMessages()) {
  test(`hostile bytes are a ${schema.name} or a ProtocolError`, () => {
    const model = new MessageModel(schema);
    for (const version of versions) {
      const [sample] = fc.sample(model.arbitrary(version), { numRuns: 1, seed: version });
      const valid = model.encode(sample ?? {}, version);
      for (let length = 0; length < valid.length; length++) {
        assert.throws(() => codec.read(new ByteReader(valid.subarray(0, length)), version), ProtocolError);
      }
      const mutated = fc.property(mutations, (changes) => tryToRead(codec, mutate(valid, changes), version));
      fc.assert(mutated, { numRuns: MUTATIONS });
      const random = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => tryToRead(codec, bytes, version));
      fc.assert(random, { numRuns: RANDOM_INPUTS });
      for (const filler of [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff]) {
        tryToRead(codec, new Uint8Array(500).fill(filler), version);
      }
    }
  });
}

/** What is read can also be written, and reads the same again. */
function tryToRead(codec: TestedMessage["codec"], bytes: Uint8Array, version: number): void {
  const message = readOrRefuse(codec, bytes, version);
  if (message === undefined) return;
  const writer = new ByteWriter();
  codec.write(writer, message, version);
  assert.deepEqual(plain(codec.read(new ByteReader(writer.toBytes()), version)), plain(message));
}

function readOrRefuse(codec: MessageCodec<AnyMessage>, bytes: Uint8Array, version: number): AnyMessage | undefined {
  try {
    return codec.read(new ByteReader(bytes), version);
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `${codec.name} ${version}: ${String(error)}`);
    return undefined;
  }
}

interface Mutation {
  readonly at: number; // as a part of the length
  readonly removed: number;
  readonly inserted: readonly number[];
}

function mutate(bytes: Uint8Array, changes: readonly Mutation[]): Uint8Array {
  const mutated = [...bytes];
  for (const { at, removed, inserted } of changes) {
    mutated.splice(Math.floor(at * mutated.length), removed, ...inserted);
  }
  return new Uint8Array(mutated);
}

const refused: readonly {
  what: string;
  codec: Pick<MessageCodec<unknown>, "read">;
  version: number;
  bytes: readonly number[];
}[] = [
  {
    what: "two thousand million topics where no byte remains",
    codec: MetadataRequest,
    version: 1,
    bytes: [0x7f, 0xff, 0xff, 0xff],
  },
  {
    what: "more topics than bytes, in a compact array",
    codec: MetadataRequest,
    version: 9,
    bytes: [0x05, 0x00, 0x00, 0x00],
  },
  {
    what: "four thousand million tagged fields",
    codec: MetadataRequest,
    version: 9,
    bytes: [0x01, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
  },
  { what: "a tagged field longer than the frame", codec: MetadataRequest, version: 9, bytes: [1, 0, 0, 0, 1, 9, 5, 0] },
  { what: "a tag twice", codec: MetadataRequest, version: 9, bytes: [1, 0, 0, 0, 2, 9, 0, 9, 0] },
  { what: "tags that descend", codec: MetadataRequest, version: 9, bytes: [1, 0, 0, 0, 2, 9, 0, 8, 0] },
  { what: "null where it is not allowed", codec: MetadataRequest, version: 0, bytes: [0xff, 0xff, 0xff, 0xff] },
  {
    what: "a known tagged field that is shorter than its value",
    codec: FetchRequest,
    version: 12,
    bytes: [...new Uint8Array(25), 1, 1, 1, 1, 0, 1, 3, 0x61, 0x62],
  },
  {
    what: "a tag that belongs to a later version",
    codec: FetchRequest,
    version: 12,
    bytes: [...new Uint8Array(25), 1, 1, 1, 1, 1, 13, ...new Uint8Array(13)],
  },
];
for (const { what, codec, version, bytes } of refused) {
  test(`refuses ${what}`, () => {
    assert.throws(() => codec.read(new ByteReader(new Uint8Array(bytes)), version), ProtocolError);
  });
}

test("the same request without the fault is read", () => {
  const bytes = [...new Uint8Array(25), 1, 1, 1, 1, 0, 3, 3, 0x61, 0x62];
  const reader = new ByteReader(new Uint8Array(bytes));
  assert.equal(FetchRequest.read(reader, 12).clusterId, "ab");
  assert.equal(reader.remaining, 0);
});

test("a flood of tagged fields costs no more than its bytes", () => {
  const fields = 50_000;
  const writer = new ByteWriter();
  for (const byte of [1, 0, 0, 0]) writer.uint8(byte);
  writer.unsignedVarint(fields);
  for (let tag = 0; tag < fields; tag++) {
    writer.unsignedVarint(tag);
    writer.unsignedVarint(0);
  }
  const bytes = writer.toBytes();
  assert.equal(MetadataRequest.read(new ByteReader(bytes), 9).unknownTaggedFields?.length, fields);
  assert.throws(() => MetadataRequest.read(new ByteReader(bytes.subarray(0, 100_000)), 9), ProtocolError);
});
