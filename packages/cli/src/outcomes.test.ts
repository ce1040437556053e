import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { Kafka, NoBrokerReachableError } from "@samsa/client";
import type { Deed } from "./outcomes.ts";
import { actOnEach } from "./outcomes.ts";
import { samsaWithBroker } from "./testing/samsa-with-broker.ts";

const GROUPS_AT_ONCE = { "group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1" };
const { broker, samsa, folder, done } = await samsaWithBroker(GROUPS_AT_ONCE);
writeFileSync(path.join(folder, "lines"), "a\nb\nc\n");
await done("topic create orders -p 2");
await done("produce orders -p 1 -f lines");

/** The one value on stdout; its errors are asserted by their code names, or by their messages where they have none. */
async function value(line: string, exitCode = 0): Promise<unknown> {
  const outcome = await samsa.run(`${line} --json`);
  assert.equal(outcome.exitCode, exitCode, `${line}: ${outcome.stderr}`);
  assert.equal(outcome.stdout.split("\n").length, 2, outcome.stdout);
  if (exitCode === 0) assert.equal(outcome.stderr, "");
  else assert.match(outcome.stderr, /^samsa: /);
  return JSON.parse(outcome.stdout, (key, found: unknown) => {
    if (key !== "error" || found === null) return found;
    const { codeName, message } = found as { codeName: string | null; message: string };
    assert.ok(message.length > 0);
    return codeName ?? message;
  });
}

describe("topics", () => {
  test("what was created is told as the answer has it, and one that is refused hides nothing of those behind it", async () => {
    const created = (await value("topic create a orders b -p 3 -c retention.ms=60000", 1)) as { topicId: string }[];
    const ids = created.map(({ topicId }) => topicId);
    const facts = { created: true, partitions: 3, replicationFactor: 1, configs: { "retention.ms": "60000" } };
    const nothing = { created: false, topicId: null, partitions: null, replicationFactor: null, configs: null };
    assert.deepEqual(created, [
      { name: "a", ...facts, topicId: ids[0], error: null },
      { name: "orders", ...nothing, error: "TOPIC_ALREADY_EXISTS" },
      { name: "b", ...facts, topicId: ids[2], error: null },
    ]);
    for (const id of [ids[0], ids[2]]) assert.match(String(id), /^[\w-]{22}$/);
    assert.deepEqual(await value("topic create orders --if-not-exists"), [{ name: "orders", ...nothing, error: null }]);
  });

  test("what was deleted is told, and what was not there", async () => {
    assert.deepEqual(await value("topic delete a nowhere b", 1), [
      { name: "a", deleted: true, error: null },
      { name: "nowhere", deleted: false, error: "UNKNOWN_TOPIC_OR_PARTITION" },
      { name: "b", deleted: true, error: null },
    ]);
    assert.deepEqual(await value("topic delete nowhere --if-exists"), [
      { name: "nowhere", deleted: false, error: null },
    ]);
  });

  test("one thing is an object, done, tried or refused", async () => {
    const enlarged = { name: "orders", partitions: 3 };
    assert.deepEqual(await value("topic partitions orders 3 --dry-run"), { ...enlarged, dryRun: true, error: null });
    assert.deepEqual(await value("topic partitions orders 3"), { ...enlarged, dryRun: false, error: null });
    assert.deepEqual(await value("topic partitions orders 3", 1), {
      ...enlarged,
      dryRun: false,
      error: "INVALID_PARTITIONS",
    });
  });

  test("partitions that are truncated tell where they begin, each or why not", async () => {
    assert.deepEqual(await value("topic truncate orders:1 orders:0 --before 2", 1), [
      { topic: "orders", partition: 1, startOffset: 2, error: null },
      { topic: "orders", partition: 0, startOffset: null, error: "OFFSET_OUT_OF_RANGE" },
    ]);
    assert.deepEqual(await value("topic truncate nowhere orders:1", 1), [
      { topic: "nowhere", partition: null, startOffset: null, error: "UNKNOWN_TOPIC_OR_PARTITION" },
      { topic: "orders", partition: 1, startOffset: null, error: "UNKNOWN_TOPIC_OR_PARTITION" },
    ]);
  });

  test("a move that is refused is told for each partition of it", async () => {
    assert.deepEqual(await value("topic reassign orders:0 orders:1 --replicas 99", 1), [
      { topic: "orders", partition: 0, replicas: [99], error: "INVALID_REPLICA_ASSIGNMENT" },
      { topic: "orders", partition: 1, replicas: [99], error: "INVALID_REPLICA_ASSIGNMENT" },
    ]);
  });
});

