// The same conversation of the members of groups with Apache Kafka and with us, request by request: the answers are the same.
import { join } from "node:path";
import { internalTopicsOfOneReplica } from "../apache-kafka/kafka.mjs";
import { differences } from "../lib/answers.mjs";
import { askApacheKafka } from "../lib/brokers.mjs";
import { CONVERSATION_BROKER, converse } from "../lib/group-conversation.mjs";
import { expect, say } from "../lib/harness.mjs";

const SETTINGS = { ...internalTopicsOfOneReplica(), ...CONVERSATION_BROKER };

/** Where we answer otherwise, and why. An entry that matches nothing is a failure, so the list shrinks by itself. */
const KNOWN = [
  {
    path: /^\/results\/\d+\/errorMessage$/,
    reason: "Kafka names no reason when it does not delete a group; we do",
  },
];

export const suite = {
  title: "group answers",
  needs: ["java"],

  async run({ check, startBroker, scratch, target }) {
    const theirs = await askApacheKafka(join(scratch, "apache-kafka"), ({ port }) => converse(port), SETTINGS);
    const broker = await startBroker(SETTINGS);
    const ours = await converse(broker.port);
    say(`        ${theirs.length} answers of each`);
    const found = [];

    await check("both were asked the same", () => {
      expect(theirs.map(({ what }) => what).join("\n") === ours.map(({ what }) => what).join("\n"), "they were not");
    });
    await check("each request is answered as Apache Kafka answers it", () => {
      for (const [i, { what, answer }] of theirs.entries()) {
        found.push(...differences(answer, ours[i]?.answer).map((each) => ({ what, ...each })));
      }
      const unknown = found.filter(({ path }) => !KNOWN.some((entry) => entry.path.test(path)));
      const lines = unknown.map(
        (each) => `${each.what}: ${each.path}: Kafka ${JSON.stringify(each.theirs)}, we ${JSON.stringify(each.ours)}`,
      );
      expect(lines.length === 0, lines.join("\n"));
    });

    if (target === "apache") return; // it does not differ from itself
    await check("every difference on the list is still there", () => {
      const past = KNOWN.filter((entry) => !found.some(({ path }) => entry.path.test(path)));
      expect(past.length === 0, past.map(({ reason }) => reason).join("\n"));
    });
  },
};
