/** Reader and writer against plain models: DataView for the fixed sizes, BigInt for the variable ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter, unsignedVarintSize } from "./byte-writer.ts";
import { INT64_MAX, INT64_MIN, isInt64 } from "./int64.ts";
import { KafkaError, ProtocolError } from "./kafka-error.ts";
import { uuidFromBytes } from "./uuid.ts";

type Write = (writer: ByteWriter) => void;

function written(write: Write): number[] {
  const writer = new ByteWriter(1);
  write(writer);
  return [...writer.toBytes()];
}

function reading(bytes: readonly number[] | Uint8Array): ByteReader {
  return new ByteReader(new Uint8Array(bytes));
}

const int64 = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(0, -1, INT64_MAX, INT64_MIN));

/** How Java writes an int64 as a varlong. */
function modelVarlong(value: bigint): number[] {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

const primitives = [
  { type: "int8", size: 1, lowest: -0x80, highest: 0x7f },
  { type: "uint8", size: 1, lowest: 0, highest: 0xff },
  { type: "int16", size: 2, lowest: -0x8000, highest: 0x7fff },
  { type: "uint16", size: 2, lowest: 0, highest: 0xffff },
  { type: "int32", size: 4, lowest: -0x8000_0000, highest: 0x7fff_ffff },
  { type: "uint32", size: 4, lowest: 0, highest: 0xffff_ffff },
] as const;
for (const { type, size, lowest, highest } of primitives) {
  test(`${type} is ${size} bytes, big-endian, and read back equal`, () => {
    const values = fc.oneof(fc.integer({ min: lowest, max: highest }), fc.constantFrom(lowest, highest));
    fc.assert(
      fc.property(values, (value) => {
        const bytes = written((writer) => writer[type](value));
        const model = BigInt.asUintN(8 * size, BigInt(value))
          .toString(16)
          .padStart(2 * size, "0");
        assert.equal(Buffer.from(bytes).toString("hex"), model);
        assert.equal(reading(bytes)[type](), value);
      }),
    );
  });

  test(`${type} refuses what does not fit`, () => {
    for (const value of [lowest - 1, highest + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => written((writer) => writer[type](value)), KafkaError);
    }
  });
}

test("int64 is what BigInt says, and read back equal", () => {
  fc.assert(
    fc.property(int64, (value) => {
      const bytes = written((writer) => writer.int64(value));
      const model = new DataView(new ArrayBuffer(8));
      model.setBigInt64(0, value === INT64_MAX ? 2n ** 63n - 1n : BigInt(value));
      assert.deepEqual(bytes, [...new Uint8Array(model.buffer)]);
      assert.equal(reading(bytes).int64(), value);
    }),
  );
});

const unsafe = [2 ** 53, -(2 ** 53), 2 ** 62, 2 ** 63 - 1024, -(2 ** 63) + 1024, 2 ** 64, 0.5, Number.NaN];
for (const value of unsafe) {
  test(`int64 refuses to write ${value}`, () => {
    assert.equal(isInt64(value), false);
    assert.throws(() => written((writer) => writer.int64(value)), KafkaError);
    assert.throws(() => written((writer) => writer.varlong(value)), KafkaError);
  });
}

test("int64 refuses to read what no number holds exactly, and reads everything else", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigInt64(0, value);
      const number = Number(value);
      if (Number.isSafeInteger(number)) assert.equal(reading(bytes).int64(), number);
      else if (value === 2n ** 63n - 1n || value === -(2n ** 63n)) assert.equal(reading(bytes).int64(), number);
      else assert.throws(() => reading(bytes).int64(), ProtocolError);
      assert.equal(reading(bytes).bigInt64(), value);
      assert.deepEqual(
        written((writer) => writer.bigInt64(value)),
        [...bytes],
      );
    }),
  );
  assert.throws(() => written((writer) => writer.bigInt64(2n ** 63n)), KafkaError);
});

test("float64 and boolean are read back equal", () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      assert.ok(Object.is(reading(written((writer) => writer.float64(value))).float64(), value));
    }),
  );
  assert.deepEqual(
    [...written((writer) => writer.boolean(true)), ...written((writer) => writer.boolean(false))],
    [1, 0],
  );
  assert.equal(reading([2]).boolean(), true);
});

