import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UsageError } from "./exit-code.ts";
import { LineSplitter } from "./line-splitter.ts";

function split(text: string, delimiter: string, cuts: readonly number[], maxBytes = 1_000_000): string[] {
  const splitter = new LineSplitter(Buffer.from(delimiter), maxBytes);
  const bytes = Buffer.from(text);
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const pieces: string[] = [];
  for (let i = 1; i < edges.length; i++) {
    for (const piece of splitter.push(Buffer.from(bytes.subarray(edges[i - 1], edges[i]))))
      pieces.push(Buffer.from(piece).toString());
  }
  const last = splitter.end();
  if (last !== undefined) pieces.push(Buffer.from(last).toString());
  return pieces;
}

/** The same, by the means of the language. */
function plainly(text: string, delimiter: string): string[] {
  const pieces = text.split(delimiter);
  if (pieces.at(-1) === "") pieces.pop();
  return pieces;
}

for (const delimiter of ["\n", "ab", "aab", "::"]) {
  test(`cuts at ${JSON.stringify(delimiter)} as a plain split does, however the bytes come`, () => {
    const letters = fc.constantFrom("a", "b", "\n", ":", "x");
    const text = fc.string({ unit: letters, maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (text, cuts) => {
        assert.deepEqual(split(text, delimiter, cuts), plainly(text, delimiter));
      }),
      { numRuns: 500 },
    );
  });
}

test("a carriage return belongs to the line, so that it comes back", () => {
  assert.deepEqual(split("a\r\nb", "\n", [2]), ["a\r", "b"]);
});

test("a line too long is refused before it is all there, with its number", () => {
  const splitter = new LineSplitter(Buffer.from("\n"), 10);
  assert.deepEqual([...splitter.push(Buffer.from("0123456789\n"))].length, 1);
  assert.throws(
    () => [...splitter.push(Buffer.from("0123456789ab"))],
    (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /line 2 is longer than 10 bytes/);
      return true;
    },
  );
  assert.throws(() => [...new LineSplitter(Buffer.from("\n"), 10).push(Buffer.from("0123456789ab\n"))], UsageError);
});

test("an empty delimiter is refused", () => assert.throws(() => new LineSplitter(Buffer.from(""), 10), UsageError));
