import { Command, InvalidArgumentError } from "commander";
import type { ExitCode } from "./exit-code.ts";
import { samsaVersion } from "./version.ts";

type Done = (exitCode: ExitCode) => void;

/** The tree of commands. What a command does is loaded when it is called: `samsa --help` waits for nothing else. */
export function samsaProgram(done: Done): Command {
  const program = new Command("samsa")
    .description("Kafka in TypeScript: a broker and its tools, without JVM and without Docker")
    .version(samsaVersion(), "-V, --version", "print the version")
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError("(samsa --help lists what there is)")
    .addHelpText(
      "after",
      examples(["samsa start", "samsa topic create greetings", "samsa consume greetings -o start"]),
    );
  addStart(program, done);
  return program;
}

function addStart(program: Command, done: Done): void {
  program
    .command("start")
    .description("run a broker in this terminal")
    .option("--port <port>", "port to listen on, 0 for any free one (default: 9092)", portNumber)
    .option("--host <host>", "address to listen on (default: 127.0.0.1, this machine only)")
    .option("--data-dir <folder>", 'where records are kept; "memory" keeps nothing (default: ./samsa-data)')
    .option("--brokers <count>", "how many brokers; one for the time being", wholeNumber, 1)
    .option(
      "-X, --property <key=value>",
      "a configuration key of Kafka's, e.g. -X num.partitions=3; may be repeated",
      collect,
    )
    .option("--config <file>", "a server.properties file; -X and the options above go before it")
    .addHelpText(
      "after",
      examples([
        "samsa start",
        "samsa start --port 0 --data-dir memory",
        "samsa start -X num.partitions=3 -X auto.create.topics.enable=false",
        "samsa start --config server.properties",
      ]),
    )
    .action(async (options) => {
      const { start } = await import("./commands/start.ts");
      done(await start(options));
    });
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/u.test(text)) throw new InvalidArgumentError("A whole number is wanted.");
  return Number(text);
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}
