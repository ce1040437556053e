import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import type { RunningBroker } from "@samsa/server";
import { startBroker } from "@samsa/server";
import { Samsa } from "./samsa.ts";

export interface SamsaWithBroker {
  readonly broker: RunningBroker;
  readonly samsa: Samsa;
  readonly folder: string; // where commands run; empty
  /** What a command that must end well wrote. */
  readonly done: (line: string, ...words: readonly string[]) => Promise<string>;
  /** The same of a command that tells one object a line, as objects. */
  readonly objects: (line: string) => Promise<Record<string, unknown>[]>;
}

/** A broker in memory and command lines that know where it is, until the tests of the file are over. */
export async function samsaWithBroker(properties: Readonly<Record<string, string>> = {}): Promise<SamsaWithBroker> {
  const folder = mkdtempSync(path.join(tmpdir(), "samsa-cli-"));
  const broker = await startBroker({ port: 0, dataDir: "memory", properties });
  const samsa = new Samsa(folder, { SAMSA_BOOTSTRAP_SERVER: broker.bootstrapServers });
  after(async () => {
    samsa.close();
    await broker.close();
    rmSync(folder, { recursive: true, force: true });
  });
  async function done(line: string, ...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await samsa.run(line, ...words);
    assert.equal(exitCode, 0, `${line}: ${stderr}`);
    return stdout;
  }
  async function objects(line: string): Promise<Record<string, unknown>[]> {
    const lines = (await done(`${line} --json`)).trimEnd().split("\n");
    return lines.filter((one) => one !== "").map((one) => JSON.parse(one) as Record<string, unknown>);
  }
  return { broker, samsa, folder, done, objects };
}
