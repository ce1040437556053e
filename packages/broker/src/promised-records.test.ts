import assert from "node:assert/strict";
import { test } from "node:test";
import { hasPromises, keepPromises, placeholderFor } from "./promised-records.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (chunks: readonly Uint8Array[]): string => chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");

/** A frame of three partitions, `read` in the order in which reading began. */
function frame(failsAt?: string) {
  const begun: string[] = [];
  const promise = (records: string): Uint8Array =>
    placeholderFor({
      sizeInBytes: records.length,
      read: async () => {
        begun.push(records);
        await new Promise(setImmediate);
        if (records === failsAt) throw new Error("damaged");
        return bytes(records);
      },
    });
  const chunks = [
    bytes("head "),
    bytes("p0 "),
    bytes("h1 "),
    promise("p1 "),
    bytes("h2 "),
    promise("p2 "),
    bytes("h3 "),
    promise("p3 "),
  ];
  return { chunks: [...chunks, bytes("end")], begun };
}

test("what is promised leaves in its place, and what comes first does not wait for it", async () => {
  const { chunks, begun } = frame();
  assert.equal(hasPromises(chunks), true);
  const written: string[] = [];
  const kept = keepPromises(chunks, (some) => written.push(text(some)) > 0);
  assert.deepEqual([written, begun], [["head p0 h1 "], ["p1 ", "p2 "]]);
  const last = await kept;
  assert.deepEqual(written, ["head p0 h1 ", "p1 h2 ", "p2 h3 "]);
  assert.equal(text(last.chunks), "p3 end");
  assert.equal(hasPromises(last.chunks), false);
});

test("nothing leaves of what is damaged, nor what comes after it", async () => {
  const { chunks } = frame("p2 ");
  const written: string[] = [];
  await assert.rejects(
    keepPromises(chunks, (some) => written.push(text(some)) > 0),
    /damaged/,
  );
  assert.deepEqual(written, ["head p0 h1 ", "p1 h2 "]);
});

test("nothing more is read for a connection that is gone", async () => {
  const { chunks, begun } = frame();
  let isOpen = true;
  const last = await keepPromises(chunks, () => {
    const wasOpen = isOpen;
    isOpen = false;
    return wasOpen;
  });
  assert.deepEqual(begun, ["p1 ", "p2 ", "p3 "].slice(0, begun.length));
  assert.equal(begun.length < 4, true);
  assert.equal(hasPromises(last.chunks), false);
});

test("a frame without promises has none", () => {
  assert.equal(hasPromises([bytes("head"), bytes("records")]), false);
});
