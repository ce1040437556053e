import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { ScramMechanism } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { CommandError, ExitCode, UsageError } from "../exit-code.ts";
import type { Deed } from "../outcomes.ts";
import { actOnOne } from "../outcomes.ts";
import { printRows } from "../rows.ts";
import { isTerminal, say } from "../talk.ts";

interface UserOptions extends ConnectOptions {
  readonly mechanism?: ScramMechanism;
  readonly password?: string;
  readonly iterations?: number;
  readonly json?: boolean;
}

export async function listUsers(names: readonly string[], options: UserOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const results = await kafka.admin().describeUserScramCredentials(names.length === 0 ? undefined : names);
    results.all();
    const rows = [...results.found].map(([name, credentials]) => ({ name, credentials }));
    printRows(
      rows,
      {
        USER: (row) => row.name,
        CREDENTIALS: (row) =>
          row.credentials.map(({ mechanism, iterations }) => `${mechanism} (${iterations} iterations)`),
      },
      options,
    );
    if (rows.length === 0) say("no users yet; samsa user set NAME makes one");
    return ExitCode.DONE;
  });
}

/** Kafka's, and the fewest that it takes. */
const DEFAULT_ITERATIONS = 4096;

export async function setUser(name: string, options: UserOptions): Promise<ExitCode> {
  const { mechanism = "SCRAM-SHA-512", iterations = DEFAULT_ITERATIONS } = options;
  const password = options.password ?? (await readPassword(name));
  if (password === "") throw new UsageError("the password is empty");
  return await withKafka(options, async (kafka) => {
    const work = async (): Promise<Deed> => {
      await kafka.admin().alterUserScramCredentials([{ user: name, mechanism, password, iterations }]);
      return { said: `set the password of ${name} for ${mechanism}` };
    };
    return await actOnOne({ name, credentials: [{ mechanism, iterations }] }, work, options);
  });
}

export async function deleteUser(name: string, options: UserOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const work = async (): Promise<Deed> => {
      const found = (await admin.describeUserScramCredentials([name])).get(name) ?? [];
      const mechanisms =
        options.mechanism === undefined
          ? found.map(({ mechanism }) => mechanism).filter((mechanism) => mechanism !== "unknown")
          : [options.mechanism];
      await admin.alterUserScramCredentials(mechanisms.map((mechanism) => ({ user: name, mechanism, delete: true })));
      const credentials = found.filter(({ mechanism }) => mechanisms.some((one) => one === mechanism));
      return { said: `deleted the password of ${name} for ${mechanisms.join(", ")}`, facts: { credentials } };
    };
    return await actOnOne({ name, credentials: null }, work, options);
  });
}

/** From a person without showing it, or the first line of stdin. */
async function readPassword(name: string): Promise<string> {
  const isPerson = process.stdin.isTTY && isTerminal();
  if (!isPerson) {
    for await (const line of createInterface({ input: process.stdin })) return line;
    throw new UsageError("the password is missing: it is read from stdin, or given with --password");
  }
  const lines = createInterface({ input: process.stdin, terminal: true }); // without an output nothing is echoed
  try {
    const ask = async (question: string): Promise<string> => {
      process.stderr.write(question);
      const answer = await lines.question("");
      process.stderr.write("\n");
      return answer;
    };
    const password = await ask(`Password of ${name}: `);
    if ((await ask("Once more: ")) !== password) {
      throw new CommandError(ExitCode.KAFKA_ERROR, "the two are not the same; nothing was changed");
    }
    return password;
  } finally {
    lines.close();
  }
}
