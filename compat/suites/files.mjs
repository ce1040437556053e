// Apache Kafka's DumpLogSegments reads the files the broker wrote: logs record by record, indexes against their log.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { CORPUS_LINES } from "../lib/corpus.mjs";
import { expect } from "../lib/harness.mjs";
import { createKafkaJs, withAdmin } from "../lib/kafkajs.mjs";
import { runProgram } from "../lib/process.mjs";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const SEGMENT_BYTES = 1_048_576; // the least Kafka allows, so that the corpus rolls a few
const SMALL_BATCH = 500;
const COMPLAINTS = [
  /isvalid: false/,
  /Found timestamp mismatch/,
  /Found out of order timestamp/,
  /Mismatches in/,
  /^ +(?!-1 )-?\d+ is followed by \d+/, // every segment but the first is said to follow -1
  /Found \d+ invalid bytes/,
  /CorruptIndexException|CorruptRecordException|InvalidRecordException/,
];

async function dump(files, ...more) {
  const args = ["--deep-iteration", "--files", files.join(","), ...more];
  const { stdout, stderr } = await runProgram("java", toolArguments("org.apache.kafka.tools.DumpLogSegments", args), {
    limitMs: 110_000,
  });
  const complaint = `${stdout}\n${stderr}`.split("\n").find((line) => COMPLAINTS.some((pattern) => pattern.test(line)));
  expect(complaint === undefined, `DumpLogSegments says: ${complaint}`);
  return stdout;
}

function filesOf(broker, topic, ending) {
  const folder = join(broker.dataDir, `${topic}-0`);
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(folder, name));
}

/** kcat sends a batch of a line or two as it is when compression makes it no smaller, and when it does so is a matter of time. */
function isOfCodec(line, codec) {
  const size = Number(/ size: (\d+) /.exec(line)?.[1]);
  return line.includes(`compresscodec: ${codec} `) || (size < SMALL_BATCH && line.includes("compresscodec: none "));
}

async function checkLogs({ check, broker, topics }) {
  for (const { topic, codec } of topics) {
    await check(`DumpLogSegments --deep-iteration reads every record of ${topic}`, async () => {
      const text = await dump(filesOf(broker, topic, ".log"));
      const records = text.match(/^\| offset: /gm) ?? [];
      expect(records.length === CORPUS_LINES, `${records.length} records of ${CORPUS_LINES}`);
      const batches = text.match(/^baseOffset: .*$/gm) ?? [];
      const other = batches.find((line) => !isOfCodec(line, codec) || !line.includes("isvalid: true"));
      expect(batches.length > 0 && other === undefined, `a batch is not a valid one of ${codec}: ${other}`);
    });
    for (const ending of [".index", ".timeindex"]) {
      await check(`DumpLogSegments finds the ${ending} files of ${topic} in agreement with the log`, async () => {
        const files = filesOf(broker, topic, ending);
        const text = await dump(files);
        const entries =
          text.match(ending === ".index" ? /^offset: \d+ position: \d+/gm : /^timestamp: \d+ offset: \d+/gm) ?? [];
        expect(entries.length > files.length, `only ${entries.length} entries in ${files.length} files`);
        const sane = await dump(files, "--index-sanity-check");
        const passed = sane.match(/passed sanity check/g) ?? [];
        expect(passed.length === files.length, sane);
      });
    }
  }
}

export const suite = {
  title: "files",
  needs: ["kcat", "java"],

  async run({ check, startBroker, corpus }) {
    const broker = await startBroker();
    const topics = CODECS.map((codec) => ({ codec, topic: `files-${codec}` }));
    const configEntries = [{ name: "segment.bytes", value: String(SEGMENT_BYTES) }];
    await withAdmin(createKafkaJs(broker.bootstrap), (admin) =>
      admin.createTopics({ topics: topics.map(({ topic }) => ({ topic, numPartitions: 1, configEntries })) }),
    );
    for (const { topic, codec } of topics) {
      const produce = ["-P", "-t", topic, "-p", "0", "-z", codec, "-X", "batch.size=65536", "-l", corpus.file];
      await runProgram("kcat", ["-b", broker.bootstrap, ...produce]);
    }

    await check("the log of an uncompressed topic rolled into several segments", async () => {
      const count = filesOf(broker, "files-none", ".log").length;
      expect(count >= 3, `${count} segments of ${SEGMENT_BYTES} bytes hold ${corpus.bytes} bytes of text`);
    });

    await broker.kill();
    await broker.start();
    await broker.stop();
    await checkLogs({ check, broker, topics });
    await broker.start();
  },
};
