// librdkafka of today, through confluent-kafka from PyPI: its wheel holds the library, and nothing is built.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CACHE } from "../apache-kafka/kafka.mjs";
import { runProgram } from "./process.mjs";

export const CONFLUENT_KAFKA_VERSION = "2.16.1"; // librdkafka 2.16.0
const FOLDER = join(CACHE, `confluent-kafka-${CONFLUENT_KAFKA_VERSION}`);
const PYTHON = join(FOLDER, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "../python/transactions.py");

/** What keeps this machine from running it, as a sentence; undefined when nothing does. Fetched the first time. */
export function missingForLibrdkafka() {
  if (existsSync(join(FOLDER, "complete"))) return undefined;
  mkdirSync(dirname(FOLDER), { recursive: true });
  const made = spawnSync("python3", ["-m", "venv", FOLDER], { encoding: "utf8" });
  if (made.status !== 0) return "no python3 with venv: install them (Debian and Ubuntu: python3-venv)";
  const args = ["-m", "pip", "install", "-q", "--only-binary", ":all:", `confluent-kafka==${CONFLUENT_KAFKA_VERSION}`];
  const installed = spawnSync(PYTHON, args, { encoding: "utf8" });
  if (installed.status !== 0) return `no confluent-kafka from PyPI: ${installed.stderr.trim().split("\n").at(-1)}`;
  writeFileSync(join(FOLDER, "complete"), "");
  return undefined;
}

/** Runs `compat/python/transactions.py`; the lines it says. */
export async function librdkafkaTransactions(broker) {
  const { stdout } = await runProgram(PYTHON, [PROGRAM, broker.bootstrap], { limitMs: 240_000 });
  return stdout.trim().split("\n");
}