describe("configuration, quotas and users", () => {
  test("a change of a configuration tells its keys", async () => {
    const topic = { type: "topic", name: "orders" };
    assert.deepEqual(
      await value("config set topics orders retention.ms=5000 --append cleanup.policy=compact --dry-run"),
      {
        ...topic,
        configs: [
          { name: "retention.ms", operation: "set", value: "5000" },
          { name: "cleanup.policy", operation: "append", value: "compact" },
        ],
        dryRun: true,
        error: null,
      },
    );
    assert.deepEqual(await value("config set topic orders retention.msss=1", 1), {
      ...topic,
      configs: [{ name: "retention.msss", operation: "set", value: "1" }],
      dryRun: false,
      error: "INVALID_CONFIG",
    });
    assert.deepEqual(await value("config unset broker default log.retention.ms"), {
      type: "broker",
      name: "default",
      configs: [{ name: "log.retention.ms", operation: "unset", value: null }],
      dryRun: false,
      error: null,
    });
  });

  test("quotas are told as the list has them, and those taken away as null", async () => {
    const ada = { entity: { user: "ada" }, dryRun: false, error: null };
    assert.deepEqual(await value("quota set --user ada producer_byte_rate=1000"), {
      ...ada,
      quotas: { producer_byte_rate: 1000 },
    });
    assert.deepEqual(await value("quota unset --user ada"), { ...ada, quotas: { producer_byte_rate: null } });
    assert.deepEqual(await value("quota unset --user ada"), { ...ada, quotas: {} });
  });

  test("users are told with mechanism and iterations, and without their password", async () => {
    const ada = { name: "ada", credentials: [{ mechanism: "SCRAM-SHA-256", iterations: 8192 }] };
    const set = await value("user set ada -m SCRAM-SHA-256 --iterations 8192 --password secret");
    assert.deepEqual(set, { ...ada, error: null });
    assert.deepEqual(await value("user delete ada"), { ...ada, error: null });
    assert.deepEqual(await value("user delete ada", 1), {
      name: "ada",
      credentials: null,
      error: "RESOURCE_NOT_FOUND",
    });
  });
});

describe("groups and transactions", () => {
  test("offsets that are forgotten and groups that are deleted are told one by one", async () => {
    await samsa.run("group reset-offsets billing --topic orders --to-offset 2 --execute");
    assert.deepEqual(await value("group delete-offsets billing --topic orders:0,1"), [
      { groupId: "billing", topic: "orders", partition: 0, error: null },
      { groupId: "billing", topic: "orders", partition: 1, error: null },
    ]);
    await samsa.run("group reset-offsets audit --topic orders --to-offset 2 --execute");
    assert.deepEqual(await value("group delete nobody audit", 1), [
      { groupId: "nobody", error: "GROUP_ID_NOT_FOUND" },
      { groupId: "audit", error: null },
    ]);
  });

  test("offsets of a topic that a member reads are not forgotten, those of another are", async () => {
    await samsa.run("topic create others");
    await samsa.run("group reset-offsets busy --topic others --to-earliest --execute");
    await using kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const consumer = kafka.consumer({ groupId: "busy", autoOffsetReset: "earliest" });
    consumer.subscribe(["orders"]);
    for await (const record of consumer) if (record.offset >= 0) break;
    assert.deepEqual(await value("group delete-offsets busy --topic others:0 --topic orders:1", 1), [
      { groupId: "busy", topic: "others", partition: 0, error: null },
      { groupId: "busy", topic: "orders", partition: 1, error: "GROUP_SUBSCRIBED_TO_TOPIC" },
    ]);
    assert.deepEqual(await value("group delete busy --yes", 1), [{ groupId: "busy", error: "NON_EMPTY_GROUP" }]);
  });

  test("who is fenced is told with the epoch that fences, and what samsa itself refuses has no code", async () => {
    const [fenced = assert.fail()] = (await value("txn fence payments-1")) as Record<string, unknown>[];
    const { producerId } = fenced;
    assert.equal(typeof producerId, "number");
    assert.deepEqual(fenced, { transactionalId: "payments-1", producerId, producerEpoch: 0, error: null });
    assert.deepEqual(await value("txn abort orders 0 -o 5", 1), {
      topic: "orders",
      partition: 0,
      currentTransactionStartOffset: 5,
      producerId: null,
      producerEpoch: null,
      error: "orders-0 holds no transaction open from offset 5 on",
    });
  });
});

