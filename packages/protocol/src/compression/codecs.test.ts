import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ErrorCode, KafkaError } from "@samsa/base";
import fc from "fast-check";
import { CorruptRecordError } from "../record/errors.ts";
import { RecordBatch, recordBatches } from "../record/record-batch.ts";
import { goldenBytes } from "../testing/golden-batches.ts";
import { answersOrRefuses } from "../testing/typed-errors.ts";
import type { Codec } from "./codec.ts";
import { compress, decompress } from "./compression.ts";
import type { CompressionType } from "./compression-type.ts";
import { gzip } from "./gzip.ts";
import { lz4Over, nativeLz4Blocks } from "./lz4.ts";
import { pureLz4Blocks } from "./lz4-block.ts";
import { nativeSnappyBlocks, snappyOver } from "./snappy.ts";
import { pureSnappyBlocks } from "./snappy-block.ts";
import { nodeZstd, zstdOver } from "./zstd.ts";
import { wasmZstd } from "./zstd-wasm.ts";

const MIB = 2 ** 20;
const LIMIT = 8 * MIB;

interface Implementation {
  readonly name: string;
  readonly type: Exclude<CompressionType, "none">;
  readonly codec: Codec;
}

/** Every implementation that runs here: the same tests for all, and each reads what the others of its type write. */
const implementations: Implementation[] = [
  { name: "gzip of Node", type: "gzip", codec: gzip },
  { name: "snappy in TypeScript", type: "snappy", codec: snappyOver(pureSnappyBlocks) },
  { name: "lz4 in TypeScript", type: "lz4", codec: lz4Over(pureLz4Blocks) },
  { name: "zstd in WebAssembly", type: "zstd", codec: zstdOver(wasmZstd()) },
];
const nativeSnappy = nativeSnappyBlocks();
if (nativeSnappy !== undefined) {
  implementations.push({ name: "native snappy", type: "snappy", codec: snappyOver(nativeSnappy) });
}
const nativeLz4 = nativeLz4Blocks();
if (nativeLz4 !== undefined) implementations.push({ name: "native lz4", type: "lz4", codec: lz4Over(nativeLz4) });
const ofNode = nodeZstd();
if (ofNode !== undefined) implementations.push({ name: "zstd of Node", type: "zstd", codec: zstdOver(ofNode) });

const text = new TextEncoder().encode("Someone must have been telling tales about Josef K. ".repeat(6000));
const noise = Uint8Array.from(
  { length: 200_000 },
  (
    (state) => () =>
      (state = Math.imul(state, 1103515245) + 12345) >>> 16
  )(1915),
);
const samples = [
  { what: "nothing", bytes: new Uint8Array() },
  { what: "one byte", bytes: Uint8Array.of(7) },
  { what: "twelve bytes", bytes: text.subarray(0, 12) },
  { what: "a short text", bytes: text.subarray(0, 300) },
  { what: "a long text", bytes: text },
  { what: "noise", bytes: noise },
  { what: "zeroes", bytes: new Uint8Array(3 * MIB) },
  { what: "a block of snappy and a byte", bytes: noise.subarray(0, 32 * 1024 + 1) },
  { what: "exactly two blocks of lz4", bytes: text.subarray(0, 128 * 1024) },
  { what: "runs of many lengths", bytes: runs() },
];

