import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { samsaWithBroker } from "./testing/samsa-with-broker.ts";

const { broker, samsa, folder, done, objects } = await samsaWithBroker();
await done("topic create orders -p 2 -c retention.ms=60000");

describe("configuration", () => {
  test("what is set is shown, what is not only when all is wanted", async () => {
    assert.match(
      await done("config describe topic orders"),
      /^KEY +VALUE +SOURCE .*\nretention\.ms +60000 +dynamic_topic/,
    );
    const all = await done("config describe topics orders --all");
    assert.match(all, /^cleanup\.policy +delete +default_config +delete/m);
    assert.ok(all.split("\n").length > 20);
    assert.match(await done("config describe topic orders retention.bytes"), /^retention\.bytes +-1 /m);
  });

  test("keys are set, added to, and unset", async () => {
    const value = async (key: string): Promise<unknown> =>
      (await objects(`config describe topic orders ${key}`)).map((entry) => entry["value"])[0];
    await done("config set topic orders max.message.bytes=2000 --append cleanup.policy=compact");
    assert.equal(await value("max.message.bytes"), "2000");
    assert.equal(await value("cleanup.policy"), "delete,compact");
    await done("config set topic orders --subtract cleanup.policy=compact");
    await done("config unset topic orders max.message.bytes cleanup.policy");
    assert.equal(await value("max.message.bytes"), "1048588");
    await done("config set topic orders max.message.bytes=7 --dry-run");
    assert.equal(await value("max.message.bytes"), "1048588");
  });

  test("brokers have what holds for one, and for all of them", async () => {
    await done("config set broker default log.retention.bytes=777");
    const [synonyms] = (await objects(`config describe broker ${broker.nodeId} log.retention.bytes`)).map(
      (entry) => entry["source"],
    );
    assert.equal(synonyms, "dynamic_default_broker_config");
    await done("config unset broker default log.retention.bytes");
    assert.match(await done("config list"), /^topic +orders$/m);
  });
});

describe("brokers and cluster", () => {
  test("brokers are listed and described", async () => {
    const [listed] = await objects("broker list");
    assert.deepEqual(
      [listed?.["nodeId"], listed?.["isController"], listed?.["isFenced"]],
      [broker.nodeId, true, false],
    );
    const [described] = await objects(`broker describe ${broker.nodeId}`);
    assert.deepEqual([described?.["leaderPartitions"], described?.["outOfSyncReplicas"]], [2, 0]);
  });

  test("every API is named, with its versions and the one in use", async () => {
    const apis = await objects("broker api-versions");
    const fetch = apis.find((one) => one["name"] === "Fetch");
    assert.deepEqual([fetch?.["apiKey"], fetch?.["usedVersion"]], [1, fetch?.["maxVersion"]]);
    assert.ok(apis.every((one) => one["name"] !== undefined));
  });

  test("directories are shown, and replicas of a topic in them", async () => {
    assert.match(await done("broker log-dirs"), /^BROKER +DIRECTORY +STATE[^]*online/);
    const replicas = await objects("broker log-dirs --topic orders");
    assert.deepEqual(
      replicas.map((one) => one["partition"]),
      [0, 1],
    );
  });

  test("the cluster says its id, its features and its quorum", async () => {
    const id = (await done("cluster id")).trim();
    assert.match(id, /^[\w-]{22}$/);
    assert.ok((await done("cluster describe")).startsWith(`cluster id:        ${id}\n`));
    const features = await objects("cluster features list");
    assert.ok(features.some((one) => one["feature"] === "metadata.version" && Number(one["level"]) >= 7));
    const [quorum] = await objects("cluster quorum status");
    assert.deepEqual([quorum?.["leaderId"], quorum?.["maxFollowerLag"]], [broker.nodeId, 0]);
    const [replica] = await objects("cluster quorum replication");
    assert.deepEqual([replica?.["status"], replica?.["lag"]], ["leader", 0]);
  });

  test("levels of features are changed, or only tried", async () => {
    await done("cluster features downgrade share.version=1 --dry-run");
    await done("cluster features downgrade share.version=1");
    await done("cluster features upgrade share.version=2");
  });
});

describe("quotas and users", () => {
  test("quotas are set, listed for those they are for, and unset", async () => {
    await done("quota set --user ada --client reports producer_byte_rate=1000 request_percentage=12.5");
    await done("quota set --default-client consumer_byte_rate=5");
    assert.deepEqual(await objects("quota list --user ada"), [
      {
        entity: { user: "ada", "client-id": "reports" },
        quotas: { producer_byte_rate: 1000, request_percentage: 12.5 },
      },
    ]);
    assert.match(await done("quota list"), /^client-id \(default\) +consumer_byte_rate=5$/m);
    await done("quota unset --user ada --client reports request_percentage");
    assert.match(await done("quota list"), /^user ada, client-id reports +producer_byte_rate=1000$/m);
    await done("quota unset --user ada --client reports");
    await done("quota unset --default-client");
    assert.deepEqual(await objects("quota list"), []);
  });

  test("users have passwords, of which only the mechanism is told", async () => {
    await done("user set ada --password secret");
    await done("user set ada --password secret -m SCRAM-SHA-256 --iterations 8192");
    assert.deepEqual(await objects("user list"), [
      {
        name: "ada",
        credentials: [
          { mechanism: "SCRAM-SHA-256", iterations: 8192 },
          { mechanism: "SCRAM-SHA-512", iterations: 4096 },
        ],
      },
    ]);
    await done("user delete ada -m SCRAM-SHA-256");
    await done("user delete ada");
    assert.deepEqual(await objects("user list"), []);
  });
});