describe("the cluster", () => {
  test("its id is an object", async () => {
    assert.deepEqual(await value("cluster id"), { clusterId: broker.clusterId });
  });

  test("levels of features are told one by one", async () => {
    assert.deepEqual(await value("cluster features downgrade share.version=0 --dry-run"), [
      { feature: "share.version", level: 0, dryRun: true, error: null },
    ]);
    assert.deepEqual(await value("cluster features upgrade share.version=99", 1), [
      { feature: "share.version", level: 99, dryRun: false, error: "INVALID_UPDATE_VERSION" },
    ]);
  });

  test("a broker and a voter that are not there are refused by name", async () => {
    assert.deepEqual(await value("cluster unregister 99", 1), { nodeId: 99, error: "BROKER_ID_NOT_REGISTERED" });
    const directoryId = "yXuSCB3RQZiCrmwPV9KZpA";
    assert.deepEqual(await value(`cluster quorum remove-voter 99 ${directoryId}`, 1), {
      replicaId: 99,
      directoryId,
      error: "VOTER_NOT_FOUND",
    });
  });
});

test("where nothing was asked of a broker, stdout is empty: a mistake in the line, or nobody who answers", async () => {
  const lines = [
    { line: "topic partitions orders many", exitCode: 2 },
    { line: "topic create t -b 127.0.0.1:1", exitCode: 3 },
    { line: "topic truncate t -b 127.0.0.1:1", exitCode: 3 },
    { line: "user delete ada -b 127.0.0.1:1", exitCode: 3 },
  ];
  for (const { line, exitCode } of lines) {
    const outcome = await samsa.run(`${line} --json`);
    assert.deepEqual([outcome.exitCode, outcome.stdout], [exitCode, ""], line);
  }
});

test("who is lost on the way is asked no more, and what was done before is told", async (t) => {
  const lost = new NoBrokerReachableError(["127.0.0.1:1"], [], true);
  const asked: string[] = [];
  const work = (item: string): Promise<Deed> => {
    asked.push(item);
    return item === "a" ? Promise.resolve({ said: "did a" }) : Promise.reject(lost);
  };
  let stdout = "";
  const report = process.stdout.write.bind(process.stdout);
  const write = t.mock.method(process.stdout, "write", (chunk: string | Uint8Array) => {
    if (typeof chunk !== "string") return report(chunk); // of the tests before, by whoever runs them
    stdout += chunk;
    return true;
  });
  t.mock.method(process.stderr, "write", () => true);
  const exitCode = await actOnEach(["a", "b", "c"], (name) => ({ name }), work, { json: true });
  write.mock.restore();
  const objects = JSON.parse(stdout) as { name: string; error: unknown }[];
  assert.deepEqual(
    objects.map(({ name, error }) => [name, error === null]),
    [
      ["a", true],
      ["b", false],
      ["c", false],
    ],
  );
  assert.deepEqual([asked, exitCode], [["a", "b"], 3]);
});

test("for people several that are refused are told each, and what was done as well", async () => {
  const { exitCode, stdout, stderr } = await samsa.run("topic create orders c nice/try");
  assert.deepEqual([exitCode, stdout], [1, ""]);
  assert.match(stderr, /^created topic c with 1 partition\nsamsa: TOPIC_ALREADY_EXISTS [^]*\nsamsa: INVALID_TOPIC_EXC/);
});
