// @samsa/client against Kafka as it was: 3.9, the last before 4.0 took old versions of the protocol away, and 2.8, without topic ids.
// 2.8 runs on its first KRaft, which gives out no producer ids; the rest of its protocol is that of its time.
import {
  everyCompression,
  exactlyOnce,
  groupGoesOn,
  sameAsJava,
  seeksByTime,
  transactional,
  withKafka,
} from "../lib/client-checks.mjs";
import { OLD_VERSIONS } from "../apache-kafka/kafka.mjs";
import { until } from "../lib/bare-client.mjs";
import { expect } from "../lib/harness.mjs";

export const suite = {
  title: "@samsa/client with old brokers",
  needs: ["old java"],

  async run({ check, startBroker }) {
    for (const version of OLD_VERSIONS) {
      const broker = await startBroker({}, `apache-${version}`);
      const isFirstKRaft = version.startsWith("2.");
      const options = isFirstKRaft ? { enableIdempotence: false } : {};
      const ask = (sentence, work) =>
        check(`Kafka ${version}: ${sentence}`, () =>
          withKafka({ bootstrapServers: broker.bootstrap, defaultApiTimeoutMs: 60_000 }, (kafka) =>
            work(kafka, options),
          ),
        );
      await ask("what is produced in every compression is read back", everyCompression);
      await ask("keys go where Java's producer sends them", sameAsJava);
      await ask("reading begins at a time", seeksByTime);
      await ask("a group goes on where it was", groupGoesOn);
      if (!isFirstKRaft) {
        await ask("transactions commit and abort records with offsets", transactional);
        await ask("exactly once goes on where it was", (kafka) => exactlyOnce(kafka));
      }
      await ask("topics, configurations and the cluster are administered", administered);
    }
  },
};

async function administered(kafka) {
  const admin = kafka.admin();
  await admin.createTopics([{ name: "old", numPartitions: 1, configs: { "retention.ms": "60000" } }]);
  const { brokers } = await admin.describeCluster();
  expect(brokers.length === 1, `${brokers.length} brokers`);
  const entries = (await admin.describeConfigs([{ type: "topic", name: "old" }], { names: ["retention.ms"] })).get(
    "topic old",
  );
  expect(entries[0].value === "60000", JSON.stringify(entries));
  const dirs = (await admin.describeLogDirs([brokers[0].nodeId])).all().flat();
  expect(dirs.length === 1 && dirs[0].error === undefined, JSON.stringify(dirs));
  const served = (await admin.describeApiVersions([brokers[0].nodeId])).all().flat();
  expect(
    served.some(({ name, usedVersion }) => name === "Fetch" && usedVersion >= 12),
    "Fetch is not served",
  );
  await admin.deleteTopics(["old"]);
  await until(async () => expect(!(await names(admin)).includes("old"), "it is still there"), {
    limitMs: 10_000,
    pauseMs: 100,
  });
}

async function names(admin) {
  return (await admin.listTopics()).map(({ name }) => name);
}