describe("partitions", () => {
  test("a topic is enlarged and truncated, and those who wrote to it are named", async () => {
    await done("topic partitions orders 3");
    writeFileSync(path.join(folder, "lines"), "a\nb\nc\n");
    await done("produce orders -p 1 -f lines");
    const [producer] = await objects("producer list orders -p 1");
    assert.deepEqual([producer?.["lastSequence"], producer?.["currentTransactionStartOffset"]], [2, undefined]);
    const { stderr } = await samsa.run("topic truncate orders:1 --before 2");
    assert.equal(stderr, "orders-1 begins at offset 2\n");
    await done("topic truncate orders");
    assert.equal(await done("consume orders -e"), "");
  });

  test("moves and elections are told as they stand", async () => {
    assert.deepEqual(await objects("topic reassign"), []);
    assert.deepEqual(await objects("topic elect orders:0"), [{ partition: "orders-0", outcome: "not needed" }]);
    const moved = await samsa.run("topic reassign orders:0 --replicas 99");
    assert.match(moved.stderr, /INVALID_REPLICA_ASSIGNMENT/);
    assert.equal(moved.exitCode, 1);
  });

  test("no transaction hangs where none was begun", async () => {
    assert.deepEqual(await objects("txn find-hanging"), []);
    assert.match((await samsa.run("txn abort orders 0 -o 5")).stderr, /holds no transaction open from offset 5 on/);
  });
});

describe("doctor", () => {
  const outcomes = (stdout: string): Record<string, string> =>
    Object.fromEntries(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { check: string; outcome: string })
        .map(({ check, outcome }) => [check, outcome]),
    );

  test("finds a broker that runs, at the address it announces", async () => {
    const { stdout } = await samsa.run(`doctor --json -b ${broker.bootstrapServers}`);
    const { broker: answers, listeners, time } = outcomes(stdout);
    assert.deepEqual([answers, listeners, time], ["ok", "ok", "ok"]);
  });

  test("ends with 1 where nothing listens, and says what to do", async () => {
    const { exitCode, stdout } = await samsa.run("doctor -b 127.0.0.1:1");
    assert.equal(exitCode, 1);
    assert.match(stdout, /^fail +broker +no broker answers[^]*\n +is it running/m);
  });

  test("looks at the folder that records shall go to", async () => {
    writeFileSync(path.join(folder, "file"), "");
    const { exitCode, stdout } = await samsa.run(`doctor --json --port ${broker.port} --data-dir file`);
    const { data, codecs, broker: answers } = outcomes(stdout);
    assert.deepEqual([exitCode, data, codecs, answers], [1, "fail", "ok", "ok"]);
  });
});

const mistakes = [
  { line: "config describe topic ordrs", exitCode: 1, says: /did you mean orders\?/ },
  { line: "topic create new --config retention.msss=1", exitCode: 1, says: /did you mean retention\.ms\?/ },
  { line: "config set topic orders retention.msss=1", exitCode: 1, says: /did you mean retention\.ms\?/ },
  { line: "config describe topic orders retention.msss", exitCode: 2, says: /did you mean retention\.ms\?/ },
  { line: "config describe tpic orders", exitCode: 2, says: /did you mean topic\?/ },
  { line: "config describe user ada", exitCode: 2, says: /samsa quota --help/ },
  { line: "config set topic orders", exitCode: 2, says: /what is to be set/ },
  { line: "config describe broker one", exitCode: 2, says: /samsa broker list/ },
  { line: "config descrbe topic orders", exitCode: 2, says: /Did you mean describe/ },
  { line: "broker describe 99", exitCode: 2, says: /there is no broker 99; there are/ },
  { line: "cluster features upgrade share.vrsion=1", exitCode: 2, says: /did you mean share\.version\?/ },
  { line: "cluster unregister 99", exitCode: 1, says: /BROKER_ID_NOT_REGISTERED/ },
  { line: "cluster quorum remove-voter 1 nonsense", exitCode: 2, says: /is no id of a directory/ },
  { line: "quota set producer_byte_rate=1", exitCode: 2, says: /whose quotas/ },
  { line: "quota set --user ada producer_byte_rat=1", exitCode: 2, says: /did you mean producer_byte_rate\?/ },
  { line: "quota set --user a --default-user producer_byte_rate=1", exitCode: 2, says: /one of them/ },
  { line: "user set ada --password x -m SCRAM-SHA-1", exitCode: 2, says: /Allowed choices are/ },
  { line: "topic elect ordres", exitCode: 1, says: /did you mean orders\?/ },
  { line: "topic partitions orders 1", exitCode: 1, says: /INVALID_PARTITIONS/ },
  { line: "topic reassign --replicas 1", exitCode: 2, says: /which topic/ },
];
for (const { line, exitCode, says } of mistakes) {
  test(`samsa ${line} ends with ${exitCode} and says ${says.source}`, async () => {
    const outcome = await samsa.run(line);
    assert.match(outcome.stderr, says);
    assert.equal(outcome.exitCode, exitCode);
    assert.equal(outcome.stdout, "");
  });
}
