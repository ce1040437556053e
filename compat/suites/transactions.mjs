// Transactions: Java's producer, KafkaJS and kcat, Kafka's command for transactions, and brokers that are killed in the midst of one;
// also in a directory that changes hands between Apache Kafka and us while a transaction is open, or decided and not carried out.
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createBroker } from "../lib/brokers.mjs";
import { until } from "../lib/bare-client.mjs";
import { expect, say } from "../lib/harness.mjs";
import { createKafkaJs, withAdmin, withProducer } from "../lib/kafkajs.mjs";
import { runProgram } from "../lib/process.mjs";
import { RawClient } from "../lib/raw-client.mjs";
import { encodeBatch } from "../lib/record-batches.mjs";
import {
  countRecords,
  cutLastBatch,
  javaTransactions,
  partitionForKey,
  transactionsCommand,
} from "../lib/transactions.mjs";

const SAMSA = join(dirname(fileURLToPath(import.meta.url)), "../../packages/cli/bin/samsa.js");
const LIMIT_MS = 240_000;
const SETTINGS = {
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
  "transaction.state.log.num.partitions": 5,
  "offsets.topic.num.partitions": 5,
  "group.initial.rebalance.delay.ms": 0,
};
const OTHER = { samsa: "apache", apache: "samsa" };

/** Writes to a topic in a transaction that no coordinator has heard of, an hour ago; and once more, without a transaction. */
async function leaveHanging(broker, topic) {
  const client = await RawClient.connect(broker.port);
  try {
    await client.createTopics([{ name: topic }]);
    const producer = await until(
      async () => {
        await client.findCoordinator(topic, 1); // the first to ask has the topic of the transactions made
        return await client.initProducerId(topic);
      },
      { limitMs: 20_000, pauseMs: 100 },
    );
    const timestamp = Date.now() - 3_600_000;
    const options = { ...producer, baseSequence: 0, isTransactional: true, timestamp };
    const written = await until(
      async () => {
        const batch = encodeBatch([{ key: null, value: "hangs" }], options);
        const { error, baseOffset } = await client.produce(topic, 0, batch, { transactionalId: topic });
        expect(error === 0, `Produce answered ${error}`);
        return baseOffset;
      },
      { limitMs: 10_000, pauseMs: 100 },
    );
    await client.produce(topic, 0, encodeBatch([{ key: null, value: "follows" }]));
    return { start: written, producerId: producer.producerId };
  } finally {
    client.close();
  }
}

