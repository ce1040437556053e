// Killed with SIGKILL while records arrive: what was acknowledged is still there afterwards, in order.
import { expect } from "../lib/harness.mjs";
import { Partitioners, createKafkaJs, readAll, withAdmin } from "../lib/kafkajs.mjs";

const TOPIC = "crash";
const RECORDS_A_REQUEST = 50;
const PRODUCE_FOR_MS = 2000;

/** Sends numbered values until the connection breaks. Returns the first number that was not acknowledged. */
async function produceUntilKilled(broker, from) {
  const kafka = createKafkaJs(broker.bootstrap);
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, retry: { retries: 0 } });
  await producer.connect();
  let killed = false;
  const killer = setTimeout(() => {
    killed = true;
    void broker.kill();
  }, PRODUCE_FOR_MS);
  let next = from;
  try {
    for (;;) {
      const messages = Array.from({ length: RECORDS_A_REQUEST }, (_, i) => ({
        value: `${next + i} ${"x".repeat((next + i) % 700)}`,
        partition: 0,
      }));
      await producer.send({ topic: TOPIC, messages, acks: -1 });
      next += RECORDS_A_REQUEST;
    }
  } catch (error) {
    if (!killed) throw error; // it was not the kill that ended it
    return next;
  } finally {
    clearTimeout(killer);
    await producer.disconnect().catch(() => {});
  }
}

export const suite = {
  title: "SIGKILL",
  needs: [],

  async run({ check, startBroker, full }) {
    const broker = await startBroker();
    const kills = full ? 20 : 5;
    await withAdmin(createKafkaJs(broker.bootstrap), (admin) =>
      admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }] }),
    );
    // Values count upward over all rounds. A round that is cut off may have left records nobody acknowledged, so the next one
    // goes on after what is really there.
    let stored = 0;
    for (let kill = 1; kill <= kills; kill++) {
      await check(
        `kill ${kill} of ${kills} during a produce loses no acknowledged record and disturbs no order`,
        async () => {
          if (!broker.isRunning) await broker.start();
          const acknowledged = await produceUntilKilled(broker, stored);
          await broker.kill();
          await broker.start();
          const values = (await readAll(createKafkaJs(broker.bootstrap), TOPIC, 0)).map((r) => r.value.toString());
          const wrong = values.findIndex((value, i) => value !== `${i} ${"x".repeat(i % 700)}`);
          expect(wrong < 0, `offset ${wrong} holds ${values[wrong]?.slice(0, 60)}`);
          expect(acknowledged > stored, "nothing was acknowledged before the kill");
          expect(
            values.length >= acknowledged,
            `${acknowledged} records were acknowledged and ${values.length} are there`,
          );
          expect(values.length % RECORDS_A_REQUEST === 0, `a batch was cut: ${values.length} records are there`);
          stored = values.length;
        },
      );
    }

    await check("after the kills it stops cleanly and starts again with every record", async () => {
      if (!broker.isRunning) await broker.start();
      await broker.stop();
      await broker.start();
      const records = await readAll(createKafkaJs(broker.bootstrap), TOPIC, 0);
      expect(records.length === stored, `${stored} records were there and ${records.length} are`);
    });
  },
};
