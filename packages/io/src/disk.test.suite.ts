import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { type Disk, DiskError, type DiskFile } from "@samsa/base";
import * as fc from "fast-check";

export interface DiskUnderTest {
  readonly disk: Disk;
  readonly remove: () => Promise<void>;
}

/**
 * What every Disk does. `make` gives an empty one.
 *
 * @param far a position to write at: beyond all memory, where the disk takes that
 */
export function diskSuite(name: string, make: () => Promise<DiskUnderTest>, far = 2 ** 36): void {
  describe(name, () => {
    let disk: Disk;
    let remove: () => Promise<void>;
    let folders = 0;
    before(async () => {
      ({ disk, remove } = await make());
    });
    after(() => remove());

    async function newFolder(): Promise<string> {
      const folder = `folder-${folders++}`;
      await disk.makeDirectory(folder);
      return folder;
    }

    async function newFile(content: string): Promise<string> {
      const path = `${await newFolder()}/file`;
      await writeText(disk, path, content);
      return path;
    }

    test("reads back what was written", async () => {
      assert.equal(await readText(disk, await newFile("a record")), "a record");
    });

    test("keeps what was written in one folder when relative, absolute and dotted paths name it", async () => {
      const path = await newFile("same");
      assert.equal(await readText(disk, `./other/.././${path}`), "same");
    });

    test("refuses to open a missing file, and makes none", async () => {
      const folder = await newFolder();
      await rejectsWith("ENOENT", disk.open(`${folder}/missing`));
      assert.deepEqual(await disk.list(folder), []);
    });

    test("names the file in the error", async () => {
      await assert.rejects(disk.open("nowhere/00000000000000000000.log"), (error) => {
        assert.ok(error instanceof DiskError);
        assert.match(error.path, /nowhere.00000000000000000000\.log$/);
        assert.match(error.message, /open .*00000000000000000000\.log: .*\(ENOENT\)$/);
        return true;
      });
    });

    test("makes no folder on the way to a new file", async () => {
      await rejectsWith("ENOENT", disk.open("no-such-folder/file", { create: true }));
    });

    test("opens an existing file to create it, and keeps its content", async () => {
      const path = await newFile("kept");
      const file = await disk.open(path, { create: true });
      assert.equal(await file.size(), 4);
      await file.close();
    });

    const misuses: { readonly why: string; readonly code: string; readonly act: (path: string) => Promise<unknown> }[] =
      [
        { why: "opens a folder", code: "EISDIR", act: (path) => disk.open(parent(path)) },
        { why: "looks below a file", code: "ENOTDIR", act: (path) => disk.open(`${path}/below`) },
        { why: "creates below a file", code: "ENOTDIR", act: (path) => disk.open(`${path}/below`, { create: true }) },
        { why: "asks the size below a file", code: "ENOTDIR", act: (path) => disk.fileSize(`${path}/below`) },
        { why: "lists a file", code: "ENOTDIR", act: (path) => disk.list(path) },
        { why: "lists a missing folder", code: "ENOENT", act: (path) => disk.list(`${parent(path)}/missing`) },
        { why: "syncs a missing folder", code: "ENOENT", act: (path) => disk.syncDirectory(`${parent(path)}/missing`) },
        { why: "syncs a file as a folder", code: "ENOTDIR", act: (path) => disk.syncDirectory(path) },
        { why: "makes a folder where a file is", code: "EEXIST", act: (path) => disk.makeDirectory(path) },
        { why: "makes a folder below a file", code: "ENOTDIR", act: (path) => disk.makeDirectory(`${path}/below`) },
        { why: "removes a file as a folder", code: "ENOTDIR", act: (path) => disk.removeDirectory(path) },
        { why: "removes a folder as a file", code: "EISDIR or EPERM", act: (path) => disk.remove(parent(path)) },
        { why: "renames what is missing", code: "ENOENT", act: (path) => disk.rename(`${path}-missing`, path) },
        { why: "renames into a missing folder", code: "ENOENT", act: (path) => disk.rename(path, "missing/file") },
        {
          why: "renames a file onto a folder",
          code: "EISDIR",
          act: async (path) => disk.rename(path, await newFolder()),
        },
        {
          why: "renames a file onto its own folder",
          code: "ENOTEMPTY",
          act: (path) => disk.rename(path, parent(path)),
        },
        {
          why: "renames a folder into itself",
          code: "EINVAL",
          act: (path) => disk.rename(parent(path), `${parent(path)}/in`),
        },
        { why: "uses a NUL byte in a name", code: "EINVAL", act: (path) => disk.open(`${path}\0`, { create: true }) },
      ];
    for (const { why, code, act } of misuses) {
      test(`answers ${code} to one who ${why}`, async () => {
        const path = await newFile("unharmed");
        await rejectsWith(code, act(path));
        assert.equal(await readText(disk, path), "unharmed");
      });
    }

    test("knows the size of a file, and of nothing else", async () => {
      const path = await newFile("12345");
      assert.equal(await disk.fileSize(path), 5);
      assert.equal(await disk.fileSize(`${path}-missing`), undefined);
      assert.equal(await disk.fileSize(`${path}-missing/below`), undefined);
      assert.equal(await disk.fileSize(parent(path)), undefined);
    });

    test("knows when the content of a file last changed", async () => {
      const path = await newFile("12345");
      const madeMs = await disk.modifiedMs(path);
      assert.ok(madeMs !== undefined && madeMs > Date.UTC(2020), `${madeMs}`);
      await disk.setModifiedMs(path, 1_500_000_000_123);
      assert.equal(await disk.modifiedMs(path), 1_500_000_000_123);
      await disk.rename(path, `${path}-renamed`);
      assert.equal(await readText(disk, `${path}-renamed`), "12345");
      assert.equal(await disk.modifiedMs(`${path}-renamed`), 1_500_000_000_123);
      await writeText(disk, `${path}-renamed`, "new");
      assert.ok(((await disk.modifiedMs(`${path}-renamed`)) ?? 0) >= madeMs);
      assert.equal(await disk.modifiedMs(`${path}-missing`), undefined);
      assert.equal(await disk.modifiedMs(parent(path)), undefined);
      await rejectsWith("ENOENT", disk.setModifiedMs(`${path}-missing`, 0));
    });

    test("lists files and folders", async () => {
      const folder = await newFolder();
      await disk.makeDirectory(`${folder}/topic-0`);
      await writeText(disk, `${folder}/meta.properties`, "");
      assert.deepEqual(await sortedList(disk, folder), [
        { name: "meta.properties", isDirectory: false },
        { name: "topic-0", isDirectory: true },
      ]);
    });

    test("makes a folder with its parents, and is content to find it", async () => {
      const folder = await newFolder();
      await disk.makeDirectory(`${folder}/a/b/c`);
      await disk.makeDirectory(`${folder}/a/b/c`);
      await disk.makeDirectory(`${folder}/a`);
      assert.deepEqual(await disk.list(`${folder}/a/b`), [{ name: "c", isDirectory: true }]);
    });

    test("renames a file over another", async () => {
      const path = await newFile("new");
      await writeText(disk, `${path}.old`, "old");
      await disk.rename(path, `${path}.old`);
      assert.equal(await readText(disk, `${path}.old`), "new");
      assert.equal(await disk.fileSize(path), undefined);
    });

    test("renames a folder with all in it", async () => {
      const folder = await newFolder();
      await disk.makeDirectory(`${folder}/topic-0/sub`);
      await writeText(disk, `${folder}/topic-0/sub/file`, "moved");
      await disk.rename(`${folder}/topic-0`, `${folder}/topic-0-delete`);
      assert.equal(await readText(disk, `${folder}/topic-0-delete/sub/file`), "moved");
      assert.deepEqual(await disk.list(folder), [{ name: "topic-0-delete", isDirectory: true }]);
    });

    test("replaces an empty folder but not a full one", async () => {
      const folder = await newFolder();
      await disk.makeDirectory(`${folder}/source`);
      await disk.makeDirectory(`${folder}/empty`);
      await disk.makeDirectory(`${folder}/full/entry`);
      await rejectsWith("ENOTEMPTY", disk.rename(`${folder}/source`, `${folder}/full`));
      await disk.rename(`${folder}/source`, `${folder}/empty`);
      assert.deepEqual(await sortedList(disk, folder), [
        { name: "empty", isDirectory: true },
        { name: "full", isDirectory: true },
      ]);
    });

    test("leaves a file renamed onto itself alone", async () => {
      const path = await newFile("same");
      await disk.rename(path, path);
      assert.equal(await readText(disk, path), "same");
    });

    test("removes a file, and is content when it is gone", async () => {
      const path = await newFile("short-lived");
      await disk.remove(path);
      await disk.remove(path);
      await disk.remove(`${path}/below`);
      assert.deepEqual(await disk.list(parent(path)), []);
    });

    test("removes a folder with all in it, and is content when it is gone", async () => {
      const folder = await newFolder();
      await disk.makeDirectory(`${folder}/topic-0/sub`);
      await writeText(disk, `${folder}/topic-0/sub/file`, "");
      await disk.removeDirectory(`${folder}/topic-0`);
      await disk.removeDirectory(`${folder}/topic-0`);
      assert.deepEqual(await disk.list(folder), []);
    });

    test("syncs files and folders", async () => {
      const path = await newFile("durable");
      const file = await disk.open(path);
      await file.sync();
      await file.sync();
      await file.close();
      await disk.syncDirectory(parent(path));
    });

    async function withFile(content: string, use: (file: DiskFile, path: string) => Promise<void>): Promise<void> {
      const path = await newFile(content);
      const file = await disk.open(path);
      await use(file, path);
      await file.close();
    }

    test("keeps an open file usable when it is renamed", () =>
      withFile("abc", async (file, path) => {
        await disk.rename(path, `${path}.moved`);
        await file.write(3, [bytesOf("def")]);
        assert.equal(await readText(disk, `${path}.moved`), "abcdef");
      }));

    test("keeps an open file usable when its folder is renamed", () =>
      withFile("abc", async (file, path) => {
        await disk.rename(parent(path), `${parent(path)}-delete`);
        await file.write(3, [bytesOf("def")]);
        assert.equal(await readText(disk, `${parent(path)}-delete/file`), "abcdef");
      }));

    test("keeps an open file readable when it is removed, and a new file of its name apart", () =>
      withFile("old", async (file, path) => {
        await disk.remove(path);
        await writeText(disk, path, "new one");
        assert.equal(await readAll(file), "old");
        await file.write(3, [bytesOf("er")]);
        assert.equal(await readAll(file), "older");
        assert.equal(await readText(disk, path), "new one");
      }));

    test("keeps an open file readable when its folder is removed or another file takes its name", () =>
      withFile("old", async (file, path) => {
        await writeText(disk, `${path}.new`, "new");
        await disk.rename(`${path}.new`, path);
        assert.equal(await readAll(file), "old");
        await disk.removeDirectory(parent(path));
        assert.equal(await readAll(file), "old");
      }));

    test("shows what one handle writes to another at once", () =>
      withFile("abc", async (file, path) => {
        const other = await disk.open(path);
        await file.write(1, [bytesOf("X")]);
        assert.equal(await readAll(other), "aXc");
        await other.close();
        assert.equal(await readAll(file), "aXc");
      }));

    test("writes chunks one after the other, empty ones too, and more than one writev takes", () =>
      withFile("", async (file) => {
        const chunks = Array.from({ length: 2500 }, (_, i) => bytesOf(i % 7 === 0 ? "" : `${i},`));
        await file.write(1, chunks);
        await file.write(0, [bytesOf(">")]);
        assert.equal(await readAll(file), `>${chunks.map((chunk) => Buffer.from(chunk).toString()).join("")}`);
      }));

    test("writes nothing when there is nothing to write", () =>
      withFile("abc", async (file) => {
        await file.write(100, []);
        await file.write(100, [new Uint8Array(0)]);
        assert.equal(await file.size(), 3);
      }));

    test("reads fewer bytes at the end, none beyond it, and leaves the rest of the buffer alone", () =>
      withFile("abc", async (file) => {
        const into = new Uint8Array(4).fill(0xee);
        assert.equal(await file.read(1, into), 2);
        assert.deepEqual([...into], [0x62, 0x63, 0xee, 0xee]);
        assert.equal(await file.read(3, into), 0);
        assert.equal(await file.read(1_000_000, into), 0);
        assert.equal(await file.read(0, new Uint8Array(0)), 0);
      }));

    test("shows zeros where nothing was written, in files larger than memory too", () =>
      withFile("a", async (file) => {
        await file.write(far, [bytesOf("z")]);
        assert.equal(await file.size(), far + 1);
        const into = new Uint8Array(3).fill(0xee);
        assert.equal(await file.read(far - 2, into), 3);
        assert.deepEqual([...into], [0, 0, 0x7a]);
      }));

    test("shows zeros, not what was cut off, when a file grows again", () =>
      withFile("abcdef", async (file) => {
        await file.truncate(2);
        assert.equal(await file.size(), 2);
        await file.truncate(5);
        assert.equal(await readAll(file), "ab\0\0\0");
      }));

    test("takes a position that is no whole number from 0 for a mistake of ours", () =>
      withFile("abc", async (file) => {
        for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
          await assert.rejects(file.read(position, new Uint8Array(1)), { name: "InvariantError" });
          await assert.rejects(file.write(position, [bytesOf("x")]), { name: "InvariantError" });
          await assert.rejects(file.truncate(position), { name: "InvariantError" });
        }
        assert.equal(await readAll(file), "abc");
      }));

    test("tells how much room there is, of which no more is usable than there is", async () => {
      const { totalBytes, usableBytes } = await disk.space(await newFolder());
      assert.ok(totalBytes > 0 && usableBytes > 0 && usableBytes <= totalBytes, `${usableBytes} of ${totalBytes}`);
      await rejectsWith("ENOENT", disk.space("no-such-folder"));
    });

    test("lets operations in flight end before it closes, and answers EBADF to later ones", async () => {
      const path = await newFile("");
      const file = await disk.open(path);
      const content = "x".repeat(300_000);
      const writing = file.write(0, [bytesOf(content)]);
      const reading = file.size();
      const closing = file.close();
      const later = [
        rejectsWith("EBADF", file.read(0, new Uint8Array(1))),
        rejectsWith("EBADF", file.write(0, [bytesOf("y")])),
        rejectsWith("EBADF", file.size()),
        rejectsWith("EBADF", file.truncate(0)),
        rejectsWith("EBADF", file.sync()),
      ];
      await Promise.all([writing, reading, closing, ...later]);
      assert.equal(await readText(disk, path), content);
    });

    test("closes once however often it is asked, and never what was opened since", async () => {
      const path = await newFile("first");
      const first = await disk.open(path);
      await Promise.all([first.close(), first.close()]);
      const second = await disk.open(path);
      await first.close();
      await rejectsWith("EBADF", first.write(0, [bytesOf("wrong")]));
      assert.equal(await readAll(second), "first");
      await second.close();
    });

    test("does to a file what it does to a plain array of bytes", async () => {
      const path = await newFile("");
      await fc.assert(
        fc.asyncProperty(fc.array(fileAction, { maxLength: 15 }), async (actions) => {
          const file = await disk.open(path);
          await file.truncate(0);
          let model: readonly number[] = [];
          for (const action of actions) {
            if (action.kind === "write") {
              const isDone = action.isPrompt && file.writeNow?.(action.position, action.chunks);
              if (isDone !== true) await file.write(action.position, action.chunks);
              model = overwrite(
                model,
                action.position,
                action.chunks.flatMap((chunk) => [...chunk]),
              );
            } else if (action.kind === "truncate") {
              await file.truncate(action.size);
              model = resize(model, action.size);
            } else {
              const into = new Uint8Array(action.length);
              const expected = model.slice(action.position, action.position + action.length);
              assert.equal(await file.read(action.position, into), expected.length);
              assert.deepEqual([...into.subarray(0, expected.length)], expected);
            }
            assert.equal(await file.size(), model.length);
          }
          await file.close();
        }),
        { numRuns: 60 },
      );
    });
  });
}

