#!/usr/bin/env node
// Apache Kafka as the thing we compare ourselves with: fetched with Maven by coordinates, run with Java 17 or later.
//
//   node compat/apache-kafka/kafka.mjs fetch
//   node compat/apache-kafka/kafka.mjs start DIR PORT [key=value ...]     one node, broker and controller, on 127.0.0.1
//   node compat/apache-kafka/kafka.mjs tool CLASS [ARGUMENT ...]          e.g. org.apache.kafka.tools.TopicCommand
//   node compat/apache-kafka/kafka.mjs dump FILE ...                      DumpLogSegments over logs, indexes, snapshots
//
// Jars are kept in $SAMSA_COMPAT_CACHE, else in the user's cache folder.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const SERVER_VERSION = "4.4.0";
export const TOOLS_VERSION = "4.3.1";
/** Brokers of days gone by, for what a client must still speak: the last with ZooKeeper's protocol versions, and the first with KRaft. */
export const OLD_VERSIONS = ["3.9.1", "2.8.2"];

const HERE = dirname(fileURLToPath(import.meta.url));
/** Where what is fetched is kept. */
export const CACHE =
  process.env.SAMSA_COMPAT_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "samsa-compat");
const PARTS = { server: SERVER_VERSION, tools: TOOLS_VERSION };
const OLD_PARTS = Object.fromEntries(OLD_VERSIONS.map((version) => [version, version]));
const NEEDED = Object.keys(PARTS);

/** Where the jars of one part lie. The version is in the name, so a new version is fetched beside the old one. */
function folderOf(part) {
  return join(CACHE, `apache-kafka-${part in OLD_PARTS ? "old" : part}-${PARTS[part] ?? OLD_PARTS[part]}`);
}

/** A classpath entry of Java's wildcard form; the parts named first win where both hold a class. */
export function classpath(...parts) {
  return parts.map((part) => join(folderOf(part), "*")).join(":");
}

