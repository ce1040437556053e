import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { SeededRandom, SimulatedDisk, VirtualClock } from "@samsa/simulation";
import type { DataDirectoriesOptions } from "./data-directories.ts";
import { prepareDataDirectories } from "./data-directories.ts";

let seed = 1; // each start draws other ids
const CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk";

function prepare(disk: Disk, paths: readonly string[] = ["/a", "/b"], more: Partial<DataDirectoriesOptions> = {}) {
  return prepareDataDirectories({
    disk,
    clock: new VirtualClock(),
    random: new SeededRandom(seed++),
    metadataDirectory: "/a",
    directories: paths.map((path) => ({ path })),
    nodeId: 1,
    controllerListener: { name: "CONTROLLER", host: "localhost", port: 9093 },
    ...more,
  });
}

async function write(disk: Disk, path: string, text: string): Promise<void> {
  await disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
  const file = await disk.open(path, { create: true });
  await file.truncate(0);
  await file.write(0, [new TextEncoder().encode(text)]);
  await file.close();
}

async function read(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path);
  const bytes = new Uint8Array(await file.size());
  await file.read(0, bytes);
  await file.close();
  return new TextDecoder().decode(bytes);
}

function metaProperties(values: Readonly<Record<string, string>> = {}): string {
  const all = { "node.id": "1", version: "1", "cluster.id": CLUSTER, ...values };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

test("new directories belong to one cluster and node, each with an id of its own, and stay as they are", async () => {
  const disk = new MemoryDisk();
  const made = await prepare(disk);
  assert.equal(new Set(made.directories.map(({ directoryId }) => directoryId)).size, 2);
  assert.equal(made.metadataDirectoryId, made.directories[0]?.directoryId);
  const before = await read(disk, "/b/meta.properties");
  assert.match(before, new RegExp(`cluster.id=${made.clusterId}`));
  assert.deepEqual(await prepare(disk), made);
  assert.equal(await read(disk, "/b/meta.properties"), before);
});

test("a directory that is added later is made part of the same cluster", async () => {
  const disk = new MemoryDisk();
  const { clusterId } = await prepare(disk, ["/a"]);
  const { directories } = await prepare(disk, ["/a", "/c"]);
  assert.match(await read(disk, "/c/meta.properties"), new RegExp(`cluster.id=${clusterId}`));
  assert.notEqual(directories[0]?.directoryId, directories[1]?.directoryId);
});

test("the metadata log may have a directory of its own", async () => {
  const disk = new MemoryDisk();
  const { directories, metadataDirectoryId } = await prepare(disk, ["/a", "/b"], { metadataDirectory: "/m" });
  assert.equal(
    directories.some(({ directoryId }) => directoryId === metadataDirectoryId),
    false,
  );
  assert.deepEqual((await disk.list("/m")).map(({ name }) => name).toSorted(), [
    "__cluster_metadata-0",
    "meta.properties",
  ]);
  assert.deepEqual(
    (await disk.list("/a")).map(({ name }) => name),
    ["meta.properties"],
  );
});

test("a directory from before directories had ids gets one, and keeps it", async () => {
  const disk = new MemoryDisk();
  await prepare(disk, ["/a"], { clusterId: CLUSTER });
  await write(disk, "/b/meta.properties", metaProperties());
  const { directories } = await prepare(disk);
  assert.match(await read(disk, "/b/meta.properties"), new RegExp(`directory.id=${directories[1]?.directoryId}`));
  assert.deepEqual((await prepare(disk)).directories, directories);
});

const refusals = [
  {
    what: "another cluster",
    file: metaProperties({ "cluster.id": "b3RoZXItY2x1c3Rlci1pZA" }),
    message:
      /^\/b\/meta\.properties belongs to cluster b3RoZXItY2x1c3Rlci1pZA, not to MkU3OEVBNTcwNTJENDM2Qk: use another/,
  },
  {
    what: "another node",
    file: metaProperties({ "node.id": "7" }),
    message: /^\/b\/meta\.properties belongs to node 7, not to 1: set node\.id=7 or use another data directory$/,
  },
  {
    what: "a newer format",
    file: metaProperties({ version: "2" }),
    message: /^\/b\/meta\.properties: version 2 is not the version 1 of a KRaft node$/,
  },
  { what: "nobody, by a file without a cluster", file: "version=1\nnode.id=1\n", message: /cluster\.id is missing$/ },
];
for (const { what, file, message } of refusals) {
  test(`a directory of ${what} is refused in one line, and left as it is`, async () => {
    const disk = new MemoryDisk();
    await prepare(disk, ["/a"], { clusterId: CLUSTER });
    await write(disk, "/b/meta.properties", file);
    await assert.rejects(prepare(disk), { message });
    assert.equal(await read(disk, "/b/meta.properties"), file);
  });
}

test("the copy of a directory is refused", async () => {
  const disk = new MemoryDisk();
  await prepare(disk, ["/a"]);
  await write(disk, "/b/meta.properties", await read(disk, "/a/meta.properties"));
  await assert.rejects(prepare(disk), /\/b and \/a have the same directory\.id .*: one is a copy of the other/);
});

test("a metadata log in another directory than the one it belongs into is refused", async () => {
  const disk = new MemoryDisk();
  await prepare(disk, ["/a", "/b"]);
  await assert.rejects(prepare(disk, ["/a", "/b"], { metadataDirectory: "/b" }), /\/a holds a metadata log/);
});

test("records without their metadata log are no new cluster", async () => {
  const disk = new MemoryDisk();
  await write(disk, "/b/meta.properties", metaProperties());
  await assert.rejects(
    prepare(disk),
    /\/a is to hold the metadata log and has no meta\.properties, but \/b belongs to/,
  );
  await assert.rejects(disk.list("/a/__cluster_metadata-0"), { code: "ENOENT" });
});

for (const [what, lose] of [
  ["the folder of the metadata log", (disk: Disk) => disk.removeDirectory("/a/__cluster_metadata-0")],
  ["the metadata log", (disk: Disk) => disk.remove("/a/__cluster_metadata-0/00000000000000000000.log")],
] as const) {
  test(`partitions whose metadata is lost are left as they are: without ${what}`, async () => {
    const disk = new MemoryDisk();
    await prepare(disk);
    await write(disk, "/a/__cluster_metadata-0/00000000000000000000.log", "batches");
    await write(disk, "/b/orders-0/00000000000000000000.log", "records");
    await prepare(disk);
    await lose(disk);
    await assert.rejects(prepare(disk), {
      name: "KafkaStorageError",
      message: /^\/a\/__cluster_metadata-0 has lost its log, .*, of which \/b\/orders-0 is there: put the folder back/,
    });
    assert.equal(await read(disk, "/b/orders-0/00000000000000000000.log"), "records");
  });
}

test("a directory that cannot be read is left out, and the one of the metadata log cannot be", async () => {
  const disk = new SimulatedDisk();
  await prepare(disk);
  disk.inject({ code: "EIO", nth: 1, path: /^\/b/, isLasting: true });
  const { directories } = await prepare(disk);
  assert.deepEqual(
    directories.map(({ failure }) => failure !== undefined),
    [false, true],
  );
  disk.heal();
  disk.inject({ code: "EIO", nth: 1, path: /^\/a/, isLasting: true });
  await assert.rejects(prepare(disk), { code: "EIO" });
});
