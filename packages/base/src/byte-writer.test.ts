import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "./byte-writer.ts";
test("writers that share memory keep apart what they write, also while others are at work or given up", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 900 }), fc.integer({ min: 0, max: 3 }))), (parts) => {
      const results: { expected: number[]; bytes: Uint8Array }[] = [];
      let open: { writer: ByteWriter; expected: number[] } | undefined;
      const finish = ({ writer, expected }: { writer: ByteWriter; expected: number[] }): void => {
        writer.patchInt32(0, expected.length);
        results.push({
          expected: [0, 0, expected.length >> 8, expected.length & 0xff, ...expected],
          bytes: writer.toBytes(),
        });
      };
      for (const [bytes, how] of parts) {
        const writer = new ByteWriter("shared");
        writer.int32(0);
        writer.raw(bytes);
        if (how === 0) continue; // given up
        if (how === 1 && open === undefined) open = { writer, expected: [...bytes] };
        else finish({ writer, expected: [...bytes] });
        if (how === 2 && open !== undefined) {
          open.writer.raw(bytes);
          finish({ writer: open.writer, expected: [...open.expected, ...bytes] });
          open = undefined;
        }
      }
      for (const { expected, bytes } of results) assert.deepEqual([...bytes], expected);
    }),
  );
});
