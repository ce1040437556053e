import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { type Disk, DiskError } from "@samsa/base";
import * as fc from "fast-check";

import { bytesOf, diskSuite, rejectsWith } from "./disk.test.suite.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { NodeDisk } from "./node-disk.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

diskSuite("MemoryDisk", async () => ({ disk: new MemoryDisk(), remove: async () => {} }));

describe("MemoryDisk", () => {
  const page = 4096;

  test("answers ENOSPC when full, having taken what fitted, and works again when there is room", async () => {
    const disk = new MemoryDisk({ capacityBytes: 2 * page });
    const file = await disk.open("file", { create: true });
    await rejectsWith("ENOSPC", file.write(0, [new Uint8Array(page), new Uint8Array(page + 1)]));
    assert.equal(await file.size(), 2 * page);
    await file.write(0, [bytesOf("overwriting needs no room")]);
    await file.truncate(page);
    await file.write(page, [bytesOf("fits")]);
    assert.equal(disk.usedBytes, 2 * page);
  });

  test("becomes again what it was when it was copied, as often as wanted, whatever was written in between", async () => {
    const disk = new MemoryDisk();
    const file = await disk.open("file", { create: true });
    await file.write(0, [bytesOf("as it was")]);
    await disk.makeDirectory("folder");
    const copy = disk.copy();
    for (let round = 0; round < 2; round++) {
      const again = await disk.open("file");
      await again.write(0, [bytesOf("OTHERWISE")]);
      await again.truncate(3);
      await disk.removeDirectory("folder");
      await disk.open("new", { create: true });
      disk.putBack(copy);
      const read = new Uint8Array(20);
      const size = await (await disk.open("file")).read(0, read);
      assert.equal(new TextDecoder().decode(read.subarray(0, size)), "as it was");
      assert.deepEqual(
        (await disk.list("/")).map(({ name }) => name),
        ["file", "folder"],
      );
    }
  });

  test("gives the room of a removed file back when its last handle closes", async () => {
    const disk = new MemoryDisk({ capacityBytes: page });
    await disk.makeDirectory("folder");
    const file = await disk.open("folder/file", { create: true });
    await file.write(0, [bytesOf("x")]);
    await disk.removeDirectory("folder");
    assert.equal(disk.usedBytes, page);
    await file.close();
    await file.close();
    assert.equal(disk.usedBytes, 0);
  });

  test("gives the room of a file back when it is removed or replaced", async () => {
    const disk = new MemoryDisk();
    for (const name of ["replaced", "removed", "kept"]) {
      const file = await disk.open(name, { create: true });
      await file.write(0, [bytesOf(name)]);
      await file.close();
    }
    await disk.remove("removed");
    await disk.rename("kept", "replaced");
    assert.equal(disk.usedBytes, page);
  });

  test("takes no room for holes", async () => {
    const disk = new MemoryDisk({ capacityBytes: page });
    const file = await disk.open("index", { create: true });
    await file.truncate(10 * 1024 * 1024);
    assert.equal(disk.usedBytes, 0);
  });

  test("keeps its root", async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory("folder");
    await rejectsWith("EBUSY", disk.removeDirectory("/"));
    await rejectsWith("EBUSY", disk.rename("/", "folder/root"));
    await rejectsWith("EBUSY", disk.rename("folder", "/"));
    assert.deepEqual(await disk.list(""), [{ name: "folder", isDirectory: true }]);
  });

  test("answers as the disk of this machine does, whatever is done to its names", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(nameAction, { maxLength: 25 }), async (actions) => {
        const folder = await temporaryDirectory("samsa-names-");
        try {
          const ours = new MemoryDisk();
          const theirs = new NodeDisk(folder.path);
          for (const action of actions) {
            assert.deepEqual(await answer(ours, action), await answer(theirs, action), JSON.stringify(action));
            assert.deepEqual(await tree(ours), await tree(theirs), JSON.stringify(action));
          }
        } finally {
          await folder.remove();
        }
      }),
      { numRuns: 100 },
    );
  });
});

type NameAction = { readonly kind: "create" | "make" | "remove" | "removeDirectory"; readonly path: string } | Rename;
type Rename = { readonly kind: "rename"; readonly path: string; readonly to: string };

/** Few names, so that actions meet. */
const path = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const nameAction: fc.Arbitrary<NameAction> = fc.oneof(
  fc.record({ kind: fc.constantFrom("create", "make", "make", "remove", "removeDirectory"), path }),
  fc.record({ kind: fc.constant("rename"), path, to: path }),
);

/** "done", or the code of the error. */
async function answer(disk: Disk, action: NameAction): Promise<string> {
  try {
    switch (action.kind) {
      case "create":
        await (await disk.open(action.path, { create: true })).close();
        break;
      case "make":
        await disk.makeDirectory(action.path);
        break;
      case "remove":
        await disk.remove(action.path);
        break;
      case "removeDirectory":
        await disk.removeDirectory(action.path);
        break;
      case "rename":
        await disk.rename(action.path, action.to);
        break;
    }
    return "done";
  } catch (error) {
    assert.ok(error instanceof DiskError, String(error));
    // POSIX has unlink of a folder answer EPERM, as macOS does; Linux says EISDIR.
    return error.code === "EPERM" ? "EISDIR" : error.code;
  }
}

async function tree(disk: Disk, folder = "."): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const { name, isDirectory } of await disk.list(folder)) {
    paths.push(`${folder}/${name}`);
    if (isDirectory) paths.push(...(await tree(disk, `${folder}/${name}`)));
  }
  return paths.sort();
}
