import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "@samsa/base";
import fc from "fast-check";
import { FrameDecoder } from "./framing.ts";

const MAX = 1000;

function frame(body: Uint8Array): Uint8Array {
  const framed = new Uint8Array(4 + body.length);
  new DataView(framed.buffer).setInt32(0, body.length);
  framed.set(body, 4);
  return framed;
}

/** Cuts where the cuts say, taken modulo what is left. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at = Math.min(bytes.length, at + size);
  }
  return [...chunks, bytes.subarray(at)];
}

for (const copies of [false, true]) {
  const what = copies ? ", also when the memory of a chunk is used again" : "";
  test(`finds the same frames however the stream is cut${what}`, () => findsFrames(copies));
}

function findsFrames(copies: boolean): void {
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 });
  const sizes = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 30 });
  fc.assert(
    fc.property(bodies, sizes, (bodies, sizes) => {
      const decoder = new FrameDecoder(MAX, { copies });
      const stream = Buffer.concat(bodies.map(frame));
      const found = cut(stream, sizes).flatMap((chunk) => {
        const frames = [...decoder.push(chunk)];
        if (copies) chunk.fill(0xee);
        return frames;
      });
      assert.deepEqual(
        found.map((bytes) => [...bytes]),
        bodies.map((bytes) => [...bytes]),
      );
      assert.equal(decoder.pendingBytes, 0);
    }),
  );
}

test("finds frames that come byte by byte, the empty one with its length", () => {
  const decoder = new FrameDecoder(MAX);
  const counts = [...frame(new Uint8Array(0)), ...frame(new Uint8Array([7, 8]))].map(
    (byte) => decoder.push(new Uint8Array([byte])).length,
  );
  assert.deepEqual(counts, [0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
});

test("a copying decoder finds a frame far larger than its first chunk", () => {
  const body = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251);
  const decoder = new FrameDecoder(body.length, { copies: true });
  const found = cut(
    frame(body),
    Array.from({ length: 200 }, (_, i) => 30 * i),
  ).flatMap((chunk) => [...decoder.push(chunk)]);
  assert.deepEqual(found, [body]);
});

test("a frame that lies in one chunk is a view of it", () => {
  const chunk = frame(new Uint8Array([1, 2, 3]));
  const [found] = new FrameDecoder(MAX).push(chunk);
  assert.equal(found?.buffer, chunk.buffer);
});

test("a frame put together keeps its bytes when later frames arrive", () => {
  const decoder = new FrameDecoder(MAX);
  const [first, second] = [frame(new Uint8Array(10).fill(1)), frame(new Uint8Array(10).fill(2))];
  decoder.push(first.subarray(0, 8));
  const [kept] = decoder.push(first.subarray(8));
  decoder.push(second.subarray(0, 8));
  decoder.push(second.subarray(8));
  assert.deepEqual([...(kept ?? [])], [...new Uint8Array(10).fill(1)]);
});

const refused = [
  { length: [0xff, 0xff, 0xff, 0xff], why: "negative" },
  { length: [0x80, 0, 0, 0], why: "the most negative" },
  { length: [0, 0, 0x03, 0xe9], why: "one byte above the bound" },
  { length: [0x7f, 0xff, 0xff, 0xff], why: "the largest" },
  { length: [0x47, 0x45, 0x54, 0x20], why: 'what an HTTP client calls "GET "' },
];
for (const { length, why } of refused) {
  test(`refuses a length that is ${why}, and all that follows`, () => {
    const decoder = new FrameDecoder(MAX);
    assert.deepEqual(decoder.push(new Uint8Array(length)), []);
    assert.ok(decoder.failure instanceof ProtocolError);
    assert.deepEqual(decoder.push(frame(new Uint8Array(1))), []);
  });
}

test("frames that stand before a bad length in the same chunk are good", () => {
  const decoder = new FrameDecoder(MAX);
  const stream = new Uint8Array([...frame(new Uint8Array([1])), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  assert.deepEqual(decoder.push(stream), [new Uint8Array([1])]);
  assert.ok(decoder.failure instanceof ProtocolError);
});

test("takes a frame of exactly the bound", () => {
  assert.equal(new FrameDecoder(MAX).push(frame(new Uint8Array(MAX)))[0]?.length, MAX);
});

for (const copies of [false, true]) {
  test(`holds memory for what has arrived, not for what is announced${copies ? ", when it copies" : ""}`, () => {
    const announced = 100 * 1024 * 1024;
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => {
      const decoder = new FrameDecoder(announced, { copies });
      const start = new Uint8Array(14);
      new DataView(start.buffer).setInt32(0, announced);
      decoder.push(start);
      return decoder;
    });
    assert.ok(process.memoryUsage().arrayBuffers - before < announced / 10);
    assert.ok(decoders.every((decoder) => decoder.pendingBytes === 10));
  });
}

test("a chunk that is one frame is that frame, unless it belongs to one that is open", () => {
  const inner = frame(Uint8Array.of(1, 2, 3));
  const outer = frame(Uint8Array.of(9, ...inner));
  const decoder = new FrameDecoder(MAX);
  const found = [
    decoder.push(inner),
    decoder.push(outer.subarray(0, 5)), // the length and a byte
    decoder.push(inner),
    decoder.push(outer.subarray(0, 2)), // half of the length
    decoder.push(outer.subarray(2)),
    decoder.push(inner),
  ];
  assert.deepEqual(
    found.map((frames) => frames.map((bytes) => [...bytes])),
    [[[1, 2, 3]], [], [[9, ...inner]], [], [[9, ...inner]], [[1, 2, 3]]],
  );
  assert.deepEqual(decoder.push(Uint8Array.of(0x80, 0, 0, 0)), []);
  assert.deepEqual(decoder.push(inner), [], "nothing is read behind a failure");
});
