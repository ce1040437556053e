import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError } from "@samsa/base";
import type { MetadataImage, MetadataPublisher } from "@samsa/metadata";
import { BrokerConfig, ConfigResourceType, imageRecords } from "@samsa/metadata";
import {
  CreateTopicsRequest,
  createCreateTopicsRequestCreatableTopic as topicOf,
} from "@samsa/protocol/messages/create-topics-request";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import fc from "fast-check";
import { SeededRandom } from "@samsa/simulation";
import { QuorumController } from "./quorum-controller.ts";
import { registration, uuid } from "./testing/contexts.ts";
import { GatedDisk } from "./testing/gated-disk.ts";
import { InstantLog } from "./testing/instant-log.ts";
import type { NodeOptions, Node } from "./testing/quorums.ts";
import { startNode } from "./testing/quorums.ts";

async function startWithBroker(options: NodeOptions = {}): Promise<Node & { brokerEpoch: number }> {
  const node = await startNode(options);
  const { brokerEpoch } = await node.controller.registerBroker(registration(1, { incarnationId: uuid(60) }));
  await node.controller.unfenceBroker(1, brokerEpoch);
  return { ...node, brokerEpoch };
}

function create(controller: QuorumController, ...names: string[]) {
  const topics = names.map((name) => topicOf({ name, numPartitions: 2, replicationFactor: 1 }));
  return controller.createTopics(CreateTopicsRequest.create({ topics }));
}

/** What an image amounts to, as plain values. */
function contents(image: MetadataImage): unknown {
  return [...imageRecords(image)].filter(({ type }) => type !== "RegisterControllerRecord");
}

test("a fresh node writes the records of formatting and registers its controller", async () => {
  const { controller } = await startNode();
  assert.equal(controller.activeEpoch, 1);
  assert.equal(controller.image.features.metadataVersion.level, 33);
  assert.equal(controller.image.configs.configFor(ConfigResourceType.BROKER, "").get("min.insync.replicas"), "1");
  assert.equal(controller.image.cluster.controllers.get(1)?.listeners.get("CONTROLLER")?.port, 9093);
  await controller.close();
});

test("the answer comes after every publisher has taken the topic in, one after the other", async () => {
  const said: string[] = [];
  const publisher = (name: string): MetadataPublisher => ({
    name,
    async onMetadataUpdate(delta) {
      if (delta.topics.created.size === 0) return;
      said.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      said.push(`${name} ends`);
    },
  });
  const { controller } = await startWithBroker({
    publishers: [publisher("replica manager"), publisher("metadata cache")],
  });
  await create(controller, "t");
  said.push("answer");
  assert.deepEqual(said, [
    "replica manager begins",
    "replica manager ends",
    "metadata cache begins",
    "metadata cache ends",
    "answer",
  ]);
  assert.ok(controller.image.topics.byName.has("t"));
  await controller.close();
});

test("the answer waits until the disk has synced the records", async () => {
  const disk = new GatedDisk();
  const { controller } = await startWithBroker({ disk });
  disk.holdSyncs();
  let isAnswered = false;
  const answer = create(controller, "t").then((response) => {
    isAnswered = true;
    return response;
  });
  await disk.isWaiting;
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!isAnswered && !controller.image.topics.byName.has("t"));
  disk.letGo();
  assert.equal((await answer).topics[0]?.errorCode, 0);
  await controller.close();
});

test("publishers see every change once, in order, though many requests are under way", async () => {
  const created: string[] = [];
  let nextOffset = 0;
  const publisher: MetadataPublisher = {
    name: "witness",
    onMetadataUpdate(delta, image) {
      assert.equal(delta.image.provenance.lastContainedOffset + 1, nextOffset);
      nextOffset = image.provenance.lastContainedOffset + 1;
      for (const id of delta.topics.created) created.push(image.topics.byId.get(id)?.name ?? "");
    },
  };
  const { controller } = await startWithBroker({ publishers: [publisher] });
  const names = Array.from({ length: 50 }, (_, i) => `t${i}`);
  await Promise.all(names.map((name) => create(controller, name)));
  assert.deepEqual(created, names);
  await controller.close();
});

test("the second of two requests for one name is refused, though neither is committed yet", async () => {
  const { controller } = await startWithBroker();
  const [first, second] = await Promise.all([create(controller, "t"), create(controller, "t")]);
  assert.deepEqual([first.topics[0]?.errorCode, second.topics[0]?.errorCode], [0, 36]);
  assert.ok(controller.image.topics.byName.has("t")); // the refusal did not come before what it rests on
  await controller.close();
});