for (const { name, type, codec } of implementations) {
  describe(name, () => {
    const peers = implementations.filter((other) => other.type === type);

    for (const { what, bytes } of samples) {
      test(`gives ${what} back, and so do its peers`, () => {
        const compressed = codec.compress(bytes, undefined);
        for (const peer of peers) assert.deepEqual(plain(peer.codec.decompress(compressed, LIMIT)), bytes, peer.name);
      });
    }

    test("gives anything back", () => {
      const pieces = fc.array(
        fc
          .tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(300))
          .map(([piece, times]) => repeat(piece, times)),
      );
      fc.assert(
        fc.property(pieces, (all) => {
          const bytes = new Uint8Array(Buffer.concat(all));
          const compressed = codec.compress(bytes, undefined);
          for (const peer of peers) assert.deepEqual(plain(peer.codec.decompress(compressed, LIMIT)), bytes);
        }),
        { numRuns: 60 },
      );
    });

    test("makes text small", () => assert.ok(codec.compress(text, undefined).length < text.length / 15));

    test("makes noise hardly larger", () => {
      assert.ok(codec.compress(noise, undefined).length < noise.length * 1.01 + 100);
    });

    const { levels } = codec;
    if (levels !== undefined) {
      for (const level of [Math.max(levels.lowest, -7), 1, 2, 5, 9, levels.highest]) {
        test(`gives back what it compressed at level ${level}`, () => {
          const some = text.subarray(0, 100_000);
          for (const bytes of [some, noise.subarray(0, 70_000)]) {
            const compressed = codec.compress(bytes, level);
            for (const peer of peers) assert.deepEqual(plain(peer.codec.decompress(compressed, LIMIT)), bytes);
          }
        });
      }
    }

    test("reads what Java wrote", () => {
      for (const { bytes, compressionType } of recordBatches(goldenBytes(`${type}.log`))) {
        assert.equal(compressionType, type);
        const records = codec.decompress(bytes.subarray(61), LIMIT);
        // The CRC of the header is over the compressed bytes; that of the records is checked in golden-batches.test.ts.
        assert.deepEqual(plain(records), plain(decompress(type, bytes.subarray(61))));
      }
    });

    test("unfolds to the limit and no further", () => {
      for (const { bytes } of samples) {
        const compressed = codec.compress(bytes, undefined);
        assert.equal(codec.decompress(compressed, bytes.length).length, bytes.length);
        if (bytes.length > 0) assert.throws(() => codec.decompress(compressed, bytes.length - 1), CorruptRecordError);
      }
    });

    test("refuses a bomb", () => {
      const bomb = codec.compress(new Uint8Array(64 * MIB), undefined);
      assert.throws(() => codec.decompress(bomb, LIMIT), CorruptRecordError);
    });

    test("refuses what is cut, wherever", () => {
      const compressed = plain(codec.compress(text.subarray(0, 3000), undefined));
      for (let length = 0; length < compressed.length; length++) {
        const cut = compressed.subarray(0, length);
        // snappy framing has no end of its own: a stream may end after the header
        if (type === "snappy" && length === 16) assert.equal(codec.decompress(cut, LIMIT).length, 0);
        else if (type === "zstd" && length === 0) assert.equal(codec.decompress(cut, LIMIT).length, 0);
        else assert.throws(() => codec.decompress(cut, LIMIT), CorruptRecordError, `at ${length}`);
      }
    });

    test("answers within the limit or refuses, whichever byte is wrong", () => {
      for (const original of [text.subarray(0, 2000), noise.subarray(0, 300), new Uint8Array(20_000)]) {
        const compressed = plain(codec.compress(original, undefined));
        for (let at = 0; at < compressed.length; at++) {
          for (const mask of [0xff, 0x01, 0x80, 1 << (at % 8)]) {
            const damaged = compressed.slice();
            damaged[at] = (damaged[at] ?? 0) ^ mask;
            answersOrRefuses(() => {
              assert.ok(codec.decompress(damaged, 30_000).length <= 30_000);
            }, `byte ${at} ^ ${mask}`);
          }
        }
      }
    });

    test("answers within the limit or refuses, whatever follows the first bytes", () => {
      const start = codec.compress(text.subarray(0, 100), undefined);
      fc.assert(
        fc.property(fc.nat(start.length), fc.uint8Array({ maxLength: 60 }), (kept, rest) => {
          const bytes = new Uint8Array(Buffer.concat([start.subarray(0, kept), rest]));
          answersOrRefuses(() => {
            assert.ok(codec.decompress(bytes, 10_000).length <= 10_000);
          }, "random rest");
        }),
        { numRuns: 1000 },
      );
    });

    test("leaves what it was given as it was", () => {
      const bytes = text.slice(0, 5000);
      const compressed = codec.compress(bytes, undefined);
      const before = plain(compressed);
      codec.decompress(compressed, LIMIT);
      codec.compress(noise, undefined); // a second call must not write into the answer of the first
      assert.deepEqual([bytes, plain(compressed)], [text.slice(0, 5000), before]);
    });
  });
}

describe("a gzip", () => {
  test("of several members is read, as Java does", () => {
    const members = Buffer.concat([
      gzipSync(text.subarray(0, 1000)),
      gzipSync(text.subarray(1000, 3000)),
      gzipSync("end"),
    ]);
    assert.deepEqual(
      plain(gzip.decompress(members, LIMIT)),
      Uint8Array.from([...text.subarray(0, 3000), ...Buffer.from("end")]),
    );
  });

  test("that is a bomb is refused by what it announces", () => {
    const bomb = gzipSync(new Uint8Array(32 * MIB));
    assert.throws(() => gzip.decompress(bomb, 32 * MIB - 1), /more than the 33554431 bytes/);
  });

  test("that hides what it unfolds to is refused by its ratio", () => {
    const bomb = gzipSync(new Uint8Array(32 * MIB));
    new DataView(bomb.buffer, bomb.byteOffset).setUint32(bomb.length - 4, 10, true);
    assert.throws(() => gzip.decompress(bomb, 1024 * MIB), /more than the 1048576 bytes/);
  });
});

