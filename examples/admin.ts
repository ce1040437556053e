/** Administration: topics and their configuration, offsets, what groups have committed, and errors of one item among many. */
import { ErrorCode, Kafka, KafkaError } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 2);
const admin = kafka.admin();
const resource = { type: "topic", name: topic.name } as const;

await admin.createPartitions([{ topic: topic.name, count: 3 }]);
await admin.incrementalAlterConfigs([{ ...resource, set: { "retention.ms": "60000" } }]);
const [described] = await admin.describeTopics([topic.name]);
const [config] = (await admin.describeConfigs([resource], { names: ["retention.ms"] })).all();
console.log(`${described?.partitions.length} partitions, retention.ms=${config?.[0]?.value}`);

const producer = kafka.producer();
for (let i = 0; i < 10; i++) await producer.send({ topic: topic.name, partition: 0, value: `${i}` });
await admin.deleteRecords([{ topic: topic.name, partition: 0, beforeOffset: 4 }]);
const [start, end] = await Promise.all(
  (["earliest", "latest"] as const).map(
    async (at) => (await admin.listOffsets([{ topic: topic.name, partition: 0, at }]))[0],
  ),
);
console.log(`partition 0 has offsets ${start?.offset} to ${(end?.offset ?? 0) - 1}`);

// What a group has committed can be set before its first member comes, and moved while it has none.
const groupId = `${topic.name}-group`;
await admin.alterGroupOffsets(groupId, [{ topic: topic.name, partition: 0, offset: 6, metadata: "begin here" }]);
const committed = (await admin.listGroupOffsets([{ groupId }])).get(groupId)?.get(`${topic.name}-0`);
console.log(`the group begins at ${committed?.offset}: ${committed?.metadata}`);
const [group] = (await admin.describeConsumerGroups([groupId])).all();
console.log(`it is ${group?.state}`);
await admin.deleteGroups([groupId]);

// What asks has an answer or an error for each item; what changes something rejects.
const results = await admin.describeConsumerGroups([groupId]);
for (const [, error] of results.errors) console.log(`and now ${error.codeName}`);
try {
  await admin.createTopics([{ name: topic.name }]);
} catch (error) {
  if (!(error instanceof KafkaError) || error.code !== ErrorCode.TOPIC_ALREADY_EXISTS) throw error;
  console.log(`a second topic of this name: ${error.codeName}`);
}

// 3 partitions, retention.ms=60000
// partition 0 has offsets 4 to 9
// the group begins at 6: begin here
// it is Empty
// and now GROUP_ID_NOT_FOUND
// a second topic of this name: TOPIC_ALREADY_EXISTS
