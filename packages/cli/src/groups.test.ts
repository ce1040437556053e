import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { Kafka } from "@samsa/client";
import { samsaWithBroker } from "./testing/samsa-with-broker.ts";

const GROUPS_AT_ONCE = { "group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1" };
const { broker, samsa, folder, done, objects } = await samsaWithBroker(GROUPS_AT_ONCE);

before(async () => {
  await using kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  await kafka.admin().createTopics([{ name: "orders", numPartitions: 2 }]);
  const producer = kafka.producer();
  const sends = Array.from({ length: 10 }, (_, i) =>
    producer.send({ topic: "orders", partition: i % 2, value: `${i}`, timestamp: 1_700_000_000_000 + i * 1000 }),
  );
  await Promise.all(sends);
});

async function committed(group: string): Promise<unknown[]> {
  return (await objects(`group lag ${group} --partitions`)).map((row) => row["committed"]);
}

test("a reset shows what it would do, and does it when told", async () => {
  assert.match(
    await done("group reset-offsets billing --topic orders --to-offset 2"),
    /^GROUP +TOPIC +PARTITION +COMMITTED +NEW +CHANGE +REMARK\nbilling +orders +0 +- +2 +- +-\nbilling +orders +1 +- +2 /,
  );
  assert.doesNotMatch(await done("group list --names"), /billing/);
  await done("group reset-offsets billing --topic orders --to-offset 2 --execute");
  assert.deepEqual(await committed("billing"), [2, 2]);
});

const resets = [
  { how: "--to-latest", offsets: [5, 5] },
  { how: "--shift-by -2", offsets: [3, 3] },
  { how: "--topic orders:1 --to-earliest", offsets: [3, 0] },
  { how: "--to-current", offsets: [3, 0] },
  { how: "--to-datetime 2023-11-14T22:13:24", offsets: [2, 2] },
  { how: "--by-duration PT1S", offsets: [5, 5] },
  { how: "--shift-by -99", offsets: [0, 0] },
  { how: "--to-offset 99", offsets: [5, 5] },
];
test("a reset goes to each place that Kafka's tool knows", async () => {
  for (const { how, offsets } of resets) {
    await done(`group reset-offsets billing ${how} --execute`);
    assert.deepEqual(await committed("billing"), offsets, how);
  }
});

test("what is exported can be put back", async () => {
  const exported = await done("group reset-offsets billing --to-offset 1 --export");
  assert.equal(exported, "billing,orders,0,1\nbilling,orders,1,1\n");
  const file = path.join(folder, "offsets.csv");
  writeFileSync(file, exported);
  await done("group reset billing --execute --from-file", file);
  assert.deepEqual(await committed("billing"), [1, 1]);
});

test("lag is told by topic, by partition, and by the exit code", async () => {
  await done("group reset-offsets billing --to-offset 4 --execute");
  assert.match(
    await done("group lag"),
    /^GROUP +TOPIC +PARTITIONS +UNCOMMITTED +LAG +MAX-LAG\nbilling +orders +2 +0 +2 +1$/m,
  );
  assert.equal((await samsa.run("group lag billing --max 2")).exitCode, 0);
  const { exitCode, stderr } = await samsa.run("group lag billing --max 1");
  assert.deepEqual([exitCode, stderr], [1, "group billing is 2 records behind\n"]);
});

test("a group is listed and described", async () => {
  const [listed] = await objects("group list");
  assert.deepEqual([listed?.["groupId"], listed?.["state"], listed?.["type"]], ["billing", "Empty", "classic"]);
  const described = await done("group describe billing");
  assert.match(described, /^STATE: +Empty$/m);
  assert.match(described, /^COORDINATOR: +127\.0\.0\.1:\d+ \(\d+\)$/m);
  assert.match(described, /^orders +1 +4 +5 +1 +- +- +-$/m);
  assert.equal((await objects("group describe"))[0]?.["groupId"], "billing");
  const { stdout, stderr } = await samsa.run("group members billing");
  assert.deepEqual([stdout.split("\n").length, stderr], [2, "group billing has no members; it is Empty\n"]);
});

test("watch looks as often as told", async () => {
  const looks = await objects("group watch billing --count 2 --interval 0.01");
  assert.equal(looks.length, 2);
  const partitions = looks.map((look) => look["partitions"] as { lag: number; read: number | null }[]);
  assert.deepEqual(
    partitions.map(([first]) => [first?.lag, first?.read]),
    [
      [1, null],
      [1, 0],
    ],
  );
  assert.match(await done("group watch billing -n 1"), /^billing {2}Empty {2}0 members {2}lag 2 {2}2/);
});

test("a group that is not there gets the nearest name told", async () => {
  const { exitCode, stderr } = await samsa.run("group describe biling");
  assert.equal(exitCode, 1);
  assert.match(stderr, /GROUP_ID_NOT_FOUND[^]*did you mean billing\?/);
});

const refused = [
  "group reset-offsets billing",
  "group reset-offsets billing --to-earliest --to-latest",
  "group reset-offsets billing --to-earliest --execute --dry-run",
  "group reset-offsets billing --topic orders:7 --to-earliest",
  "group reset-offsets nobody --to-earliest",
  "group reset-offsets nobody --topic orders --shift-by 1",
  "group watch billing --interval 0",
  "group list --state Stabl",
  "group list --type clasic",
  "txn list --state Onging",
];
test("what cannot be meant is refused", async () => {
  for (const line of refused) assert.equal((await samsa.run(line)).exitCode, 2, line);
});

test("offsets are forgotten, and groups deleted", async () => {
  await done("group delete-offsets billing --topic orders:0");
  assert.deepEqual(
    (await objects("group lag billing --partitions")).map((row) => row["partition"]),
    [1],
  );
  await done("group delete billing --yes");
  assert.equal(await done("group list --names"), "");
});

test("members of a group go on where it is, and commit exactly what they have written", async () => {
  assert.equal((await done("consume orders -g readers -n 3")).split("\n").length, 4);
  const offsets = (await committed("readers")).map(Number);
  assert.equal(
    offsets.reduce((sum, offset) => sum + offset, 0),
    3,
  );
  assert.equal((await done("consume orders -g readers -e")).split("\n").length, 8);
  assert.deepEqual(await committed("readers"), [5, 5]);
  assert.equal(await done("consume orders -g readers -e"), "");
  for (const line of ["consume orders -g readers -p 0", "consume orders -g readers -o 3"]) {
    assert.equal((await samsa.run(line)).exitCode, 2, line);
  }
});

test("a group with members shows them, and is not reset", async () => {
  await using kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, clientId: "reader" });
  const consumer = kafka.consumer({ groupId: "busy", autoOffsetReset: "earliest" });
  consumer.subscribe(["orders"]);
  for await (const record of consumer) if (record.offset === 4) break;
  const [member = assert.fail()] = await objects("group members busy");
  assert.deepEqual([member["clientId"], (member["assignment"] as unknown[]).length], ["reader", 2]);
  assert.match(await done("group members busy"), / orders:0-1$/m);
  assert.match(await done("group describe busy"), /^STATE: +Stable$/m);
  const { exitCode, stderr } = await samsa.run("group reset-offsets busy --topic orders --to-latest");
  assert.equal(exitCode, 1);
  assert.match(stderr, /group busy is Stable[^]*samsa group members busy/);
});