const varints = [
  { value: 0, bytes: [0x00], why: "the shortest" },
  { value: -1, bytes: [0x01], why: "zigzag keeps small negatives short" },
  { value: 63, bytes: [0x7e], why: "the last value of one byte" },
  { value: 64, bytes: [0x80, 0x01], why: "the first value to need two bytes" },
  { value: 0x7fff_ffff, bytes: [0xfe, 0xff, 0xff, 0xff, 0x0f], why: "the largest" },
  { value: -0x8000_0000, bytes: [0xff, 0xff, 0xff, 0xff, 0x0f], why: "the smallest" },
];
for (const { value, bytes, why } of varints) {
  test(`writes ${value} as a varint: ${why}`, () => {
    assert.deepEqual(
      written((writer) => writer.varint(value)),
      bytes,
    );
    assert.equal(reading(bytes).varint(), value);
  });
}

test("varint, varlong and unsigned varint are what BigInt says, and read back equal", () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer(), fc.integer({ min: -1000, max: 1000 })), (value) => {
      const bytes = written((writer) => writer.varint(value));
      assert.deepEqual(bytes, modelVarlong(BigInt(value)));
      assert.equal(reading(bytes).varint(), value);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
      const bytes = written((writer) => writer.varlong(value));
      assert.deepEqual(bytes, modelVarlong(BigInt(value)));
      assert.equal(reading(bytes).varlong(), value);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff })), (value) => {
      const bytes = written((writer) => writer.unsignedVarint(value));
      assert.equal(bytes.length, unsignedVarintSize(value));
      assert.equal(
        bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n),
        BigInt(value),
      );
      assert.equal(reading(bytes).unsignedVarint(), value);
    }),
  );
});

test("varlong reads every int64 that a number holds, the extremes included, and refuses the others", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const reader = reading(modelVarlong(value));
      if (Number.isSafeInteger(Number(value))) assert.equal(reader.varlong(), Number(value));
      else if (Math.abs(Number(value)) < 2 ** 63) assert.throws(() => reader.varlong(), ProtocolError);
    }),
  );
  assert.equal(reading(modelVarlong(2n ** 63n - 1n)).varlong(), INT64_MAX);
  assert.equal(reading(modelVarlong(-(2n ** 63n))).varlong(), INT64_MIN);
});

const badVarints = [
  { bytes: [0xff, 0xff, 0xff, 0xff, 0x1f], why: "33 bits" },
  { bytes: [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], why: "six bytes" },
  { bytes: [0x80, 0x80], why: "no end" },
  { bytes: [], why: "nothing there" },
];
for (const { bytes, why } of badVarints) {
  test(`refuses a varint: ${why}`, () => assert.throws(() => reading(bytes).unsignedVarint(), ProtocolError));
}

const badVarlongs = [
  { bytes: [...new Uint8Array(9).fill(0xff), 0x02], why: "65 bits" },
  { bytes: [...new Uint8Array(10).fill(0x80), 0x00], why: "eleven bytes" },
  { bytes: [...new Uint8Array(9).fill(0x80)], why: "no end" },
];
for (const { bytes, why } of badVarlongs) {
  test(`refuses a varlong: ${why}`, () => assert.throws(() => reading(bytes).varlong(), ProtocolError));
}

test("a reader never reads past its end, nor before what it was given", () => {
  const read = [
    (reader: ByteReader) => reader.boolean(),
    (reader: ByteReader) => reader.int8(),
    (reader: ByteReader) => reader.int16(),
    (reader: ByteReader) => reader.int32(),
    (reader: ByteReader) => reader.int64(),
    (reader: ByteReader) => reader.float64(),
    (reader: ByteReader) => reader.uuid(),
    (reader: ByteReader) => reader.utf8(1),
    (reader: ByteReader) => reader.view(1),
    (reader: ByteReader) => reader.skip(1),
    (reader: ByteReader) => reader.view(-1),
    (reader: ByteReader) => reader.utf8(-1),
  ];
  for (const one of read) {
    const reader = new ByteReader(new Uint8Array(64), 20, 20);
    assert.throws(() => one(reader), ProtocolError);
    assert.equal(reader.offset, 20);
  }
});

