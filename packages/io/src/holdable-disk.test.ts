import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesOf, diskSuite } from "./disk.test.suite.ts";
import { HoldableDisk } from "./holdable-disk.ts";
import { MemoryDisk } from "./memory-disk.ts";

diskSuite("HoldableDisk", async () => ({ disk: new HoldableDisk(new MemoryDisk()), remove: async () => {} }));

describe("HoldableDisk", () => {
  test("lets reads go on while it holds changes up, and does them in their order afterwards", async () => {
    const disk = new HoldableDisk(new MemoryDisk());
    const file = await disk.open("file", { create: true });
    await file.write(0, [bytesOf("first")]);
    const release = await disk.hold();
    let hasWritten = false;
    const later = Promise.all([
      file.write(0, [bytesOf("SECOND")]).then(() => (hasWritten = true)),
      file.truncate(3),
      disk.rename("file", "renamed"),
    ]);
    const read = new Uint8Array(5);
    assert.equal(await file.read(0, read), 5);
    assert.deepEqual([new TextDecoder().decode(read), hasWritten], ["first", false]);
    release();
    await later;
    assert.equal(await disk.fileSize("renamed"), 3);
  });
});
