// A broker embedded in a process that runs already, as tests have it: in memory, with whatever port is free. Used by generate.mjs.
import process from "node:process";
import { BareClient, until } from "../../compat/lib/bare-client.mjs";

/** From the call of `startBroker` to the first acknowledged record; milliseconds. */
async function startAndProduce(startBroker) {
  const begun = performance.now();
  const broker = await startBroker({ port: 0, dataDir: "memory" });
  const client = await BareClient.connect(broker.port);
  await until(() => client.createTopicByAsking("bench"), { limitMs: 5000, pauseMs: 1 });
  await until(() => client.produce("bench", "first", Date.now()), { limitMs: 5000, pauseMs: 1 });
  const ms = performance.now() - begun;
  client.close();
  await broker.close();
  return ms;
}

async function run() {
  const begun = performance.now();
  const { startBroker } = await import("../../packages/server/dist/index.js");
  const loadMs = performance.now() - begun;
  const firstMs = await startAndProduce(startBroker);
  return { loadMs, firstMs, nextMs: await startAndProduce(startBroker) };
}

process.once("message", () => {
  run().then(
    (result) => process.send({ result }, () => process.disconnect()),
    (error) => process.send({ error: error.message }, () => process.disconnect()),
  );
});
