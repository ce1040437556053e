#!/usr/bin/env node
// Exactly once under SIGKILL: records go through a pipeline of transactions (read, process, write, commit offsets) while the broker and
// the processes of the pipeline are killed at random. What comes out equals what went in, once each.
//
//   node compat/exactly-once-loop.mjs [--records 100000] [--kills 20] [--instances 2] [--protocol classic|consumer]
//     [--target samsa|apache] [--pipeline samsa|handlers|java] [--settings key=value,...] [--dir FOLDER]
//
// `--pipeline handlers` is consumer.run in place of kafka.exactlyOnce, `--pipeline java` Apache Kafka's own clients. `--kills` counts those of the broker, and as many of the pipeline. Exits
// with 1 at the first thing wrong and leaves the folder.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { programOptions } from "../scripts/lib/options.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { EAGER_SETTINGS, ExactlyOnceLoop } from "./lib/exactly-once-loop.mjs";

const values = programOptions({
  records: { type: "string", default: "100000" },
  kills: { type: "string", default: "20" },
  instances: { type: "string", default: "2" },
  protocol: { type: "string", default: "classic" },
  target: { type: "string", default: "samsa" },
  pipeline: { type: "string", default: "samsa" },
  settings: { type: "string", default: "" },
  dir: { type: "string" },
});
const dir = values.dir ?? mkdtempSync(join(tmpdir(), "samsa-eos-"));
mkdirSync(dir, { recursive: true });
const pairs = values.settings === "" ? [] : values.settings.split(",").map((pair) => pair.split(/=(.*)/s).slice(0, 2));
const broker = await createBroker(values.target, dir, { ...EAGER_SETTINGS, ...Object.fromEntries(pairs) });
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => void broker.kill().then(() => process.exit(130)));

const started = performance.now();
const loop = new ExactlyOnceLoop(broker, {
  records: Number(values.records),
  kills: Number(values.kills),
  instances: Number(values.instances),
  groupProtocol: values.protocol,
  pipeline: values.pipeline,
  dir,
});
const tell = () => {
  const seconds = Math.round((performance.now() - started) / 1000);
  const kills = `${loop.brokerKills} kills of the broker and ${loop.pipelineKills} of the pipeline`;
  process.stdout.write(`${kills}, ${loop.seen} of ${loop.fed} records came out, ${seconds} s\n`);
};
const telling = setInterval(tell, 10_000);
try {
  await broker.start();
  await loop.run();
  await broker.stop();
  tell();
  process.stdout.write("every record once: none lost, none twice, no transaction left open\n");
  if (values.dir === undefined) rmSync(dir, { recursive: true, force: true });
} catch (error) {
  tell();
  await broker.kill();
  process.stderr.write(`exactly-once-loop: ${error.message}\n  the data and the logs: ${dir}\n`);
  process.exitCode = 1;
} finally {
  clearInterval(telling);
}
