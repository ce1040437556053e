// Transactions with librdkafka, which kcat cannot abort, fence or give offsets: a program of ours on confluent-kafka.
import { expect } from "../lib/harness.mjs";
import { librdkafkaTransactions } from "../lib/librdkafka.mjs";

const SCENARIOS = 8;
const SETTINGS = {
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
  "transaction.state.log.num.partitions": 5,
  "offsets.topic.num.partitions": 5,
  "group.initial.rebalance.delay.ms": 0,
};

export const suite = {
  title: "librdkafka",
  needs: ["librdkafka"],

  async run({ check, startBroker }) {
    const told = await librdkafkaTransactions(await startBroker(SETTINGS));
    for (const line of told) {
      const [, outcome, sentence, why] = /^(ok|FAILED) ([^:]*)(?:: (.*))?$/.exec(line) ?? [];
      if (outcome === undefined) continue;
      await check(sentence, async () => expect(outcome === "ok", why));
    }
    await check("the program has run all of its scenarios", async () => {
      expect(told.filter((line) => /^(ok|FAILED) /.test(line)).length === SCENARIOS, told.join("\n"));
    });
  },
};
