// One suite in a process of its own, as run.mjs starts it: the job comes as a message, and how it went goes back as one.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createBroker } from "./lib/brokers.mjs";
import { readAllowList, Tally } from "./lib/harness.mjs";

const running = new Set();
for (const signal of ["SIGINT", "SIGTERM", "disconnect"]) {
  process.once(
    signal,
    () => void Promise.all([...running].map((broker) => broker.kill())).then(() => process.exit(130)),
  );
}

process.once("message", async (job) => {
  const tally = new Tally(job.target === "samsa" ? readAllowList(join(import.meta.dirname, "allow-list.json")) : []);
  await runSuite(job, tally);
  const { passed, failed, known, failures } = tally;
  process.send({ passed, failed, known, failures }, () => process.exit(0));
});

/**
 * @param job.suite the address of its module
 * @param job.scratch a folder for it alone
 */
async function runSuite({ suite: address, scratch, target, corpus, full, seed }, tally) {
  const { suite } = await import(address);
  mkdirSync(scratch, { recursive: true });
  const brokers = [];
  const startBroker = async (settings, wanted = target) => {
    const dir = join(scratch, `broker-${brokers.length}`);
    mkdirSync(dir, { recursive: true });
    const broker = await createBroker(wanted, dir, settings);
    brokers.push(broker);
    running.add(broker);
    await broker.start();
    return broker;
  };
  const check = (...args) => tally.check(suite.title, ...args);
  try {
    await suite.run({ check, startBroker, corpus, scratch, full, seed, target });
    const gone = brokers.find((broker) => !broker.isRunning);
    await check("the broker still runs at the end", async () => {
      if (gone !== undefined) throw new Error(`it is gone. Its last words:\n${gone.lastWords()}`);
    });
  } catch (error) {
    await check("the suite runs to its end", () => Promise.reject(error));
  } finally {
    for (const broker of brokers) await broker.kill();
  }
}
