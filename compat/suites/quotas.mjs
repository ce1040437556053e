// Clients beyond their quotas, at Apache Kafka and at ours: both tell them to wait as long, and both hold them back as long as
// they say.
import { join } from "node:path";
import { internalTopicsOfOneReplica } from "../apache-kafka/kafka.mjs";
import { askApacheKafka } from "../lib/brokers.mjs";
import { expect, say } from "../lib/harness.mjs";
import { converseOverQuotas } from "../lib/quota-conversation.mjs";

/** Throttle times follow from when each request was measured, to the millisecond, and from how long the steps before took. */
const TOLERANCE_MS = 100;
const TOLERANCE_SHARE = 0.05;
/** By which an answer may come earlier than was said, by clocks of a millisecond; and later. */
const EARLY_MS = 20;
const LATE_MS = 1000;
const CONNECTIONS_OFF = 2;

/** What was made until then took each broker its own time, in which its quota filled up. */
function isNear({ throttleMs: theirs, madeMs: theirMs = 0 }, { throttleMs: ours, madeMs: ourMs = 0 }) {
  return Math.abs(theirs - ours) <= TOLERANCE_MS + TOLERANCE_SHARE * theirs + theirMs + ourMs;
}
const rounded = (number) => (number === undefined ? "-" : Math.round(number));

export const suite = {
  title: "quotas",
  needs: ["java"],
  alone: true,

  async run({ check, startBroker, scratch }) {
    const theirs = await askApacheKafka(join(scratch, "apache-kafka"), ({ port }) => converseOverQuotas(port));
    const broker = await startBroker(internalTopicsOfOneReplica());
    const ours = await converseOverQuotas(broker.port);

    for (const [index, step] of theirs.entries()) {
      const own = ours[index];
      const told = `told ${rounded(step.throttleMs)} and ${rounded(own.throttleMs)} ms`;
      say(`        ${step.what}: ${told}, held ${rounded(step.heldMs)} and ${rounded(own.heldMs)} ms`);
    }
    await check("whoever is over a quota is told to wait as long as Apache Kafka tells", () => {
      const off = theirs.filter((step, index) => step.throttleMs !== undefined && !isNear(step, ours[index]));
      expect(off.length === 0, off.map(({ what }) => what).join("\n"));
    });
    await check("both accept and refuse the same, and fetches bring as much", () => {
      const same = ({ errorCode, bytes }, own) => errorCode === own.errorCode && bytes === own.bytes;
      const off = theirs.flatMap((step, index) =>
        same(step, ours[index]) ? [] : [`${step.what}: ${JSON.stringify(step)}, ${JSON.stringify(ours[index])}`],
      );
      expect(off.length === 0, off.join("\n"));
    });
    for (const { whose, steps } of [
      { whose: "Apache Kafka", steps: theirs },
      { whose: "our broker", steps: ours },
    ]) {
      await check(`nothing more is read by ${whose} for as long as it said`, () => {
        // Who was not told anything: the producer without an answer waits as the one with it, the others do not.
        const isSilent = ({ what }) => what === "a producer that is not answered";
        const due = (step) => step.throttleMs ?? (isSilent(step) ? 1500 : 0);
        const measured = steps.filter(({ heldMs }) => heldMs !== undefined);
        const off = measured.filter((step) => {
          const dueMs = due(step);
          const isEarly = step.heldMs < dueMs - EARLY_MS;
          return isEarly || step.heldMs > dueMs + LATE_MS;
        });
        expect(off.length === 0, off.map(({ what, heldMs }) => `${what}: ${heldMs} ms`).join("\n"));
      });
    }
    await check("as many connections of an address are let in", () => {
      const counts = [theirs, ours].map((steps) => steps.find(({ count }) => count !== undefined).count);
      expect(Math.abs(counts[0] - counts[1]) <= CONNECTIONS_OFF, counts.join(" and "));
    });
  },
};
