import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Disk, Uuid } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { readWholeFile } from "@samsa/log";
import { decodeControlBatch, decodeSnapshot, encodeSnapshot, parseMetaProperties } from "@samsa/metadata";
import { ControlRecordType, recordBatches } from "@samsa/protocol";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import { formatDataDirectory } from "./format-data-directory.ts";
import { METADATA_LOG_FOLDER } from "./metadata-log-recovery.ts";
import { QuorumStateFile } from "./quorum-state-file.ts";
import { SingleVoterQuorum } from "./single-voter-quorum.ts";
import { registration, uuid } from "./testing/contexts.ts";
import { DIRECTORY, startNode } from "./testing/quorums.ts";

const FOLDER = `${DIRECTORY}/${METADATA_LOG_FOLDER}`;
const LOG = `${FOLDER}/00000000000000000000.log`;
const BOOTSTRAP = `${FOLDER}/00000000000000000000-0000000000.checkpoint`;
const listener = { name: "CONTROLLER", host: "127.0.0.1", port: 19395 };

/** A file that Kafka wrote (packages/metadata/test-fixtures/capture.sh). */
function kafkas(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../metadata/test-fixtures/${name}`, import.meta.url)));
}

async function put(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  await disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
  const file = await disk.open(path, { create: true });
  await file.truncate(0);
  await file.write(0, [bytes]);
  await file.close();
}

async function contentOf(disk: Disk, path: string): Promise<Uint8Array> {
  const bytes = await readWholeFile(disk, path);
  assert.ok(bytes !== undefined, `${path} is there`);
  return bytes;
}

function ports(disk: Disk) {
  return { disk, clock: new VirtualClock(), random: new SeededRandom(), directory: DIRECTORY, nodeId: 1 };
}

/** A directory as Kafka leaves it, after formatting or after having run. */
async function kafkasDirectory(kind: "formatted" | "stopped"): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await put(disk, `${DIRECTORY}/meta.properties`, kafkas("meta.properties"));
  await put(disk, BOOTSTRAP, kafkas("bootstrap.checkpoint"));
  if (kind === "formatted") return disk;
  await put(disk, LOG, kafkas("cluster-metadata.log"));
  await put(disk, `${FOLDER}/quorum-state`, kafkas("quorum-state"));
  return disk;
}

test("a directory that Kafka formatted starts, and the log begins as Kafka's does", async () => {
  const { controller, disk } = await startNode({ disk: await kafkasDirectory("formatted") });
  await controller.close();
  const ours = [...recordBatches(await contentOf(disk, LOG))];
  const theirs = [...recordBatches(kafkas("cluster-metadata.log"))];
  assert.deepEqual(decodeControlBatch(ours[0] ?? fail()), decodeControlBatch(theirs[0] ?? fail()));
  for (const index of [0, 1]) {
    const [our, their] = [ours[index], theirs[index]];
    assert.deepEqual(
      [our?.baseOffset, our?.recordCount, our?.partitionLeaderEpoch, our?.isControlBatch, our?.sizeInBytes],
      [their?.baseOffset, their?.recordCount, their?.partitionLeaderEpoch, their?.isControlBatch, their?.sizeInBytes],
    );
  }
});

test("a directory that Kafka ran in starts in the next epoch, with all its metadata", async () => {
  const { controller, quorum } = await startNode({ disk: await kafkasDirectory("stopped") });
  assert.equal(quorum.epoch, 2);
  assert.deepEqual([...controller.image.topics.byName.keys()], ["__proto__", "assigned", "golden"]);
  assert.equal(controller.image.topics.byName.get("golden")?.partitions.get(0)?.leader, -1);
  const { epoch: previousBrokerEpoch = -1, directories = [] } = controller.image.cluster.brokers.get(1) ?? {};
  const { brokerEpoch } = await controller.registerBroker(registration(1, { previousBrokerEpoch, directories }));
  await controller.unfenceBroker(1, brokerEpoch);
  for (const topic of controller.image.topics.byName.values()) {
    for (const partition of topic.partitions.values()) assert.equal(partition.leader, 1);
  }
  await controller.close();
});

test("the voters stand in the log once; each start adds a leader change in an epoch of its own", async () => {
  const disk = new MemoryDisk();
  for (let start = 0; start < 3; start++) {
    const { controller } = await startNode({ disk });
    await controller.close();
  }
  const control = [...recordBatches(await contentOf(disk, LOG))].filter((batch) => batch.isControlBatch);
  assert.deepEqual(
    control.map((batch) => [batch.partitionLeaderEpoch, decodeControlBatch(batch).map(({ type }) => type)]),
    [
      [1, [ControlRecordType.LEADER_CHANGE, ControlRecordType.KRAFT_VERSION, ControlRecordType.KRAFT_VOTERS]],
      [2, [ControlRecordType.LEADER_CHANGE]],
      [3, [ControlRecordType.LEADER_CHANGE]],
    ],
  );
});

test("quorum-state has Kafka's bytes", async () => {
  const { controller, disk } = await startNode({ disk: await kafkasDirectory("formatted") });
  assert.deepEqual(await contentOf(disk, `${FOLDER}/quorum-state`), kafkas("quorum-state"));
  await controller.close();
});

test("formatting writes the files of Kafka's storage tool", async () => {
  const disk = new MemoryDisk();
  const properties = await formatDataDirectory({ ...ports(disk), controllerListener: listener });
  const path = `${DIRECTORY}/meta.properties`;
  assert.deepEqual(parseMetaProperties(await contentOf(disk, path), path), properties);
  const ours = decodeSnapshot(await contentOf(disk, BOOTSTRAP));
  const theirs = decodeSnapshot(kafkas("bootstrap.checkpoint"));
  const directoryOf = (snapshot: typeof ours) => snapshot.voters?.voters[0]?.voterDirectoryId;
  assert.equal(directoryOf(ours), properties.directoryId);
  const text = (snapshot: typeof ours) =>
    JSON.stringify({ ...snapshot, lastContainedLogTimeMs: 0 }).replaceAll(directoryOf(snapshot) ?? "", "directory");
  assert.equal(text(ours), text(theirs));
});

test("a formatted directory stays as it is, and is refused to another cluster or node", async () => {
  const disk = new MemoryDisk();
  const options = { ...ports(disk), controllerListener: listener, clusterId: "one" };
  const first = await formatDataDirectory(options);
  assert.deepEqual(await formatDataDirectory({ ...options, random: new SeededRandom(2) }), first);
  await assert.rejects(formatDataDirectory({ ...options, clusterId: "two" }), /belongs to cluster one, not to two/);
  await assert.rejects(formatDataDirectory({ ...options, nodeId: 2 }), /belongs to node 1, not to 2/);
});

for (const foreign of [`${DIRECTORY}/orders-0/00000000000000000000.log`, LOG]) {
  test(`${foreign} without meta.properties is not adopted by a new cluster`, async () => {
    const disk = new MemoryDisk();
    await put(disk, foreign, new Uint8Array(1));
    await assert.rejects(formatDataDirectory({ ...ports(disk), controllerListener: listener }), {
      message: /holds logs but no meta\.properties: put the file back, or use another data directory/,
    });
  });
}

test("a formatting that was interrupted is begun anew", async () => {
  const disk = new MemoryDisk();
  await put(disk, BOOTSTRAP, kafkas("bootstrap.checkpoint").subarray(0, 100));
  const { controller } = await startNode({ disk });
  assert.equal(controller.activeEpoch, 1);
  await controller.close();
});

test("a directory of a quorum with other voters is refused in one line", async () => {
  const disk = await kafkasDirectory("stopped");
  const open = (nodeId: number, directoryId: Uuid) =>
    SingleVoterQuorum.open({ ...ports(disk), nodeId, directoryId, clusterId: "" });
  await assert.rejects(open(1, uuid(3)), {
    codeName: "INVALID_VOTER_KEY",
    message: /^the quorum of \/data is made of 1 \(/,
  });
});

test("a later snapshot counts instead of the log below it", async () => {
  const disk = await kafkasDirectory("formatted");
  const { voters, records } = decodeSnapshot(kafkas("bootstrap.checkpoint"));
  const snapshot = { lastContainedLogTimeMs: 5, kraftVersion: 1, voters, records };
  await put(disk, `${FOLDER}/00000000000000000500-0000000007.checkpoint`, encodeSnapshot(snapshot, 7, 5));
  await put(disk, `${FOLDER}/quorum-state`, kafkas("quorum-state"));
  const { controller, quorum } = await startNode({ disk });
  assert.equal(controller.image.features.metadataVersion.level, 33);
  assert.equal(controller.image.provenance.lastContainedOffset + 1, quorum.endOffset);
  assert.ok(quorum.endOffset > 500);
  await controller.close();
});

const damaged = [
  { text: "", why: /no JSON/ },
  { text: "[1]", why: /data_version -1 is unknown/ },
  { text: '{"leaderEpoch":"x","data_version":1}', why: /leaderEpoch is no id or epoch/ },
  { text: '{"leaderEpoch":1,"data_version":7}', why: /data_version 7 is unknown/ },
];
for (const { text, why } of damaged) {
  test(`the quorum state ${JSON.stringify(text)} is refused: an epoch is not guessed`, async () => {
    const disk = new MemoryDisk();
    await put(disk, `${FOLDER}/quorum-state`, new TextEncoder().encode(text));
    const file = new QuorumStateFile(disk, `${FOLDER}/quorum-state`);
    await assert.rejects(file.read(), why);
  });
}

function fail(): never {
  throw new Error("a batch is missing");
}

test("damage in what was synced before keeps the node from starting, and nothing is cut", async () => {
  const { controller, disk } = await startNode({});
  await controller.close();
  const bytes = new Uint8Array(await contentOf(disk, LOG));
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  await put(disk, LOG, bytes);
  await assert.rejects(startNode({ disk }));
  assert.deepEqual(await contentOf(disk, LOG), bytes);
});

for (const what of ["with its indexes", "alone"]) {
  test(`a log that is gone, ${what}, keeps the node from starting, each time`, async () => {
    const { controller, disk } = await startNode({});
    await controller.close();
    for (const { name } of await disk.list(FOLDER)) {
      if (what === "alone" ? name.endsWith(".log") : /\.(log|index|timeindex)$/.test(name)) {
        await disk.remove(`${FOLDER}/${name}`);
      }
    }
    for (const time of ["first", "second"]) {
      await assert.rejects(startNode({ disk }), { name: /KafkaStorageError/ }, `the ${time} time`);
    }
  });
}

test("what is wrong with the files beside the log is told, a line each, and made good", async () => {
  const cases = [
    { file: "quorum-state", says: /it is missing; made anew/ },
    { file: "recovery-point-offset-checkpoint", content: "0\n7\n", says: /: taken for empty$/ },
  ];
  for (const { file, content, says } of cases) {
    const { controller, disk } = await startNode({});
    await controller.close();
    if (content === undefined) await disk.remove(`${FOLDER}/${file}`);
    else await put(disk, `${FOLDER}/${file}`, new TextEncoder().encode(content));
    const told: string[] = [];
    const again = await startNode({ disk, log: { report: (_path, message) => told.push(message) } });
    await again.controller.close();
    assert.equal(told.length, 1, file);
    assert.match(told[0] ?? "", says);
  }
});

test("a torn tail beyond what was synced is cut, which is told, and the node starts", async () => {
  const { controller, disk } = await startNode({});
  await controller.close();
  const whole = await contentOf(disk, LOG);
  await put(disk, LOG, new Uint8Array([...whole, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 1]));
  const told: string[] = [];
  await (await startNode({ disk, log: { report: (_path, message) => told.push(message) } })).controller.close();
  assert.match(told.join(), /a torn tail, cut/);
  assert.deepEqual((await contentOf(disk, LOG)).subarray(0, whole.length), new Uint8Array(whole));
});