test("a view shares memory with what is read, also when that is a part of a larger buffer", () => {
  const whole = new Uint8Array([9, 9, 1, 2, 3, 9]);
  const reader = new ByteReader(whole.subarray(2, 5));
  const view = reader.view(2);
  assert.deepEqual([...view], [1, 2]);
  assert.equal(view.buffer, whole.buffer);
  assert.equal(reader.remaining, 1);
});

test("a count is checked against the bytes that its elements take at least", () => {
  const reader = new ByteReader(new Uint8Array(10));
  assert.equal(reader.checkCount(10), 10);
  assert.equal(reader.checkCount(2, 5), 2);
  for (const [count, minimum] of [
    [11, 1],
    [3, 4],
    [-1, 1],
    [0xffff_ffff, 100],
  ] as const) {
    assert.throws(() => reader.checkCount(count, minimum), ProtocolError);
  }
});

test("a reader takes no more elements than it is given, over all arrays together", () => {
  const reader = new ByteReader(new Uint8Array(100));
  reader.elementsLeft = 10;
  assert.equal(reader.checkCount(6), 6);
  assert.throws(() => reader.checkCount(5), ProtocolError);
  assert.equal(reader.checkCount(4), 4);
  assert.throws(() => reader.checkCount(1), ProtocolError);
});

const pieces = fc.array(
  fc.oneof(
    int64.map((value) => ({ write: (writer: ByteWriter) => writer.int64(value), size: 8 })),
    fc.integer().map((value) => ({ write: (writer: ByteWriter) => writer.int32(value), size: 4 })),
    fc.nat(0xff).map((value) => ({ write: (writer: ByteWriter) => writer.uint8(value), size: 1 })),
    fc.boolean().map((value) => ({ write: (writer: ByteWriter) => writer.boolean(value), size: 1 })),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => {
      const uuid = uuidFromBytes(bytes);
      return { write: (writer: ByteWriter) => writer.uuid(uuid), size: 16 };
    }),
    fc.nat(10_000).map((size) => {
      const bytes = new Uint8Array(size).fill(size);
      return { write: (writer: ByteWriter) => writer.raw(bytes), size };
    }),
    fc.nat(3000).map((size) => {
      const text = "x".repeat(size);
      return { write: (writer: ByteWriter) => writer.utf8(text, size), size };
    }),
  ),
  { maxLength: 40 },
);

test("what is written does not depend on where the buffer grows", () => {
  fc.assert(
    fc.property(pieces, fc.nat(100), (pieces, capacity) => {
      const [small, roomy] = [new ByteWriter(capacity), new ByteWriter(1_000_000)];
      let length = 0;
      for (const { write, size } of pieces) {
        write(small);
        write(roomy);
        length += size;
        assert.equal(small.length, length);
      }
      const chunks = Buffer.concat(roomy.toChunks());
      assert.ok(chunks.equals(small.toBytes()));
      assert.equal(chunks.length, length);
    }),
  );
});

test("large bytes leave by reference, small ones are copied", () => {
  const [small, large] = [new Uint8Array(100).fill(1), new Uint8Array(100_000).fill(2)];
  const writer = new ByteWriter();
  writer.raw(small);
  writer.raw(large);
  writer.int8(3);
  small.fill(9);
  const chunks = writer.toChunks();
  assert.equal(chunks[1], large);
  assert.deepEqual(
    chunks.map((chunk) => chunk[0]),
    [1, 2, 3],
  );
});

test("a length at the start can be written last, also when the rest has left the first chunk", () => {
  for (const size of [0, 10, 100_000]) {
    const writer = new ByteWriter(8);
    writer.int32(0);
    writer.raw(new Uint8Array(size));
    writer.int64(1);
    writer.patchInt32(0, writer.length - 4);
    const bytes = Buffer.concat(writer.toChunks());
    assert.equal(bytes.readInt32BE(0), bytes.length - 4);
  }
});
