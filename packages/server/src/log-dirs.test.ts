import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { AlterReplicaLogDirsRequest } from "@samsa/protocol/messages/alter-replica-log-dirs-request";
import { AlterReplicaLogDirsResponse } from "@samsa/protocol/messages/alter-replica-log-dirs-response";
import { DescribeLogDirsRequest } from "@samsa/protocol/messages/describe-log-dirs-request";
import { DescribeLogDirsResponse } from "@samsa/protocol/messages/describe-log-dirs-response";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import { createMetadataRequestTopic, MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { SimulatedDisk } from "@samsa/simulation";
import { fetch, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const BROKER = 4; // a type of resource
const SET = 0;
const TWO_DIRECTORIES = { "log.dirs": "/a,/b" };

function startTwo(disk: Disk = new MemoryDisk(), properties: Readonly<Record<string, string>> = {}) {
  return startTestBroker({ disk, properties: { ...TWO_DIRECTORIES, ...properties } });
}

async function describe(client: RawClient, version = 5, topics: DescribeLogDirsRequest["topics"] = null) {
  const request = DescribeLogDirsRequest.create({ topics });
  const { results } = await client.request(DescribeLogDirsRequest, DescribeLogDirsResponse, version, request);
  return results;
}

/** What lies where: `/a: orders-0 orders-1+` with a plus for a replica on its way; `/b: offline`. */
async function layout(client: RawClient): Promise<string> {
  const results = await describe(client);
  const lines = results.map(({ logDir, errorCode, topics }) => {
    const replicas = topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, isFutureKey }) => `${name}-${partitionIndex}${isFutureKey ? "+" : ""}`),
    );
    return `${logDir}: ${errorCode === ErrorCode.NONE ? replicas.toSorted().join(" ") : "offline"}`;
  });
  return lines.join(", ");
}

async function move(client: RawClient, path: string, partition: number, topic = "orders", version = 2) {
  const dirs = [{ path, topics: [{ name: topic, partitions: [partition] }] }];
  const request = AlterReplicaLogDirsRequest.create({ dirs });
  const response = await client.request(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, version, request);
  return response.results[0]?.partitions[0]?.errorCode;
}

/** Leader, in-sync and offline replicas of each partition. */
async function leaders(client: RawClient, topic: string) {
  const request = MetadataRequest.create({ topics: [createMetadataRequestTopic({ name: topic })] });
  const { topics } = await client.request(MetadataRequest, MetadataResponse, 12, request);
  const partitions = topics[0]?.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex) ?? [];
  return partitions.map(({ errorCode, leaderId, offlineReplicas }) => [errorCode, leaderId, offlineReplicas]);
}

/** Waits for what goes on in the background; each question is a turn. */
async function until(client: RawClient, expected: string): Promise<void> {
  for (let turns = 0; turns < 1000; turns++) {
    if ((await layout(client)) === expected) return;
  }
  assert.equal(await layout(client), expected);
}

async function copyFile(disk: Disk, from: string, to: string): Promise<void> {
  const [source, target] = [await disk.open(from), await disk.open(to, { create: true })];
  const bytes = new Uint8Array(await source.size());
  await source.read(0, bytes);
  await target.write(0, [bytes]);
  await Promise.all([source.close(), target.close()]);
}

async function valuesOf({ client }: TestBroker, topic: string, partition: number): Promise<readonly string[]> {
  return recordsOf(await fetch(client, { topic, partition }));
}

for (let version = 1; version <= 5; version++) {
  test(`DescribeLogDirs ${version} tells what lies in each directory; new partitions go where the fewest are`, async () => {
    await using broker = await startTwo();
    await broker.createTopic("orders", { partitions: 3 });
    await produce(broker.client, batchOf(["x"]), { topic: "orders" });
    const [a, b] = await describe(broker.client, version);
    assert.deepEqual([a?.logDir, b?.logDir], ["/a", "/b"]);
    assert.deepEqual([a?.topics[0]?.partitions.length, b?.topics[0]?.partitions.length], [2, 1]);
    const [first] = a?.topics[0]?.partitions ?? [];
    assert.deepEqual([first?.partitionIndex, first?.offsetLag, first?.isFutureKey], [0, 0, false]);
    assert.ok((first?.partitionSize ?? 0) > 60, `${first?.partitionSize} bytes`);
    assert.equal(a?.totalBytes === -1, version < 4);
    assert.equal(a?.isCordoned, false);
  });
}

