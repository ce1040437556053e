// `samsa log dump` and Apache Kafka's DumpLogSegments on the same files, line by line; `samsa storage format` and StorageTool on
// directories that are alike. Files of the broker under test, and those in packages/log/fixtures, which Kafka wrote.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { classpath, singleNodeProperties, toolArguments, writeProperties } from "../apache-kafka/kafka.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";

const CLI = fileURLToPath(new URL("../../packages/cli/bin/samsa.js", import.meta.url));
const FIXTURES = fileURLToPath(new URL("../../packages/log/fixtures/", import.meta.url));
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const CLUSTER_ID = "c2Ftc2EtY29tcGF0LWFrYQ";

/** The files below a folder whose names match, by name. */
function filesBelow(folder, pattern) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

async function compare(files, ...options) {
  expect(files.length > 0, "no file to compare");
  const list = ["--files", files.join(",")];
  const kafka = await runProgram(
    "java",
    toolArguments("org.apache.kafka.tools.DumpLogSegments", [...options, ...list]),
  );
  const ours = await samsa(["log", "dump", ...options, ...list], [0, 1]);
  expectSameLines(kafka.stdout, ours.stdout);
  // Kafka's maps tell files in no order, and we in the order in which they were named.
  expectSameLines(sorted(kafka.stderr), sorted(ours.stderr));
  return ours.stdout;
}

/** Runs our command line; DumpLogSegments ends with 0 whatever it finds, and `dump` with 1 where something does not agree. */
async function samsa(args, codes = [0]) {
  const script = `process.exitCode = 0; const { spawnSync } = require("node:child_process");
    const run = spawnSync(process.execPath, process.argv.slice(1), { encoding: "utf8", maxBuffer: 1 << 28 });
    process.stdout.write(run.stdout); process.stderr.write(run.stderr);
    if (!${JSON.stringify(codes)}.includes(run.status)) process.exitCode = run.status ?? 9;`;
  return runProgram(process.execPath, ["-e", script, CLI, ...args]);
}

function sorted(text) {
  return text.split("\n").sort().join("\n");
}

function expectSameLines(kafka, ours) {
  const expected = kafka.split("\n");
  const found = ours.split("\n");
  const at = expected.findIndex((line, index) => line !== found[index]);
  expect(at < 0, `line ${at + 1}:\n  Kafka: ${expected[at]}\n  Samsa: ${found[at]}`);
  expect(expected.length === found.length, `Kafka has ${expected.length} lines, Samsa ${found.length}`);
}

async function storageTool(args) {
  const java = ["-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath("server")];
  return runProgram("java", [...java, "kafka.tools.StorageTool", ...args]);
}

/** What differs from one formatting to the next. */
function withoutIds(text, folder) {
  return text.replaceAll(folder, "DIR").replaceAll(/directory\.id=[\w-]{22}/g, "directory.id=ID");
}

async function checkFormatting({ check, scratch }) {
  const formatted = (who) => {
    const folder = join(scratch, `format-${who}`);
    const properties = singleNodeProperties(folder, 19_092, { "log.dirs": `${folder}/a,${folder}/b` });
    return { folder, file: writeProperties(folder, properties) };
  };
  const [kafka, ours] = [formatted("kafka"), formatted("samsa")];
  const format = (file) => ["format", "-t", CLUSTER_ID, "-c", file, "--standalone"];

  await check("storage format says and makes what StorageTool says and makes", async () => {
    const theirs = await storageTool(format(kafka.file));
    const own = await samsa(["storage", ...format(ours.file)]);
    // Kafka takes the directories in the order of a hash table.
    expectSameLines(sorted(withoutIds(theirs.stdout, kafka.folder)), sorted(withoutIds(own.stdout, ours.folder)));
    const names = (folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort().join(" ");
    expect(names(kafka.folder) === names(ours.folder), `${names(kafka.folder)}\n${names(ours.folder)}`);
  });

  await check("storage info says of either what StorageTool says", async () => {
    for (const { file } of [kafka, ours]) {
      const theirs = await storageTool(["info", "-c", file]);
      const own = await samsa(["storage", "info", "-c", file]);
      expectSameLines(theirs.stdout, own.stdout);
    }
  });

  await check("dump reads the bootstrap snapshot of either as DumpLogSegments does", async () => {
    const files = [kafka, ours].flatMap(({ folder }) => filesBelow(folder, /\.checkpoint$/));
    await compare(files, "--cluster-metadata-decoder");
  });
}

export const suite = {
  title: "dump",
  needs: ["kcat", "java"],

  async run({ check, startBroker, corpus, scratch }) {
    const broker = await startBroker({ "log.segment.bytes": "1048576" });
    for (const codec of CODECS) {
      const produce = [
        "-P",
        "-t",
        `dump-${codec}`,
        "-p",
        "0",
        "-z",
        codec,
        "-H",
        "a=b",
        "-H",
        "c=d",
        "-l",
        corpus.file,
      ];
      await runProgram("kcat", ["-b", broker.bootstrap, ...produce]);
    }
    await broker.stop();

    const topics = CODECS.flatMap((codec) =>
      filesBelow(join(broker.dataDir, `dump-${codec}-0`), /^0.*(log|index|snapshot)$/),
    );
    await check("logs, indexes and snapshots of topics in every codec, record by record", async () => {
      const text = await compare(topics, "--print-data-log");
      expect(/^\| offset: .* payload: /m.test(text), "no record was shown");
    });
    await check("the sanity check of indexes", () =>
      compare(
        topics.filter((file) => file.endsWith("index")),
        "--index-sanity-check",
      ),
    );
    await check("a log to its first bytes, keys and values alone", () =>
      compare(
        topics.filter((file) => file.endsWith(".log")),
        "--max-bytes",
        "100000",
        "--print-data-log",
        "--skip-record-metadata",
      ),
    );
    await check("the metadata log, and its snapshots", async () => {
      const text = await compare(
        filesBelow(join(broker.dataDir, "__cluster_metadata-0"), /\.(log|checkpoint)$/),
        "--cluster-metadata-decoder",
      );
      expect(text.includes('"type":"TOPIC_RECORD"'), "no record of a topic was shown");
    });
    for (const decoder of ["offsets", "transaction-log", "share-group-state", "cluster-metadata"]) {
      await check(`what Apache Kafka's coordinators wrote, with --${decoder}-decoder`, () =>
        compare(filesBelow(join(FIXTURES, "dump", decoder), /\.(log|checkpoint)$/), `--${decoder}-decoder`),
      );
    }
    await check("transactions of Apache Kafka, with markers, snapshots and indexes of what was aborted", () =>
      compare(filesBelow(join(FIXTURES, "producers"), /-0\/0.*(log|index|snapshot)$/), "--deep-iteration"),
    );
    await checkFormatting({ check, scratch });
    await broker.start();
  },
};
