// Our own producer while its connections are cut, stalled and delayed and its broker is killed: nothing may be lost, doubled or out of order.
import { setTimeout as sleep } from "node:timers/promises";
import { readAll, withKafka } from "./client-checks.mjs";
import { FaultProxy } from "./fault-proxy.mjs";
import { expect, say } from "./harness.mjs";
import { Kafka } from "../../packages/client/dist/index.js";
import { TcpTransport } from "../../packages/io/dist/index.js";

const PARTITIONS = 3;
/** Cuts before the records they are spread over. */
const AHEAD = 25;

/** What can happen to a connection. `draw(n)` is a number below n. */
const FAULTS = [
  ["cut on the way up", (draw) => ({ cutAfterBytesUp: 2000 + draw(30_000) })],
  ["cut early on the way up", (draw) => ({ cutAfterBytesUp: 100 + draw(3000) })],
  ["cut on the way down", (draw) => ({ cutAfterBytesDown: 600 + draw(2000) })],
  ["cut late on the way down", (draw) => ({ cutAfterBytesDown: 1000 + draw(8000) })],
  ["stalled", (draw) => ({ stallAfterBytesDown: 600 + draw(2000) })],
  ["delayed", (draw) => ({ delayMs: 1 + draw(4), cutAfterBytesDown: 1500 })],
];

/**
 * Produces numbers through a proxy that cuts about `cuts` connections, spread over the records, and kills the broker `kills` times.
 *
 * @param options.topic made here, with three partitions
 */
export async function produceThroughFaults(broker, { topic, records, cuts = 0, kills = 0, batchSize = 1000 }) {
  const proxy = new FaultProxy(broker.port);
  const draw = draws(12_345);
  const kinds = new Map();
  const progress = { delivered: 0 };
  /** Connections that open while there are faults left have one; what comes through is cut later by `dropAll`. */
  proxy.plan = () => {
    if (proxy.cuts >= Math.min(cuts, (cuts * progress.delivered) / records + AHEAD)) return {};
    const [name, plan] = FAULTS[draw(FAULTS.length)];
    kinds.set(name, (kinds.get(name) ?? 0) + 1);
    return plan(draw);
  };
  await proxy.start();
  const beganMs = Date.now();
  const kafka = kafkaThrough(proxy);
  try {
    const disturbance = { drops: 0, kills: 0 };
    const disturb = async () => {
      const steps = kills + (cuts > 0 ? 10 : 0);
      for (let step = 1; step <= steps; step++) {
        while (progress.delivered < (records * step) / (steps + 1)) await sleep(5);
        if (kills * step >= (disturbance.kills + 1) * steps) {
          await broker.kill();
          await broker.start();
          disturbance.kills++;
        } else {
          proxy.dropAll();
          disturbance.drops++;
        }
      }
    };
    const { retries, epochBumps } = await produceNumbers(
      kafka,
      broker,
      { topic, records, batchSize, progress },
      disturb,
    );
    say(
      `        ${records} records in ${Math.round((Date.now() - beganMs) / 1000)} s: ${disturbance.kills} kills, ${proxy.connections} connections, ` +
        `${proxy.cuts} of them cut at a byte, ${disturbance.drops} times all at once, ${retries} batches sent again, ${epochBumps} new epochs` +
        [...kinds].map(([name, count]) => `; ${count} ${name}`).join(""),
    );
    expect(proxy.cuts >= cuts * 0.5, `only ${proxy.cuts} connections were cut`);
    expect(cuts === 0 || kinds.size === FAULTS.length, `only ${kinds.size} kinds of faults came up`);
    expect(disturbance.kills === kills, `only ${disturbance.kills} kills`);
  } finally {
    await kafka.close();
    await proxy.close();
  }
  await expectNumbers(broker, topic, records);
}

/** Each number goes to the partition of its remainder. @returns the producer's counters */
async function produceNumbers(kafka, broker, { topic, records, batchSize, progress }, disturb) {
  await withKafka({ bootstrapServers: broker.bootstrap }, (direct) =>
    direct.admin().createTopics([{ name: topic, numPartitions: PARTITIONS }]),
  );
  const producer = kafka.producer({ lingerMs: 2, bufferMemory: 1_000_000, deliveryTimeoutMs: 300_000, batchSize });
  let failure;
  const onDelivery = (error) => {
    failure ??= error;
    progress.delivered++;
  };
  const disturbed = disturb();
  disturbed.catch(() => {}); // told when all is sent
  for (let n = 0; n < records; n++) {
    const record = { topic, partition: n % PARTITIONS, value: String(n) };
    if (!producer.write(record, onDelivery)) await producer.ready();
  }
  await producer.flush();
  await disturbed;
  if (failure !== undefined) throw failure;
  return producer.counters;
}

/** In the end every partition has its own numbers, once and in order. */
async function expectNumbers(broker, topic, records) {
  const plain = { bootstrapServers: broker.bootstrap };
  const found = await withKafka(plain, (direct) => readAll(direct, topic, PARTITIONS));
  for (const [partition, values] of found) {
    const expected = Math.ceil((records - partition) / PARTITIONS);
    expect(values.length === expected, `partition ${partition} has ${values.length} records, not ${expected}`);
    const wrong = values.findIndex((value, index) => value !== String(index * PARTITIONS + partition));
    expect(wrong < 0, `partition ${partition} has ${values[wrong]} at ${wrong}`);
  }
}

/** A client whose every connection goes through the proxy, whatever address the broker announces. */
function kafkaThrough(proxy) {
  const tcp = new TcpTransport();
  const address = () => ({ host: "127.0.0.1", port: proxy.port });
  const transport = {
    connect: (_, handler, how) => tcp.connect(address(), handler, how),
    listen: (...args) => tcp.listen(...args),
  };
  return new Kafka({ bootstrapServers: "127.0.0.1:1", transport, requestTimeoutMs: 500 });
}

/** Numbers that are the same every time. */
function draws(seed) {
  let random = seed;
  return (below) => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((random / 2 ** 31) * below); // the lowest bits repeat
  };
}
