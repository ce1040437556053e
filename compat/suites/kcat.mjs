// kcat, the command line of librdkafka: what most clients outside Java are built on.
import { join } from "node:path";
import { CORPUS_LINES, expectSameFile } from "../lib/corpus.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

export const suite = {
  title: "kcat",
  needs: ["kcat"],

  async run({ check, startBroker, corpus, scratch }) {
    const broker = await startBroker();
    const kcat = (...args) => runProgram("kcat", ["-b", broker.bootstrap, ...args]);
    const consume = (topic, file) =>
      runProgram("kcat", ["-b", broker.bootstrap, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"], {
        outputFile: file,
      });

    for (const codec of CODECS) {
      await check(`${CORPUS_LINES} lines written with ${codec} come back byte for byte`, async () => {
        const topic = `kcat-${codec}`;
        await kcat("-P", "-t", topic, "-p", "0", "-z", codec, "-l", corpus.file);
        const back = join(scratch, `${topic}.txt`);
        await consume(topic, back);
        await expectSameFile(corpus.file, back);
      });
    }

    await check("an idempotent producer writes each line once and in order", async () => {
      await kcat("-P", "-t", "kcat-idempotent", "-p", "0", "-X", "enable.idempotence=true", "-l", corpus.file);
      const back = join(scratch, "kcat-idempotent.txt");
      await consume("kcat-idempotent", back);
      await expectSameFile(corpus.file, back);
    });

    for (const acks of ["0", "1"]) {
      await check(`lines written with acks=${acks} come back byte for byte`, async () => {
        const topic = `kcat-acks-${acks}`;
        await kcat("-P", "-t", topic, "-p", "0", "-X", `acks=${acks}`, "-l", corpus.file);
        const back = join(scratch, `${topic}.txt`);
        await consume(topic, back);
        await expectSameFile(corpus.file, back);
      });
    }

    await check("keys, headers and an empty value survive the way there and back", async () => {
      const produce = [
        "-P",
        "-t",
        "kcat-parts",
        "-p",
        "0",
        "-K",
        ":",
        "-Z",
        "-H",
        "origin=kcat",
        "-H",
        "twice=1",
        "-H",
        "twice=2",
      ];
      await runProgram("kcat", ["-b", broker.bootstrap, ...produce], { input: "gregor:samsa\ngrete:\n" });
      const format = "%o|%k|%S|%s|%h\n";
      const { stdout } = await kcat("-C", "-t", "kcat-parts", "-p", "0", "-o", "beginning", "-e", "-q", "-f", format);
      const headers = "origin=kcat,twice=1,twice=2";
      expect(stdout === `0|gregor|5|samsa|${headers}\n1|grete|-1||${headers}\n`, `kcat printed:\n${stdout}`);
    });

    await check("the metadata names the topic, its partition and this broker", async () => {
      const { stdout } = await kcat("-L", "-J", "-t", "kcat-none");
      const metadata = JSON.parse(stdout);
      expect(metadata.brokers.length === 1, `${metadata.brokers.length} brokers`);
      expect(metadata.brokers[0].name === broker.bootstrap, `the broker is called ${metadata.brokers[0].name}`);
      const [topic] = metadata.topics;
      expect(topic.topic === "kcat-none" && topic.partitions.length === 1, JSON.stringify(topic));
      expect(topic.partitions[0].leader === metadata.brokers[0].id, JSON.stringify(topic));
    });

    await check("an offset can be asked for by time, by -1 and by -2", async () => {
      const lines = [];
      for (const time of ["1", "-1", "-2"]) {
        const { stdout } = await kcat("-Q", "-t", `kcat-none:0:${time}`);
        lines.push(stdout.trim().split(" ").at(-1));
      }
      expect(lines.join() === `0,${CORPUS_LINES},0`, `the offsets were ${lines.join()}`);
    });

    await check(
      "a consumer at the end of the log is woken by the next record",
      async () => {
        const waiting = kcat(
          "-C",
          "-t",
          "kcat-none",
          "-p",
          "0",
          "-o",
          "end",
          "-c",
          "1",
          "-q",
          "-X",
          "fetch.wait.max.ms=20000",
        );
        const timer = setInterval(() => {
          runProgram("kcat", ["-b", broker.bootstrap, "-P", "-t", "kcat-none", "-p", "0"], {
            input: "wake up\n",
          }).catch(() => {});
        }, 1000);
        try {
          const { stdout } = await waiting;
          expect(stdout === "wake up\n", `kcat printed ${JSON.stringify(stdout)}`);
        } finally {
          clearInterval(timer);
        }
      },
      20_000,
    );
  },
};