/** Positions around the borders of pages, as that is where a paged file errs. */
const position = fc.oneof(fc.nat(20), fc.integer({ min: 4080, max: 4110 }), fc.nat(9000));
const fileAction = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    position,
    chunks: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 4 }),
    isPrompt: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("truncate" as const), size: position }),
  fc.record({ kind: fc.constant("read" as const), position, length: fc.nat(100) }),
);

function overwrite(model: readonly number[], position: number, bytes: readonly number[]): readonly number[] {
  if (bytes.length === 0) return model;
  const grown = [...resize(model, Math.max(model.length, position + bytes.length))];
  grown.splice(position, bytes.length, ...bytes);
  return grown;
}

function resize(model: readonly number[], size: number): readonly number[] {
  return Array.from({ length: size }, (_, i) => model[i] ?? 0);
}

export async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof DiskError, String(error));
    assert.ok(code.split(" or ").includes(error.code), `${error.code}, not ${code}`);
    return true;
  });
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function writeText(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, { create: true });
  await file.write(0, [bytesOf(text)]);
  await file.close();
}

async function readText(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path);
  const text = await readAll(file);
  await file.close();
  return text;
}

async function readAll(file: DiskFile): Promise<string> {
  const into = new Uint8Array(await file.size());
  assert.equal(await file.read(0, into), into.length);
  return new TextDecoder().decode(into);
}

async function sortedList(disk: Disk, path: string): Promise<unknown[]> {
  return [...(await disk.list(path))].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
