import assert from "node:assert/strict";
import { test } from "node:test";
import { Kafka } from "@samsa/client";
import { startBroker } from "@samsa/server";

test("a broker that is told to by a client-metrics subscription has the metrics of clients, each as often as it says", async () => {
  const pushed: { readonly bytes: string; readonly isTerminating: boolean; readonly from: string }[] = [];
  let onPush = (): void => {};
  await using broker = await startBroker({
    port: 0,
    dataDir: "memory",
    onClientMetrics: ({ data, isTerminating, compressionType, clientInstanceId, softwareName }) => {
      assert.equal(compressionType, "zstd");
      pushed.push({
        bytes: Buffer.from(data).toString("latin1"),
        isTerminating,
        from: `${softwareName} ${clientInstanceId}`,
      });
      onPush();
    },
  });
  const pushes = (count: number): Promise<void> =>
    new Promise((resolve) => {
      onPush = () => {
        if (pushed.length >= count) resolve();
      };
      onPush();
    });
  const { bootstrapServers } = broker;
  await using admin = new Kafka({ bootstrapServers, clientId: "other" });
  await admin.admin().createTopics([{ name: "t", numPartitions: 1 }]);
  const set = { metrics: "org.apache.kafka.producer.", "interval.ms": "100", match: "client_id=measured" };
  await admin.admin().incrementalAlterConfigs([{ type: "client_metrics", name: "producers", set }]);

  const kafka = new Kafka({ bootstrapServers, clientId: "measured", enableMetricsPush: true });
  await kafka.producer().send({ topic: "t", value: "x" });
  const id = await kafka.clientInstanceId();
  await pushes(2);
  await kafka.close();
  await pushes(3);
  assert.deepEqual(new Set(pushed.map(({ from }) => from)), new Set([`samsa ${id}`]));
  assert.deepEqual(
    [pushed.at(-1)?.isTerminating, pushed.filter(({ isTerminating }) => isTerminating).length],
    [true, 1],
  );
});