export const suite = {
  title: "transactions",
  needs: ["kcat", "java"],

  async run({ check, startBroker, scratch, target }) {
    const broker = await startBroker(SETTINGS);
    const kafka = createKafkaJs(broker.bootstrap);
    const createTopics = (...topics) =>
      withAdmin(kafka, (admin) => admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 2 })) }));
    const kcatCommitted = async (topic) => {
      const read = ["-C", "-b", broker.bootstrap, "-t", topic, "-e", "-q", "-X", "isolation.level=read_committed"];
      return (await runProgram("kcat", read)).stdout.split("\n").filter(Boolean);
    };

    const told = await javaTransactions("scenarios", broker).catch((error) => [`FAILED Java's scenarios: ${error}`]);
    for (const line of told) {
      const [, outcome, sentence, why] = /^(ok|FAILED) ([^:]*)(?:: (.*))?$/.exec(line) ?? [];
      if (outcome === undefined) continue;
      await check(`Java: ${sentence}`, async () => expect(outcome === "ok", why));
    }
    await check("Java has run all of its scenarios", async () => {
      const ok = told.filter((line) => line.startsWith("ok ")).length;
      expect(ok === 9, told.join("\n"));
    });

    await check("kcat commits what it sends in one transaction, twice under one id", async () => {
      await createTopics("txn-kcat");
      for (const input of ["one\ntwo\n", "three\n"]) {
        const send = ["-P", "-b", broker.bootstrap, "-t", "txn-kcat", "-p", "0", "-X", "transactional.id=kcat"];
        await runProgram("kcat", send, { input });
      }
      const lines = await kcatCommitted("txn-kcat");
      expect(lines.join() === "one,two,three", lines.join());
    });

    await check("KafkaJS commits, aborts, and sends offsets with a transaction", async () => {
      await createTopics("txn-js");
      const options = { transactionalId: "js", maxInFlightRequests: 1, idempotent: true };
      const offsets = {
        consumerGroupId: "txn-js",
        topics: [{ topic: "txn-js", partitions: [{ partition: 0, offset: "5" }] }],
      };
      const send = (transaction, ...values) =>
        transaction.send({ topic: "txn-js", messages: values.map((value) => ({ value, partition: 0 })) });
      await withProducer(
        kafka,
        async (producer) => {
          const first = await producer.transaction();
          await send(first, "a", "b");
          await first.commit();
          const second = await producer.transaction();
          await send(second, "lost");
          await second.sendOffsets(offsets);
          await second.abort();
          const third = await producer.transaction();
          await send(third, "c");
          await third.sendOffsets({
            ...offsets,
            topics: [{ topic: "txn-js", partitions: [{ partition: 0, offset: "3" }] }],
          });
          await third.commit();
        },
        options,
      );
      const lines = await kcatCommitted("txn-js");
      expect(lines.join() === "a,b,c", lines.join());
      const [found] = await withAdmin(kafka, (admin) => admin.fetchOffsets({ groupId: "txn-js", topics: ["txn-js"] }));
      const offset = found.partitions.find(({ partition }) => partition === 0)?.offset;
      expect(offset === "3", `offset ${offset}`);
    });

    await check("KafkaJS reads what is committed, and its second producer of an id fences the first", async () => {
      await createTopics("txn-js-fenced");
      const options = { transactionalId: "js-fenced", maxInFlightRequests: 1, idempotent: true };
      const send = (transaction, value) =>
        transaction.send({ topic: "txn-js-fenced", messages: [{ value, partition: 0 }] });
      await withProducer(
        kafka,
        async (first) => {
          const lost = await first.transaction();
          await send(lost, "of the first");
          await withProducer(
            kafka,
            async (second) => {
              const won = await second.transaction();
              await send(won, "of the second");
              await won.commit();
            },
            options,
          );
          const error = await lost.commit().then(
            () => undefined,
            (reason) => reason,
          );
          expect(/FENCED|PRODUCER_EPOCH|PRODUCER_ID_MAPPING/.test(error?.type), `the first is told ${error?.type}`);
        },
        options,
      );
      const values = await kafkaJsCommitted(kafka, "txn-js-fenced", 1);
      expect(values.join() === "of the second", values.join());
    });

    await check("a transaction of KafkaJS that takes too long is aborted", async () => {
      await createTopics("txn-js-late");
      const options = {
        transactionalId: "js-late",
        maxInFlightRequests: 1,
        idempotent: true,
        transactionTimeout: 1000,
      };
      await withProducer(
        kafka,
        async (producer) => {
          const late = await producer.transaction();
          await late.send({ topic: "txn-js-late", messages: [{ value: "late", partition: 0 }] });
          await sleep(3000);
          const error = await late.commit().then(
            () => undefined,
            (reason) => reason,
          );
          expect(error !== undefined, "its commit was taken");
        },
        options,
      );
      const lines = await kcatCommitted("txn-js-late");
      expect(lines.length === 0, lines.join());
    });

    await check(
      "a transaction that a client left open is listed, described, found and aborted by TransactionsCommand",
      async () => {
        await createTopics("txn-left");
        await javaTransactions("open", broker, "txn-left", "left", "10");
        const list = await transactionsCommand(broker, "list");
        expect(/^left\s+1\s+\d+\s+Ongoing/m.test(list), list);
        const described = await transactionsCommand(broker, "describe", "--transactional-id", "left");
        expect(/\sleft\s+\d+\s+\d+\s+Ongoing\s+900000\s.*txn-left-\d/.test(described), described);
        const producers = await transactionsCommand(
          broker,
          "describe-producers",
          "--topic",
          "txn-left",
          "--partition",
          "0",
        );
        const [producerId, , , , , start] = producers.trim().split("\n").at(-1).trim().split(/\s+/);
        const found = await transactionsCommand(
          broker,
          "find-hanging",
          "--broker-id",
          "1",
          "--max-transaction-timeout",
          "0",
        );
        expect(!found.includes("txn-left"), `it hangs not, its coordinator knows it: ${found}`);
        expect((await countRecords(broker, "txn-left", "read_committed")) === 0, "it is read");
        await transactionsCommand(broker, "abort", "--topic", "txn-left", "--partition", "0", "--start-offset", start);
        const after = await transactionsCommand(
          broker,
          "describe-producers",
          "--topic",
          "txn-left",
          "--partition",
          "0",
        );
        const row = after.trim().split("\n").at(-1).trim().split(/\s+/);
        expect(row[0] === producerId && row[5] === "None", after);
      },
      LIMIT_MS,
    );

    await check(
      "a transaction that hangs is found by TransactionsCommand and by samsa txn, which aborts it",
      async () => {
        // Without verification a partition takes what its coordinator was never told of, as it did before KIP-890.
        const trusting = await startBroker({ ...SETTINGS, "transaction.partition.verification.enable": false });
        const { start, producerId } = await leaveHanging(trusting, "txn-hanging");
        expect((await countRecords(trusting, "txn-hanging", "read_committed")) === 0, "what follows it is read");
        const theirs = await transactionsCommand(trusting, "find-hanging", "--broker-id", "1");
        expect(new RegExp(`^txn-hanging\\s+0\\s+${producerId}\\s`, "m").test(theirs), theirs);
        const samsa = async (...args) => {
          const command = [SAMSA, "txn", ...args, "--bootstrap-server", trusting.bootstrap];
          return (await runProgram(process.execPath, command)).stdout;
        };
        const ours = await samsa("find-hanging");
        expect(new RegExp(`^txn-hanging\\s+0\\s+${producerId}\\s+0\\s+${start}\\s`, "m").test(ours), ours);
        await samsa("abort", "txn-hanging", "0", "--start-offset", String(start));
        expect(!(await samsa("find-hanging")).includes("txn-hanging"), "it hangs still");
        const after = await transactionsCommand(trusting, "find-hanging", "--broker-id", "1");
        expect(!after.includes("txn-hanging"), after);
        expect((await countRecords(trusting, "txn-hanging", "read_committed")) === 1, "what follows it is not read");
      },
      LIMIT_MS,
    );

    await check(
      "a transaction that was open when the broker was killed is open after it, and the next producer of its id ends it",
      async () => {
        await createTopics("txn-killed");
        await javaTransactions("open", broker, "txn-killed", "killed", "10");
        await broker.kill();
        await broker.start();
        await listed(broker, "killed", "Ongoing");
        await javaTransactions("commit", broker, "txn-killed", "killed", "3");
        expect((await countRecords(broker, "txn-killed", "read_committed")) === 3, "records");
      },
      LIMIT_MS,
    );

    await check(
      "ten transactions whose commit was answered, each with a SIGKILL after it, are all there",
      async () => {
        await createTopics("txn-kills");
        for (let round = 0; round < 10; round++) {
          const producer = kafka.producer({ transactionalId: "kills", maxInFlightRequests: 1, idempotent: true });
          await producer.connect();
          const transaction = await producer.transaction();
          const messages = [0, 1].map((partition) => ({ partition, value: `round ${round}` }));
          await transaction.send({ topic: "txn-kills", messages });
          await transaction.commit();
          await broker.kill();
          await producer.disconnect().catch(() => {});
          await broker.start();
        }
        await until(
          async () => {
            const lines = await kcatCommitted("txn-kills");
            expect(lines.length === 20, lines.join());
          },
          { limitMs: 20_000, pauseMs: 300 },
        );
      },
      LIMIT_MS,
    );

    let copies = 0;
    /** A broker of a kind on a copy of what another one has left. */
    const onCopy = async (kind, from, use) => {
      const dir = join(scratch, `${kind}-${copies++}`);
      mkdirSync(dir);
      const other = await createBroker(kind, dir, SETTINGS);
      rmSync(other.dataDir, { recursive: true, force: true });
      cpSync(from, other.dataDir, { recursive: true });
      try {
        await other.start();
        return await use(other);
      } catch (error) {
        throw new Error(`${error.message}\n${kind} said last:\n${other.lastWords()}`, { cause: error });
      } finally {
        await other.kill();
      }
    };

    for (const first of [target, OTHER[target]]) {
      const dir = join(scratch, `first-${first}`);
      mkdirSync(dir);
      const writer = await createBroker(first, dir, SETTINGS);
      await check(
        `${first} is killed with one transaction open and one decided but not carried out`,
        async () => {
          try {
            await writer.start();
            const js = createKafkaJs(writer.bootstrap);
            const topics = ["txn-open", "txn-decided"].map((topic) => ({ topic, numPartitions: 1 }));
            await withAdmin(js, (admin) => admin.createTopics({ topics }));
            await javaTransactions("open", writer, "txn-open", "open", "8");
            await javaTransactions("commit", writer, "txn-decided", "decided", "5");
            await listed(writer, "decided", "CompleteCommit");
          } finally {
            await writer.kill();
          }
          const log = `__transaction_state-${partitionForKey("decided", SETTINGS["transaction.state.log.num.partitions"])}`;
          for (const folder of [log, "txn-decided-0"]) cutLastBatch(writer.dataDir, folder);
        },
        LIMIT_MS,
      );
      for (const second of [first, OTHER[first]]) {
        const carryOut = async (reader) => {
          await listed(reader, "open", "Ongoing");
          expect((await countRecords(reader, "txn-open", "read_committed")) === 0, "the open one is read");
          await listed(reader, "decided", "CompleteCommit");
          await seesDecided(reader, second, 5);
          await javaTransactions("commit", reader, "txn-open", "open", "3");
          expect((await countRecords(reader, "txn-open", "read_committed")) === 3, "records after it was ended");
          expect((await countRecords(reader, "txn-open", "read_uncommitted")) === 11, "all records");
        };
        await check(
          `${second} carries out what ${first} had decided, and ends what it had open`,
          () => onCopy(second, writer.dataDir, carryOut),
          LIMIT_MS,
        );
      }
    }
  },
};