describe("a snappy stream", () => {
  const { codec } = implementationOf("snappy");

  test("without framing is one block, as librdkafka writes it", () => {
    for (const bytes of [text, noise, Uint8Array.of(1)]) {
      assert.deepEqual(plain(codec.decompress(pureSnappyBlocks.compress(bytes), LIMIT)), bytes);
    }
  });

  test("may be several, one after the other", () => {
    const parts = [codec.compress(text, undefined), codec.compress(noise, undefined)];
    assert.deepEqual(
      plain(codec.decompress(Buffer.concat(parts), LIMIT)),
      new Uint8Array(Buffer.concat([text, noise])),
    );
  });

  test("begins with the header that Java writes, over blocks of 32 KiB", () => {
    const [ours, javas] = [codec.compress(text, undefined), javaRecords("snappy")];
    assert.deepEqual(ours.subarray(0, 16), javas.subarray(0, 16));
  });

  test("that announces more than its bytes can make is refused before room is made", () => {
    const claim = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07, 0, 0); // 2 GiB in two bytes
    assert.throws(() => codec.decompress(claim, 4096 * MIB), /impossible length/);
  });
});

describe("an lz4 frame", () => {
  for (const { name, codec } of implementations.filter(({ type }) => type === "lz4")) {
    test(`begins with the header that Java writes (${name})`, () => {
      assert.deepEqual(codec.compress(text, undefined).subarray(0, 7), javaRecords("lz4").subarray(0, 7));
    });

    // test-fixtures/compression/make.sh
    test(`is read with checksums, content size and linked blocks (${name})`, () => {
      for (const frame of foreignLz4Frames()) {
        assert.deepEqual(plain(codec.decompress(frame, LIMIT)), text.slice(0, 150_000));
        for (const at of [6, 14, frame.length - 1]) {
          const damaged = frame.slice();
          damaged[at] = (damaged[at] ?? 0) ^ 1;
          assert.throws(() => codec.decompress(damaged, LIMIT), CorruptRecordError);
        }
      }
    });
  }
});

describe("compress and decompress", () => {
  test("leave alone what is not compressed", () => {
    assert.equal(compress("none", text), text);
    assert.equal(decompress("none", text), text);
  });

  test("answer with no Buffer, whose slice would be no copy", () => {
    for (const { type } of implementations) {
      const compressed = compress(type, text);
      assert.equal(Object.getPrototypeOf(compressed), Uint8Array.prototype);
      assert.equal(Object.getPrototypeOf(decompress(type, compressed)), Uint8Array.prototype);
    }
  });

  test("bound the output by its ratio to the input once it is large", () => {
    const zeroes = compress("zstd", new Uint8Array(17 * MIB));
    assert.throws(() => decompress("zstd", zeroes), CorruptRecordError);
    assert.equal(decompress("zstd", zeroes, { maxRatio: 2 ** 30 }).length, 17 * MIB);
    assert.equal(decompress("zstd", compress("zstd", new Uint8Array(16 * MIB))).length, 16 * MIB);
  });

  for (const [type, level] of [
    ["gzip", 0],
    ["gzip", 10],
    ["lz4", 0],
    ["lz4", 18],
    ["zstd", 23],
    ["zstd", 1.5],
  ] as const) {
    test(`refuse level ${level} for ${type}`, () => {
      assert.throws(
        () => compress(type, text, level),
        (error) => error instanceof KafkaError && error.code === ErrorCode.INVALID_CONFIG,
      );
    });
  }
});

function implementationOf(type: CompressionType): Implementation {
  const found = implementations.find((each) => each.type === type);
  assert.ok(found !== undefined);
  return found;
}

/** The compressed records of the first batch that Java wrote. */
function javaRecords(type: CompressionType): Uint8Array {
  return new RecordBatch(goldenBytes(`${type}.log`)).bytes.subarray(61);
}

function foreignLz4Frames(): Uint8Array[] {
  const folder = new URL("../../test-fixtures/compression/", import.meta.url);
  return ["linked.lz4", "checksums.lz4"].map((name) => new Uint8Array(readFileSync(new URL(name, folder))));
}

/** A copy that is no Buffer: equal to its like, and with a `slice` that copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

function repeat(piece: Uint8Array, times: number): Uint8Array {
  return new Uint8Array(Buffer.concat(Array.from({ length: times }, () => piece)));
}

/** Matches and literals of every length around the limits of the formats' short forms. */
function runs(): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let length = 0; length < 300; length++) {
    pieces.push(new Uint8Array(length).fill(length), noise.subarray(length * 50, length * 50 + ((length * 7) % 300)));
  }
  return new Uint8Array(Buffer.concat(pieces));
}
