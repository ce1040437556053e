import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SerialisationError } from "../errors.ts";
import type { DeserialisationContext, Serde } from "./serialiser.ts";
import { serializers } from "./serialisers.ts";

const CONTEXT: DeserialisationContext = { topic: "t", isKey: false, headers: [] };

function bytesOf<T>(serde: Serde<T>, data: T): Uint8Array {
  const made = serde.serialize(data, CONTEXT);
  assert.ok(!(made instanceof Promise));
  return typeof made === "string" ? new TextEncoder().encode(made) : made;
}

const golden = [
  { name: "int32", made: bytesOf(serializers.int32, -2), hex: "fffffffe", why: "Java's IntegerSerializer" },
  { name: "int64", made: bytesOf(serializers.int64, 258n), hex: "0000000000000102", why: "Java's LongSerializer" },
  { name: "float64", made: bytesOf(serializers.float64, 1.5), hex: "3ff8000000000000", why: "Java's DoubleSerializer" },
  { name: "string", made: bytesOf(serializers.string, "é"), hex: "c3a9", why: "UTF-8" },
];
for (const { name, made, hex, why } of golden) {
  test(`${name} writes ${hex}: ${why}`, () => assert.equal(Buffer.from(made).toString("hex"), hex));
}

function roundTrip<T>(name: string, serde: Serde<T>, arbitrary: fc.Arbitrary<T>): void {
  test(`${name} reads back what it writes`, () => {
    fc.assert(
      fc.property(arbitrary, (data) => {
        assert.deepEqual(serde.deserialize(bytesOf(serde, data), CONTEXT), data);
      }),
    );
  });
}
roundTrip("string", serializers.string, fc.string({ unit: "grapheme" }));
roundTrip("bytes", serializers.bytes, fc.uint8Array());
roundTrip("int32", serializers.int32, fc.integer());
roundTrip("int64", serializers.int64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
roundTrip("float64", serializers.float64, fc.double());
roundTrip("uuid", serializers.uuid, fc.uuid());
roundTrip("json", serializers.json<fc.JsonValue>(), fc.jsonValue({ noUnicodeString: false }).map(normal));

/** JSON has no -0. */
function normal(value: fc.JsonValue): fc.JsonValue {
  return JSON.parse(JSON.stringify(value)) as fc.JsonValue;
}

const refused: readonly { name: string; act: () => unknown }[] = [
  { name: "int32 of 2^31", act: () => serializers.int32.serialize(2 ** 31, CONTEXT) },
  { name: "int32 of 1.5", act: () => serializers.int32.serialize(1.5, CONTEXT) },
  { name: "int64 of 2^63", act: () => serializers.int64.serialize(2n ** 63n, CONTEXT) },
  { name: "uuid of a word", act: () => serializers.uuid.serialize("word", CONTEXT) },
  { name: "json of undefined", act: () => serializers.json().serialize(undefined, CONTEXT) },
  { name: "an int32 in three bytes", act: () => serializers.int32.deserialize(new Uint8Array(3), CONTEXT) },
  { name: "a float64 in nine bytes", act: () => serializers.float64.deserialize(new Uint8Array(9), CONTEXT) },
];
for (const { name, act } of refused) {
  test(`refused is ${name}`, () => assert.throws(act, SerialisationError));
}

test("json tells what came by a function, which may refuse it", () => {
  const order = serializers.json((value) => {
    if (typeof value !== "object" || value === null || !("id" in value)) throw new TypeError("no order");
    return { id: Number(value.id) };
  });
  const data: { id: number } = order.deserialize(new TextEncoder().encode('{"id":"7"}'), CONTEXT);
  assert.deepEqual(data, { id: 7 });
  assert.throws(() => order.deserialize(new TextEncoder().encode("[]"), CONTEXT), /no order/);
});
