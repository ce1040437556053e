/**
 * Writes random messages of every version with our codecs, and lets Apache Kafka's generated classes read them and write them
 * again: all must come back byte for byte. Needs a JDK of 17 or later and the jars of Kafka's server, clients and streams:
 *
 *   npm run build && node packages/protocol/test-fixtures/against-apache/run.mjs FOLDER_OF_JARS ... [--runs 25] [--seed N]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ByteWriter } from "@samsa/base";
import fc from "fast-check";
import { loadMessages } from "../../dist/testing/message-schemas.js";
import { MessageModel } from "../../dist/testing/model-message.js";

const { positionals: folders, values } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "25" }, seed: { type: "string", default: String(Date.now() % 2 ** 31) } },
});
const seed = Number(values.seed);
const jars = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".jar"))
    .map((file) => resolve(folder, file)),
);

const lines = [];
for (const { schema, codec, versions } of await loadMessages()) {
  const isOnTheWire = ["request", "response", "header"].includes(schema.kind);
  const model = new MessageModel(schema);
  for (const version of versions) {
    const samples = fc.sample(model.arbitrary(version), { numRuns: Number(values.runs), seed });
    for (const fields of [{}, ...samples]) {
      const writer = new ByteWriter();
      codec.write(writer, codec.create(fields), version);
      const hex = Buffer.from(writer.toBytes()).toString("hex");
      lines.push(`${schema.name}${isOnTheWire ? "Data" : ""} ${version} ${hex}`);
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), "samsa-messages-"));
try {
  const file = join(folder, "messages.txt");
  writeFileSync(file, lines.join("\n"));
  const program = fileURLToPath(new URL("Messages.java", import.meta.url));
  const run = spawnSync("java", ["-Xmx512m", "-cp", jars.join(":"), program, file], {
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  if (run.error !== undefined) throw run.error;
  const isEqual = run.stdout.endsWith(`${lines.length} equal\n`) && run.status === 0;
  process.stdout.write(isEqual ? `${lines.length} messages came back equal (seed ${seed})\n` : run.stdout + run.stderr);
  if (!isEqual) process.stdout.write(`not all ${lines.length} messages came back equal (seed ${seed})\n`);
  process.exitCode = isEqual ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