/**
 * Apache Kafka 4.4, started after a crash on a directory of whomever, now and then calls a decided transaction complete without having
 * written its marker: a race of its start, most often lost by one that starts quickly. What it then hides must still be there.
 */
async function seesDecided(reader, kind, records) {
  const topic = "txn-decided";
  try {
    await until(
      async () => {
        const count = await countRecords(reader, topic, "read_committed");
        expect(count === records, `${count} records of the decided one`);
      },
      { limitMs: 5000, pauseMs: 300 },
    );
  } catch (error) {
    if (kind !== "apache") throw error;
    say("        Apache Kafka has completed it without its marker");
    expect((await countRecords(reader, topic, "read_uncommitted")) === records, "records of the decided one are gone");
  }
}

/** What a consumer of KafkaJS reads, which passes over what is aborted, until it has so many records. */
async function kafkaJsCommitted(kafka, topic, count) {
  const values = [];
  const consumer = kafka.consumer({ groupId: `reads-${topic}`, maxWaitTimeInMs: 100 });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void values.push(String(message.value)) });
    await until(async () => expect(values.length >= count, `${values.length} records`), {
      limitMs: 30_000,
      pauseMs: 100,
    });
  } finally {
    await consumer.disconnect();
  }
  return values;
}

/** Waits until TransactionsCommand shows the id in the state. */
function listed(broker, id, state) {
  const row = new RegExp(`^${id}\\s+1\\s+\\d+\\s+${state}\\b`, "m");
  return until(
    async () => {
      const list = await transactionsCommand(broker, "list");
      expect(row.test(list), list);
    },
    {
      limitMs: 30_000,
      pauseMs: 300,
    },
  );
}
