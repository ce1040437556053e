// Clients beyond their quotas, at Apache Kafka and at ours: both tell them to wait as long, and both hold them back as long as
// they say. Quotas are about time, and a machine that is busy elsewhere takes some from one of them: what differs is asked again, and
// a difference is what is there each time.
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

const RUNS = 3;
const TOLD = "whoever is over a quota is told to wait as long as Apache Kafka tells";
const ACCEPTED = "both accept and refuse the same, and fetches bring as much";
const HELD = "nothing more is read for as long as was said, by Apache Kafka and by us";
const LET_IN = "as many connections of an address are let in";

/** Who was not told anything: the producer without an answer waits as the one with it, the others do not. */
const dueMs = ({ what, throttleMs }) => throttleMs ?? (what === "a producer that is not answered" ? 1500 : 0);
const isHeldAsTold = (step) =>
  step.heldMs === undefined || (step.heldMs >= dueMs(step) - EARLY_MS && step.heldMs <= dueMs(step) + LATE_MS);

/** The sentences that are untrue of a step: what Apache Kafka did, and what we did. */
function untrueOf(theirs, ours) {
  const untrue = [];
  if (theirs.throttleMs !== undefined && !isNear(theirs, ours)) untrue.push(TOLD);
  if (theirs.errorCode !== ours.errorCode || theirs.bytes !== ours.bytes) untrue.push(ACCEPTED);
  if (!isHeldAsTold(theirs) || !isHeldAsTold(ours)) untrue.push(HELD);
  if (theirs.count !== undefined && Math.abs(theirs.count - ours.count) > CONNECTIONS_OFF) untrue.push(LET_IN);
  return untrue;
}

export const suite = {
  title: "quotas",
  needs: ["java"],
  alone: true,

  async run({ check, startBroker, scratch }) {
    let untrue; // by step, what was untrue in each run so far
    for (let run = 0; run < RUNS && (untrue === undefined || untrue.some(({ length }) => length > 0)); run++) {
      const dir = join(scratch, `apache-kafka-${run}`);
      const theirs = await askApacheKafka(dir, ({ port }) => converseOverQuotas(port));
      const ours = await converseOverQuotas((await startBroker(internalTopicsOfOneReplica())).port);
      untrue = theirs.map((step, index) => {
        const own = ours[index];
        const told = `told ${rounded(step.throttleMs)} and ${rounded(own.throttleMs)} ms`;
        say(`        ${step.what}: ${told}, held ${rounded(step.heldMs)} and ${rounded(own.heldMs)} ms`);
        const now = untrueOf(step, own).map((sentence) => ({ sentence, what: step.what, seen: [step, own] }));
        return untrue === undefined ? now : now.filter((one) => untrue[index].some(isSameAs(one)));
      });
    }
    for (const sentence of [TOLD, ACCEPTED, HELD, LET_IN]) {
      await check(sentence, () => {
        const off = untrue.flat().filter((one) => one.sentence === sentence);
        expect(off.length === 0, off.map(({ what, seen }) => `${what}: ${JSON.stringify(seen)}`).join("\n"));
      });
    }
  },
};

const isSameAs = (one) => (other) => other.sentence === one.sentence;
