import type { Command } from "commander";
import { examples, portNumber } from "./arguments.ts";
import { connecting, jsonOption } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa doctor`: what could keep a broker from running here, or a client from reaching it. */
export function addDoctor(program: Command, done: Done): void {
  jsonOption(connecting(program.command("doctor")), "a JSON object a check, a line each")
    .description("look at this machine, the port, the data directory and the broker; ends with 1 where something fails")
    .option("--port <port>", "the port a broker listens on, or shall (default: 9092)", portNumber)
    .option("--host <host>", "the address (default: 127.0.0.1)")
    .option("--data-dir <folder>", "where records are kept, or shall be (default: ./samsa-data)")
    .addHelpText(
      "after",
      `
Checks:
  node codecs memory descriptors clock   this machine
  data lock space fsync                  the data directory and the disk below it
  port                                   free, or held by whom
  broker listeners time                  a broker that runs: does it answer, at the addresses it announces,
                                         and does its clock agree (with -b only these, and the machine)
${examples(["samsa doctor", "samsa doctor --port 9093 --data-dir /var/lib/samsa", "samsa doctor -b broker.example.com:9092", "samsa doctor --json | jq 'select(.outcome != \"ok\")'"])}`,
    )
    .action(async (options) => {
      const { doctor } = await import("./commands/doctor.ts");
      done(await doctor(options));
    });
}