test("DescribeLogDirs tells of what was asked for, and leaves out what is not here", async () => {
  await using broker = await startTwo();
  await broker.createTopic("orders", { partitions: 2 });
  const asked = [
    { topic: "orders", partitions: [0, 0, 77] },
    { topic: "nowhere", partitions: [0] },
  ];
  const [a, b] = await describe(broker.client, 5, asked);
  assert.deepEqual([a?.topics.length, a?.topics[0]?.partitions.length, b?.topics], [1, 1, []]);
  assert.deepEqual(
    (await describe(broker.client, 5, [])).map(({ topics }) => topics),
    [[], []],
  );
});

for (const version of [1, 2]) {
  test(`AlterReplicaLogDirs ${version} moves a replica with all its records, and clients notice nothing`, async () => {
    const disk = new MemoryDisk();
    {
      await using broker = await startTwo(disk);
      await broker.createTopic("orders", { partitions: 2 });
      await produce(broker.client, batchOf(["x", "y"]), { topic: "orders" });
      assert.equal(await move(broker.client, "/b", 0, "orders", version), ErrorCode.NONE);
      await until(broker.client, "/a: , /b: orders-0 orders-1");
      assert.equal((await produce(broker.client, batchOf(["z"]), { topic: "orders" })).baseOffset, 2);
      assert.deepEqual(await valuesOf(broker, "orders", 0), ["0:x", "1:y", "2:z"]);
    }
    await using broker = await startTwo(disk); // the metadata says the same as the disk
    assert.equal(await layout(broker.client), "/a: , /b: orders-0 orders-1");
    assert.deepEqual(await valuesOf(broker, "orders", 0), ["0:x", "1:y", "2:z"]);
  });
}

test("what is produced during a move is there afterwards, in order and once", async () => {
  await using broker = await startTwo(new SimulatedDisk({ seed: 7, mostTurns: 3 }));
  await broker.createTopic("orders");
  const other = await broker.connect();
  const sent: string[] = [];
  const producing = async (): Promise<void> => {
    for (let n = 0; n < 60; n++) {
      const { errorCode, baseOffset } = await produce(other, batchOf([`v${n}`]), { topic: "orders" });
      assert.deepEqual([errorCode, baseOffset], [ErrorCode.NONE, n]);
      sent.push(`${n}:v${n}`);
    }
  };
  const moving = async (): Promise<void> => {
    for (const [path, expected] of [
      ["/b", "/a: , /b: orders-0"],
      ["/a", "/a: orders-0, /b: "],
    ] as const) {
      assert.equal(await move(broker.client, path, 0), ErrorCode.NONE);
      await until(broker.client, expected);
    }
  };
  await Promise.all([producing(), moving()]);
  assert.deepEqual(await valuesOf(broker, "orders", 0), sent);
});

test("a replica that is where it should be stays, and one that is not here yet comes there", async () => {
  await using broker = await startTwo();
  await broker.createTopic("orders");
  assert.equal(await move(broker.client, "/a", 0), ErrorCode.NONE);
  assert.equal(await move(broker.client, "/a", 0, "later"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  await broker.createTopic("later");
  assert.equal(await layout(broker.client), "/a: later-0 orders-0, /b: ");
});

const refusals = [
  { what: "a directory that is none", path: "/c", code: ErrorCode.LOG_DIR_NOT_FOUND },
  { what: "another way to write a directory", path: "/b/", code: ErrorCode.LOG_DIR_NOT_FOUND },
  { what: "a partition that is not there", partition: 9, code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "a cordoned directory", path: "/b", cordoned: "/b", code: ErrorCode.INVALID_REPLICA_ASSIGNMENT },
];
for (const { what, path = "/b", partition = 0, cordoned, code } of refusals) {
  test(`AlterReplicaLogDirs refuses ${what}`, async () => {
    await using broker = await startTwo(
      new MemoryDisk(),
      cordoned === undefined ? {} : { "cordoned.log.dirs": cordoned },
    );
    await broker.createTopic("orders");
    assert.equal(await move(broker.client, path, partition), code);
    assert.equal(await layout(broker.client), "/a: orders-0, /b: ");
  });
}

test("a cordoned directory gets no new partitions, and DescribeLogDirs says so", async () => {
  await using broker = await startTwo(new MemoryDisk(), { "cordoned.log.dirs": "/a" });
  await broker.createTopic("orders", { partitions: 2 });
  assert.equal(await layout(broker.client), "/a: , /b: orders-0 orders-1");
  assert.deepEqual(
    (await describe(broker.client)).map(({ isCordoned }) => isCordoned),
    [true, false],
  );
});

/** Sets `cordoned.log.dirs` of a broker that runs. */
async function cordonOf({ client }: TestBroker, value: string) {
  const configs = [{ name: "cordoned.log.dirs", configOperation: SET, value }];
  const { responses } = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    IncrementalAlterConfigsRequest.create({ resources: [{ resourceType: BROKER, resourceName: "1", configs }] }),
  );
  return responses[0]?.errorCode;
}

for (const [what, properties, known] of [
  ["log.dirs", TWO_DIRECTORIES, "/b"],
  ["the option of the start", {}, "/data"],
] as const) {
  test(`only directories of ${what} can be cordoned`, async () => {
    await using broker = await startTestBroker({ disk: new MemoryDisk(), properties });
    assert.equal(await cordonOf(broker, known), ErrorCode.NONE);
    assert.equal(await cordonOf(broker, `${known},/c`), ErrorCode.INVALID_REQUEST);
    assert.equal(await cordonOf(broker, "*"), ErrorCode.NONE);
  });
}

test("directories are cordoned and opened again while the broker runs", async () => {
  await using broker = await startTwo();
  const cordon = (value: string) => cordonOf(broker, value);
  await cordon("*");
  await describe(broker.client); // a turn for what the broker tells the controller
  await assert.rejects(broker.createTopic("refused"), /all their log directories cordoned/);
  await cordon("/a");
  await describe(broker.client);
  await broker.createTopic("orders", { partitions: 2 });
  assert.equal(await layout(broker.client), "/a: , /b: orders-0 orders-1");
});

test("a topic that is deleted while a replica moves is gone from both directories", async () => {
  await using broker = await startTwo(new SimulatedDisk({ seed: 3, mostTurns: 2 }));
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["x"]), { topic: "orders" });
  await move(broker.client, "/b", 0);
  await broker.deleteTopic("orders");
  assert.equal(await layout(broker.client), "/a: , /b: ");
});

