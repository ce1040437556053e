// The same requests to Apache Kafka and to us, in every version: the decoded answers are the same, field by field.
import { join } from "node:path";
import { internalTopicsOfOneReplica } from "../apache-kafka/kafka.mjs";
import { API_KEYS, CASES } from "../lib/answer-cases.mjs";
import { collectAnswers, differences } from "../lib/answers.mjs";
import { askApacheKafka } from "../lib/brokers.mjs";
import { expect, say } from "../lib/harness.mjs";

/** Where we answer otherwise, and why. An entry that matches nothing is a failure, so the list shrinks by itself. */
const KNOWN = [
  {
    api: "Metadata",
    what: /^neither name nor id$/,
    reason: "Kafka fails with a NullPointerException (-1) and loses the brokers; we say INVALID_REQUEST for the topic",
  },
  {
    what: /^an isolation level that is none$/,
    reason: "Kafka fails with an IllegalArgumentException (-1); we say INVALID_REQUEST",
  },
  { api: "Produce", path: /\/errorMessage$/, reason: "Kafka leaves most messages out; ours name the reason" },
  {
    api: "DescribeConfigs",
    what: /^an unknown topic$/,
    path: /\/errorMessage$/,
    reason: "Kafka's message is empty; ours names the reason",
  },
  {
    api: "DescribeConfigs",
    what: /^a topic twice$/,
    reason: "Kafka describes it twice; we once, as it was asked for last, so that the answer is bounded",
  },
  {
    api: "IncrementalAlterConfigs",
    what: /^an operation that is none$/,
    reason: "Kafka fails with a NullPointerException (-1); we say INVALID_REQUEST",
  },
  {
    api: "DescribeProducers",
    what: /^known and unknown$/,
    path: /\/0 #2$/,
    reason: "Kafka answers a partition as often as it is named; we once, so that the answer is bounded",
  },
  {
    api: "DescribeTopicPartitions",
    what: /^impossible names$/,
    reason: "Kafka fails with a NullPointerException (-1); we say which name is wrong",
  },
  {
    api: "DescribeConfigs",
    what: /^this broker$/,
    path: /\/(?:advertised\.listeners|controller\.quorum\.bootstrap\.servers|inter\.broker\.listener\.name|listeners|log\.dirs)\//,
    reason: "the two are not started in the same way",
  },
];

function isKnown(entry, { api, what, path }) {
  const matches = [
    entry.api === undefined || entry.api === api,
    entry.what?.test(what) ?? true,
    entry.path?.test(path) ?? true,
  ];
  return matches.every(Boolean);
}

/** Differences as lines, those of several versions together. */
function asLines(found) {
  const versions = new Map();
  for (const { what, version, path, theirs, ours } of found) {
    const line = `${what}: ${path}: Kafka ${JSON.stringify(theirs)}, we ${JSON.stringify(ours)}`;
    versions.set(line, [...(versions.get(line) ?? []), version]);
  }
  return [...versions].map(([line, of]) => `${line} (version ${of.join(", ")})`);
}

export const suite = {
  title: "answers",
  needs: ["java"],

  async run({ check, startBroker, scratch, target }) {
    const theirs = await askApacheKafka(join(scratch, "apache-kafka"), ({ port }) => collectAnswers(port));
    const broker = await startBroker(internalTopicsOfOneReplica());
    const ours = await collectAnswers(broker.port);
    const keyOf = ({ api, what, version }) => `${api} ${version} ${what}`;
    const ourAnswers = new Map(ours.map((one) => [keyOf(one), one.answer]));
    const found = theirs.flatMap((one) =>
      differences(one.answer, ourAnswers.get(keyOf(one))).map((difference) => ({ ...one, ...difference })),
    );
    say(`        ${CASES.length} cases, ${theirs.length} answers of each`);

    for (const api of Object.keys(API_KEYS)) {
      await check(`${api} is answered as Apache Kafka answers it`, () => {
        const asked = theirs.filter((one) => one.api === api);
        expect(asked.length > 0, "nothing was asked");
        const unknown = found.filter((one) => one.api === api && !KNOWN.some((entry) => isKnown(entry, one)));
        expect(unknown.length === 0, asLines(unknown).join("\n"));
      });
    }

    if (target === "apache") return; // it does not differ from itself
    await check("every difference on the list is still there", () => {
      const past = KNOWN.filter((entry) => !found.some((one) => isKnown(entry, one)));
      expect(past.length === 0, past.map(({ reason }) => reason).join("\n"));
    });
  },
};