function answers(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** What keeps this machine from running Apache Kafka, as a sentence; undefined when nothing does. */
export function missingForApacheKafka(parts = NEEDED) {
  if (!answers("javac", ["-version"])) return "no javac: install a JDK, 17 or later";
  if (parts.every((part) => existsSync(join(folderOf(part), "complete")))) return undefined;
  if (!answers("mvn", ["-v"])) return "no mvn: install Maven, which fetches Apache Kafka's jars";
  return undefined;
}

/** Fetches what is not here yet: a server and its tools, or old versions of the server. Throws with Maven's own words when that fails. */
export function fetchApacheKafka(parts = NEEDED) {
  const missing = missingForApacheKafka(parts);
  if (missing !== undefined) throw new Error(missing);
  for (const part of parts) {
    const folder = folderOf(part);
    if (existsSync(join(folder, "complete"))) continue;
    mkdirSync(folder, { recursive: true });
    process.stderr.write(`fetching Apache Kafka ${PARTS[part] ?? part} (${part in PARTS ? part : "server"})\n`);
    const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${folder}`, `-Dkafka.version=${part}`];
    const pom = join(HERE, `${part in PARTS ? part : "old"}.pom.xml`);
    const run = spawnSync("mvn", ["-q", "-B", "-f", pom, ...goal], { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`Maven could not fetch Apache Kafka:\n${run.stdout}${run.stderr}`);
    writeFileSync(join(folder, "complete"), "");
  }
  if (parts.includes("tools")) compilePrograms();
}

const JAVA = join(HERE, "../java");
const sources = () => readdirSync(JAVA).map((name) => join(JAVA, name));

/** Where the programs of compat/java are kept compiled, by what is in them: each is started many times. */
function programsJar() {
  const hash = createHash("sha256").update(TOOLS_VERSION);
  for (const file of sources()) hash.update(readFileSync(file));
  return join(CACHE, `programs-${hash.digest("hex").slice(0, 16)}.jar`);
}

function compilePrograms() {
  const jar = programsJar();
  if (existsSync(jar)) return;
  const made = mkdtempSync(`${jar}-`);
  for (const [command, ...args] of [
    ["javac", "-cp", classpath("tools"), "-d", made, ...sources()],
    ["jar", "--create", "--file", `${made}.jar`, "-C", made, "."],
  ]) {
    const run = spawnSync(command, args, { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`${command} failed for compat/java:\n${run.stdout}${run.stderr}`);
  }
  renameSync(`${made}.jar`, jar);
  rmSync(made, { recursive: true });
}

const logging = () => [`-Dorg.slf4j.simpleLogger.defaultLogLevel=${process.env.KAFKA_LOG_LEVEL ?? "error"}`];

/**
 * What a JVM is told that lives for seconds: to start quickly, whatever becomes of its speed. SAMSA_COMPAT_JVM=brief says so for
 * every JVM a process starts; where speed is measured it is not set.
 */
const BRIEF_JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable", "-Xlog:all=error:stderr"];
const isBrief = () => process.env.SAMSA_COMPAT_JVM === "brief";

/** @param part whose classes are loaded */
function briefly(part) {
  if (!isBrief()) return [];
  const archive = classArchive(part);
  return existsSync(archive) ? [...BRIEF_JVM, `-XX:SharedArchiveFile=${archive}`] : BRIEF_JVM;
}

/** Classes of one part as a JVM had them in memory when it ended: with them the next needs half the time to start. */
function classArchive(part) {
  return part === "tools" ? programsJar().replace(/jar$/, "jsa") : join(folderOf(part), "classes.jsa");
}

/**
 * Makes the archives that are missing, by a server and by tools that do a little of everything. They belong to the JVM that made
 * them; another one does without.
 */
export async function makeClassArchives(port) {
  if (["server", "tools"].every((part) => existsSync(classArchive(part)))) return;
  const dir = mkdtempSync(join(CACHE, "archive-"));
  const archiving = (part) => [...BRIEF_JVM, `-XX:ArchiveClassesAtExit=${classArchive(part)}`];
  const run = (args) => {
    const child = spawn("java", args, { stdio: "ignore" });
    child.ended = new Promise((resolve) => child.once("exit", resolve));
    return child;
  };
  const file = writeProperties(dir, singleNodeProperties(dir, port));
  formatStorage(file, ["--standalone"]);
  const server = run(serverArguments(file, archiving("server")));
  const at = ["--bootstrap-server", `127.0.0.1:${port}`];
  const records = ["--topic", "archived", "--num-records", "1"];
  const steps = [
    ["TopicCommand", ...at, "--create", "--topic", "archived"],
    ["TopicCommand", ...at, "--describe"],
    ["GetOffsetShell", ...at],
    ["TransactionsCommand", ...at, "list"],
    ["consumer.group.ConsumerGroupCommand", ...at, "--list"],
    ["ProducerPerformance", ...at, ...records, "--throughput", "-1", "--record-size", "1"],
    ["ConsumerPerformance", ...at, ...records, "--timeout", "100"],
    ["DumpLogSegments", "--deep-iteration", "--files", join(dir, "data/archived-0/00000000000000000000.log")],
  ];
  const list = join(dir, "steps.txt");
  const line = ([name, ...args]) => [`org.apache.kafka.tools.${name}`, ...args].map((word) => btoa(word)).join(" ");
  writeFileSync(list, steps.map(line).join("\n"));
  await run([...archiving("tools"), ...logging(), "-cp", toolsClasspath(), "Tools", list]).ended;
  server.kill("SIGTERM");
  await server.ended;
  rmSync(dir, { recursive: true });
}

const toolsClasspath = () => `${classpath("tools")}:${programsJar()}`;

/** The arguments for `java` that run a class of the tools or a program of compat/java. */
export function toolArguments(className, args) {
  return ["-Xmx512m", ...briefly("tools"), ...logging(), "-cp", toolsClasspath(), className, ...args];
}

/** The heap and the collector Kafka's own start script asks for. */
const SERVER_JVM = [
  ..."-Xms1G -Xmx1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35".split(" "),
  "-XX:+ExplicitGCInvokesConcurrent",
  "-Djava.awt.headless=true",
];
const serverJvm = () => (isBrief() ? ["-Xmx1G", ...briefly("server")] : SERVER_JVM);

/** @param part "server", or one of OLD_VERSIONS */
export function serverArguments(propertiesFile, jvm = serverJvm(), part = "server") {
  return [...jvm, ...logging(), "-cp", classpath(part), "kafka.Kafka", propertiesFile];
}

/** The properties of a cluster of one node: internal topics with one replica, loopback listeners. */
export function singleNodeProperties(dir, port, overrides = {}) {
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${port + 1}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": join(dir, "data"),
    ...internalTopicsOfOneReplica(),
    ...overrides,
  };
}

/** The same for versions before dynamic quorums: who votes stands in the configuration. */
export function oldSingleNodeProperties(dir, port, overrides = {}) {
  const { "controller.quorum.bootstrap.servers": voter, ...rest } = singleNodeProperties(dir, port, overrides);
  const map = { "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT" }; // which 2.8 does not know by itself
  return { ...map, ...rest, "controller.quorum.voters": `1@${voter}` };
}

export function internalTopicsOfOneReplica() {
  const keys = [
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
  ];
  return Object.fromEntries(keys.map((key) => [key, "1"]));
}

/** Writes `server.properties` into `dir` and returns its path. */
export function writeProperties(dir, properties) {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "server.properties");
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(file, lines.join(""));
  return file;
}

/** Formats the log directories named in the properties. `how` is for instance `["--standalone"]`. */
export function formatStorage(propertiesFile, how, part = "server") {
  const tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", propertiesFile, "--ignore-formatted"];
  const run = spawnSync("java", ["-Xmx256m", ...briefly(part), ...logging(), "-cp", classpath(part), ...tool, ...how], {
    encoding: "utf8",
  });
  if (run.status !== 0) throw new Error(`StorageTool refused to format:\n${run.stdout}${run.stderr}`);
}

const CLUSTER_ID = "c2Ftc2EtY29tcGF0LWFrYQ";

function main([verb, ...rest]) {
  const java = (args) => {
    const child = spawn("java", args, { stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
    child.on("exit", (code) => process.exit(code ?? 1));
  };
  const known = ["fetch", "start", "tool", "dump"];
  if (!known.includes(verb)) {
    process.stderr.write("usage: kafka.mjs fetch | start DIR PORT [key=value ...] | tool CLASS ... | dump FILE ...\n");
    process.exit(2);
  }
  fetchApacheKafka();
  if (verb === "start") {
    const [dir, port, ...pairs] = rest;
    const overrides = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
    const file = writeProperties(dir, singleNodeProperties(dir, Number(port), overrides));
    formatStorage(file, ["--standalone"]);
    java(serverArguments(file));
  } else if (verb === "tool") {
    java(toolArguments(rest[0], rest.slice(1)));
  } else if (verb === "dump") {
    java(toolArguments("org.apache.kafka.tools.DumpLogSegments", ["--deep-iteration", "--files", rest.join(",")]));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