/** A broker with `orders-0` in /a and `orders-1` in /b, and a record in each. */
async function startWithRecords(disk: Disk): Promise<TestBroker> {
  const broker = await startTwo(disk);
  await broker.createTopic("orders", { partitions: 2 });
  for (const partition of [0, 1]) {
    await produce(broker.client, batchOf([`in ${partition}`]), { topic: "orders", partition });
  }
  return broker;
}

test("a directory that fails takes its partitions offline, and no others", async () => {
  const disk = new SimulatedDisk();
  await using broker = await startWithRecords(disk);
  disk.inject({ code: "EIO", nth: 1, path: /^\/b\//, isLasting: true });
  const { errorCode } = await produce(broker.client, batchOf(["lost"]), { topic: "orders", partition: 1 });
  assert.equal(errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
  assert.equal(await layout(broker.client), "/a: orders-0, /b: offline");
  const offline = await fetch(broker.client, { topic: "orders", partition: 1 });
  assert.equal(offline.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
  assert.deepEqual(await leaders(broker.client, "orders"), [
    [ErrorCode.NONE, 1, []],
    [ErrorCode.LEADER_NOT_AVAILABLE, -1, [1]],
  ]);
  assert.equal((await produce(broker.client, batchOf(["x"]), { topic: "orders" })).baseOffset, 1);
  assert.equal(await move(broker.client, "/b", 0), ErrorCode.KAFKA_STORAGE_ERROR);
  await broker.createTopic("later", { partitions: 2 });
  assert.equal(await layout(broker.client), "/a: later-0 later-1 orders-0, /b: offline");
});

test("the broker stops when the directory of the metadata log fails, whatever else is left", async () => {
  const disk = new SimulatedDisk();
  const broker = await startWithRecords(disk);
  disk.inject({ code: "EIO", nth: 1, path: /^\/a\//, isLasting: true });
  await produce(broker.client, batchOf(["lost"]), { topic: "orders" }).catch(() => undefined);
  await assert.rejects(broker.broker.closed, /the metadata log is in \/a/);
});

test("a directory that cannot be read at the start is offline, and its partitions are led again when it is back", async () => {
  const disk = new MemoryDisk();
  await (await startWithRecords(disk)).broker.close();
  await disk.rename("/b", "/elsewhere");
  await (await disk.open("/b", { create: true })).close(); // a file in its place
  {
    await using broker = await startTwo(disk);
    assert.equal(await layout(broker.client), "/a: orders-0, /b: offline");
    assert.deepEqual(await leaders(broker.client, "orders"), [
      [ErrorCode.NONE, 1, []],
      [ErrorCode.LEADER_NOT_AVAILABLE, -1, [1]],
    ]);
    const refused = await produce(broker.client, batchOf(["x"]), { topic: "orders", partition: 1 });
    assert.equal(refused.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
    assert.equal(await move(broker.client, "/a", 1), ErrorCode.REPLICA_NOT_AVAILABLE);
  }
  await disk.remove("/b");
  await disk.rename("/elsewhere", "/b");
  await using broker = await startTwo(disk);
  assert.equal(await layout(broker.client), "/a: orders-0, /b: orders-1");
  assert.deepEqual(await valuesOf(broker, "orders", 1), ["0:in 1"]);
});

test("a directory that is added is made this broker's, and takes partitions", async () => {
  const disk = new MemoryDisk();
  {
    await using broker = await startTestBroker({ disk, properties: { "log.dirs": "/a" } });
    await broker.createTopic("orders", { partitions: 2 });
  }
  await using broker = await startTwo(disk);
  await broker.createTopic("later");
  assert.equal(await layout(broker.client), "/a: orders-0 orders-1, /b: later-0");
});

test("a partition that is in two directories keeps the broker from starting, and both stay as they are", async () => {
  const disk = new MemoryDisk();
  await (await startWithRecords(disk)).broker.close();
  await disk.makeDirectory("/b/orders-0");
  await copyFile(disk, "/a/orders-0/partition.metadata", "/b/orders-0/partition.metadata");
  await assert.rejects(
    startTwo(disk),
    /Duplicate log directories for orders-0 are found in both \/a\/orders-0 and \/b\/orders-0/,
  );
  assert.ok((await disk.list("/a/orders-0")).length > 2);
});

test("a crash at any operation of the disk during a move leaves one replica with all that was acknowledged", async () => {
  const ends = new Set<string>();
  for (let crashAt = 1, isOver = false; !isOver; crashAt += 2) {
    const disk = new SimulatedDisk({ seed: crashAt });
    const crashed = new Promise<"crashed">((resolve) => (disk.onCrash = () => resolve("crashed")));
    const broker = await startTwo(disk);
    await broker.createTopic("orders");
    await produce(broker.client, batchOf(["v0"]), { topic: "orders" });
    const sent = ["0:v0"];
    const other = await broker.connect();
    disk.crashAt(crashAt);
    const producing = async (): Promise<void> => {
      for (let n = 1; n < 6; n++) {
        await produce(other, batchOf([`v${n}`]), { topic: "orders" });
        sent.push(`${n}:v${n}`);
      }
    };
    const moving = async (): Promise<void> => {
      await move(broker.client, "/b", 0);
      await until(broker.client, "/a: , /b: orders-0");
    };
    const ended = Promise.all([producing(), moving()]).then(() => "ended" as const);
    isOver = (await Promise.race([ended, crashed])) === "ended";

    await using again = await startTwo(disk.crash({ power: "kept" }));
    assert.deepEqual((await valuesOf(again, "orders", 0)).slice(0, sent.length), sent, `crash at ${crashAt}`);
    const isOnItsWay = (): Promise<boolean> => layout(again.client).then((text) => text.includes("+"));
    for (let turns = 0; turns < 1000 && (await isOnItsWay()); turns++);
    ends.add(await layout(again.client));
    assert.deepEqual((await valuesOf(again, "orders", 0)).slice(0, sent.length), sent, `after a crash at ${crashAt}`);
  }
  assert.deepEqual(ends, new Set(["/a: orders-0, /b: ", "/a: , /b: orders-0"]));
});

test("a directory that fails at any operation while a replica moves there loses nothing that was acknowledged", async () => {
  const ends = new Set<string>();
  for (let nth = 1, isOver = false; !isOver; nth += 2) {
    const disk = new SimulatedDisk({ seed: nth });
    await using broker = await startTwo(disk);
    await broker.createTopic("orders");
    await produce(broker.client, batchOf(["v0"]), { topic: "orders" });
    const sent = ["v0"];
    const other = await broker.connect();
    const fault = disk.inject({ code: "EIO", nth, path: /^\/b(\/|$)/, isLasting: true });
    const producing = async (): Promise<void> => {
      for (let n = 1; n < 6; n++) {
        const { errorCode } = await produce(other, batchOf([`v${n}`]), { topic: "orders" });
        if (errorCode === ErrorCode.NONE) sent.push(`v${n}`);
      }
    };
    const isUnderWay = async (): Promise<boolean> => (await layout(broker.client)).includes("+");
    await Promise.all([producing(), move(broker.client, "/b", 0)]);
    for (let turns = 0; turns < 1000 && (await isUnderWay()); turns++);
    isOver = !fault.hasStruck;
    disk.heal();
    const end = await layout(broker.client);
    ends.add(end);
    const fetched = await fetch(broker.client, { topic: "orders" });
    if (end === "/a: , /b: offline") {
      assert.notEqual(fetched.errorCode, ErrorCode.NONE, "what cannot be reached is not taken for empty");
      continue;
    }
    const values = recordsOf(fetched).map((record) => record.slice(record.indexOf(":") + 1));
    assert.deepEqual(
      values.filter((value) => sent.includes(value)),
      sent,
      `operation ${nth}, ${end}`,
    );
  }
  assert.ok(ends.has("/a: orders-0, /b: offline") && ends.has("/a: , /b: orders-0"), [...ends].join("; "));
});