test("after a restart everything is there, in a new epoch", async () => {
  const { controller, disk, brokerEpoch } = await startWithBroker();
  await create(controller, "kept", "dropped", "__proto__");
  await controller.deleteTopics(DeleteTopicsRequest.create({ topicNames: ["dropped"] }));
  await controller.allocateProducerIds(1, brokerEpoch);
  await controller.close();

  const again = await startNode({ disk });
  assert.equal(again.controller.activeEpoch, 2);
  assert.deepEqual(contents(again.controller.image), contents(controller.image));
  await assert.rejects(again.controller.allocateProducerIds(1, brokerEpoch + 1), { codeName: "STALE_BROKER_EPOCH" });
  const block = await again.controller.allocateProducerIds(1, brokerEpoch);
  assert.equal(block.firstProducerId, 1000);
  await again.controller.close();
});

test("without a clean stop nothing that was answered is lost", async () => {
  const { controller, disk } = await startWithBroker();
  await create(controller, "t");
  const again = await startNode({ disk }); // on the disk as it is, nothing closed
  assert.deepEqual(contents(again.controller.image), contents(controller.image));
  await again.controller.close();
});

test("whatever is decided, the log replays to the image that was decided upon", async () => {
  const step = fc.record({
    create: fc.boolean(),
    names: fc.uniqueArray(fc.constantFrom("a", "b", "a.b", "a_b", "c"), { minLength: 1 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(1000), async (steps, seed) => {
      const { controller, disk, failures } = await startWithBroker({ seed });
      // All at once: each decision sees those before it, committed or not.
      await Promise.all(
        steps.map(({ create: isCreation, names }) =>
          isCreation
            ? create(controller, ...names)
            : controller.deleteTopics(DeleteTopicsRequest.create({ topicNames: names })),
        ),
      );
      await controller.close();
      const again = await startNode({ disk });
      assert.deepEqual(contents(again.controller.image), contents(controller.image));
      assert.deepEqual([...failures, ...again.failures], []);
      await again.controller.close();
    }),
    { numRuns: 25 },
  );
});

test("a publisher that fails stops the controller, and what was asked for is not answered as done", async () => {
  const publisher: MetadataPublisher = {
    name: "broken",
    onMetadataUpdate(delta) {
      if (delta.topics.created.size > 0) throw new Error("the disk is full");
    },
  };
  const { controller, failures } = await startWithBroker({ publishers: [publisher] });
  await assert.rejects(create(controller, "t"), /the disk is full/);
  assert.equal(failures.length, 1);
  assert.equal(controller.activeEpoch, undefined);
  await assert.rejects(create(controller, "u"), { codeName: "NOT_CONTROLLER" });
});

async function startOn(metadataLog: InstantLog): Promise<QuorumController> {
  const config = BrokerConfig.of({ "node.id": "1" });
  const onFatal = (error: unknown): never => assert.fail(String(error));
  const random = new SeededRandom();
  return QuorumController.start({ config, random, metadataLog, listeners: [], publishers: [], onFatal });
}

test("what a restart of a broker changes may take several batches, a request for topics never does", async () => {
  const log = new InstantLog();
  const controller = await startOn(log);
  const { brokerEpoch } = await controller.registerBroker(registration(1));
  await controller.unfenceBroker(1, brokerEpoch);
  for (const name of ["a", "b"]) {
    const topics = [topicOf({ name, numPartitions: 6000, replicationFactor: 1 })];
    await controller.createTopics(CreateTopicsRequest.create({ topics }));
  }
  const before = log.batchSizes.length;
  await controller.registerBroker(registration(1, { incarnationId: uuid(61) }));
  assert.deepEqual(log.batchSizes.slice(before - 2), [6001, 6001, 10_000, 2001]);
});

test("a controller that leads no more refuses", async () => {
  const log = new InstantLog();
  const controller = await startOn(log);
  log.loseLeadership();
  await assert.rejects(create(controller, "t"), { codeName: "NOT_CONTROLLER" });
  assert.equal(controller.activeEpoch, undefined);
});

test("a closed controller takes nothing more", async () => {
  const { controller } = await startWithBroker();
  const underWay = create(controller, "t");
  await controller.close();
  assert.equal((await underWay).topics[0]?.errorCode, 0);
  await assert.rejects(
    create(controller, "u"),
    (error) => error instanceof KafkaError && error.codeName === "NOT_CONTROLLER",
  );
  await controller.close();
});
