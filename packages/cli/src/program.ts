import process from "node:process";
import { Argument, Command, Option } from "commander";
import { collect, examples, portNumber, wholeNumber } from "./arguments.ts";
import { addDoctor } from "./doctor-program.ts";
import { ExitCode } from "./exit-code.ts";
import type { Shell } from "./completion.ts";
import { addBroker } from "./broker-program.ts";
import { addCluster } from "./cluster-program.ts";
import { addConfig } from "./config-program.ts";
import { connecting } from "./connecting.ts";
import { addLog } from "./log-program.ts";
import { addGroup } from "./group-program.ts";
import { FORMAT_TOKENS } from "./record-format.ts";
import { addQuota } from "./quota-program.ts";
import { addStorage } from "./storage-program.ts";
import { addTopic } from "./topic-program.ts";
import { addProducer, addTransaction } from "./transaction-program.ts";
import { addUser } from "./user-program.ts";
import { samsaVersion } from "./version.ts";

type Done = (exitCode: ExitCode) => void;

/**
 * The tree of commands. What a command does is loaded when it is called: `samsa --help` waits for nothing else.
 * @param called the first word of the command line. For `start`, where milliseconds count, the other commands are left out
 */
export function samsaProgram(done: Done, called?: string): Command {
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
  if (called === "start") return program;
  addTopic(program, done);
  addProduce(program, done);
  addConsume(program, done);
  addGroup(program, done);
  addConfig(program, done);
  addProducer(program, done);
  addTransaction(program, done);
  addBroker(program, done);
  addCluster(program, done);
  addQuota(program, done);
  addUser(program, done);
  addLog(program, done);
  addStorage(program, done);
  addDoctor(program, done);
  addCompletion(program, done);
  return program;
}

function addStart(program: Command, done: Done): void {
  program
    .command("start")
    .description("run a broker in this terminal")
    .option("--port <port>", "port to listen on, 0 for any free one (default: 9092)", portNumber)
    .option("--host <host>", "address to listen on (default: 127.0.0.1, this machine only)")
    .option("--data-dir <folder>", 'where records are kept; "memory" keeps nothing (default: ./samsa-data)')
    .option(
      "--metrics-port <port>",
      "serve /metrics (Prometheus), /health/live and /health/ready on this port of 127.0.0.1, 0 for any (default: not)",
      portNumber,
    )
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
        "samsa start --metrics-port 9404      # curl localhost:9404/metrics",
      ]),
    )
    .action(async (options) => {
      const { start } = await import("./commands/start.ts");
      done(await start(options));
    });
}

function addCompletion(program: Command, done: Done): void {
  program
    .command("completion")
    .description("print a script that completes samsa's commands and options in a shell")
    .addArgument(new Argument("<shell>", "the shell that reads it").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      examples([
        'eval "$(samsa completion bash)"                                       # in ~/.bashrc',
        'eval "$(samsa completion zsh)"                                        # in ~/.zshrc, after compinit',
        "samsa completion fish > ~/.config/fish/completions/samsa.fish",
      ]),
    )
    .action(async (shell: Shell) => {
      const { completionScript } = await import("./completion.ts");
      process.stdout.write(completionScript(shell, program));
      done(ExitCode.DONE);
    });
}

function addProduce(program: Command, done: Done): void {
  connecting(
    program.command("produce [topic]"),
    "a key of the client's or producer's configuration, e.g. -X linger.ms=50; may be repeated",
  )
    .usage("<topic> [options]")
    .description("send each line of a file or of stdin as a record")
    .option("-k, --key-separator [separator]", "what stands before it in a line is the key (default: a tab)")
    .option("-H, --header <name=value>", "a header for every record; may be repeated", collect)
    .option("-f, --file <file>", "read this file instead of stdin")
    .option("-D, --delimiter <text>", "what ends a record", "\\n")
    .option("-Z, --empty-as-null", "an empty value is null: with a key, a tombstone")
    .option("-p, --partition <number>", "send all to this partition (default: by key, else in turns)", wholeNumber)
    .addOption(
      new Option("-a, --acks <who>", "who must have a record: nobody, the leader, all in sync")
        .choices(["0", "1", "all"])
        .default("all"),
    )
    .addOption(
      new Option("-z, --compression <type>", "how batches are compressed")
        .choices(["none", "gzip", "snappy", "lz4", "zstd"])
        .default("none"),
    )
    .option("--max-request-size <bytes>", "most bytes of a record", wholeNumber, 1_048_576)
    .addHelpText(
      "after",
      examples([
        "echo hello | samsa produce greetings",
        "samsa produce lines -f words.txt -z zstd",
        "printf 'user123:signed up\\n' | samsa produce events -k :",
      ]),
    )
    .action(async (topic: string | undefined, options) => {
      const { produce } = await import("./commands/produce.ts");
      done(await produce(topic, options));
    });
}

function addConsume(program: Command, done: Done): void {
  connecting(
    program.command("consume <topic>"),
    "a key of the client's or consumer's configuration, e.g. -X fetch.min.bytes=1000; may be repeated",
  )
    .description("write the records of a topic to stdout")
    .option("-o, --offset <where>", "where to begin: start, end, N, -N (the last N), @time", "start")
    .option("-n, --count <number>", "stop after so many records", wholeNumber)
    .option("-e, --exit", "stop at the end of each partition as it is now")
    .option("-f, --format <format>", "how a record is written (default: %s\\n)")
    .option("--json", "a JSON object a record, a line each")
    .option("-p, --partition <number>", "only this partition; may be repeated", collectNumbers)
    .option("-g, --group <name>", "as a member of this group: go on where it is, and commit what was written")
    .addOption(
      new Option("--isolation <level>", "whether to show what was aborted or is not yet committed")
        .choices(["read_uncommitted", "read_committed"])
        .default("read_uncommitted"),
    )
    .addHelpText("after", consumeHelp)
    .action(async (topic: string, options) => {
      const { consume } = await import("./commands/consume.ts");
      done(await consume(topic, options));
    });
}

function consumeHelp(): string {
  const tokens = Object.entries(FORMAT_TOKENS).map(([token, meaning]) => `  ${token.padEnd(20)} ${meaning}`);
  const times = [
    "  @1700000000000       milliseconds since 1970",
    "  @2026-01-31T12:00Z   a date",
    "  @-15m                back from now, in ms, s, m, h or d",
  ];
  return [
    `\nFormat:\n${tokens.join("\n")}`,
    `\nTimes:\n${times.join("\n")}`,
    examples([
      "samsa consume greetings",
      "samsa consume lines -e > words.txt",
      "samsa consume events -o -10 -e -f '%p %o %k %s\\n'",
      "samsa consume events -o @-1h --json | jq .value",
      "samsa consume orders -g billing",
    ]),
  ].join("\n");
}

function collectNumbers(value: string, previous: readonly number[] = []): readonly number[] {
  return [...previous, wholeNumber(value)];
}
