import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { collect, collectNames, examples, wholeNumber } from "./arguments.ts";
import { connecting, jsonOption, OUTCOMES } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

/** Of groups of all types, as Kafka's coordinators call them. */
const STATES = [
  "Assigning",
  "CompletingRebalance",
  "Dead",
  "Empty",
  "NotReady",
  "PreparingRebalance",
  "Reconciling",
  "Stable",
  "Unknown",
];
const TYPES = ["classic", "consumer", "share", "streams"];

type Done = (exitCode: ExitCode) => void;

/** `samsa group`: who reads what, how far they are, and how to move them. */
export function addGroup(program: Command, done: Done): void {
  const group = program
    .command("group")
    .alias("groups")
    .description("list, describe and watch consumer groups, see their lag, move or delete their offsets")
    .addHelpText(
      "after",
      examples([
        "samsa group list",
        "samsa group describe billing",
        "samsa group watch billing",
        "samsa group reset-offsets billing --to-earliest            # shows what would change",
        "samsa group reset-offsets billing --to-earliest --execute",
      ]),
    );

  jsonOption(connecting(group.command("list")))
    .alias("ls")
    .description("list groups of every type, a line each")
    .option("-s, --state <name>", "only this state, e.g. Stable or Empty; may be repeated", collectNames(STATES))
    .option(
      "-t, --type <name>",
      "only this type: classic, consumer, share, streams; may be repeated",
      collectNames(TYPES),
    )
    .option("--names", "names alone")
    .addHelpText("after", examples(["samsa group list", "samsa group list --state Empty --names"]))
    .action(async (options) => {
      const { listGroups } = await import("./commands/group.ts");
      done(await listGroups(options));
    });

  jsonOption(connecting(group.command("describe [group...]")), "a JSON object a group, a line each")
    .alias("desc")
    .description(
      "show state, members, and by partition what is committed and how far behind; of all when none is named",
    )
    .addHelpText("after", examples(["samsa group describe billing", "samsa group describe --json | jq .partitions"]))
    .action(async (groups: string[], options) => {
      const { describeGroups } = await import("./commands/group.ts");
      done(await describeGroups(groups, options));
    });

  jsonOption(connecting(group.command("members <group...>")))
    .description("list the members and what each is assigned")
    .addHelpText("after", examples(["samsa group members billing", "samsa group members billing --json"]))
    .action(async (groups: string[], options) => {
      const { listMembers } = await import("./commands/group.ts");
      done(await listMembers(groups, options));
    });

  jsonOption(connecting(group.command("lag [group...]")))
    .description("show how many records wait for groups, by topic; of all groups when none is named")
    .option("-p, --partitions", "by partition")
    .option("--max <records>", "end with 1 when a group is further behind than this: for scripts", wholeNumber)
    .addHelpText(
      "after",
      examples(["samsa group lag", "samsa group lag billing --partitions", "samsa group lag billing --max 0"]),
    )
    .action(async (groups: string[], options) => {
      const { showLag } = await import("./commands/group.ts");
      done(await showLag(groups, options));
    });

  jsonOption(connecting(group.command("reset-offsets <group...>")))
    .alias("reset")
    .description("move what groups without members have committed: shown, and done with --execute")
    .option(
      "-t, --topic <topic[:partitions]>",
      "only this, as in orders or orders:0,2; may be repeated (default: what is committed)",
      collect,
    )
    .option("--to-earliest", "to the first record there is")
    .option("--to-latest", "to the end")
    .option("--to-current", "to what is committed, and to the end where nothing is")
    .option("--to-offset <offset>", "to this offset", wholeNumber)
    .option("--shift-by <records>", "so many records on, or with a minus back", signedNumber)
    .option("--to-datetime <time>", "to the first record of this time: 2026-01-31T12:00:00 (UTC), or as of consume's @")
    .option("--by-duration <duration>", "to the first record of so long ago: PT1H, P7D")
    .option(
      "--from-file <file>",
      "to what a file says: lines of topic,partition,offset or group,topic,partition,offset",
    )
    .option("--execute", "do it")
    .option("--dry-run", "only show it, which is the default")
    .option("--export", "write lines for --from-file rather than a table")
    .addHelpText(
      "after",
      examples([
        "samsa group reset-offsets billing --to-earliest",
        "samsa group reset-offsets billing --to-datetime 2026-01-31T12:00:00 --execute",
        "samsa group reset-offsets billing --topic orders:0,2 --shift-by -10 --execute",
        "samsa group reset-offsets billing --to-current --export > before.csv",
        "samsa group reset-offsets billing --from-file before.csv --execute",
      ]),
    )
    .action(async (groups: string[], options) => {
      const { resetOffsets } = await import("./commands/group-reset.ts");
      done(await resetOffsets(groups, options));
    });

  jsonOption(connecting(group.command("delete-offsets <group>")), OUTCOMES)
    .description("forget what a group has committed of topics that none of its members reads")
    .requiredOption("-t, --topic <topic[:partitions]>", "of this, as in orders or orders:0,2; may be repeated", collect)
    .addHelpText("after", examples(["samsa group delete-offsets billing --topic orders"]))
    .action(async (name: string, options) => {
      const { deleteOffsets } = await import("./commands/group-reset.ts");
      done(await deleteOffsets(name, options));
    });

  jsonOption(connecting(group.command("delete <group...>")), OUTCOMES)
    .alias("rm")
    .description("delete groups without members, with all they have committed; asks first on a terminal")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples(["samsa group delete billing", "samsa group delete billing audit --yes"]))
    .action(async (groups: string[], options) => {
      const { deleteGroups } = await import("./commands/group.ts");
      done(await deleteGroups(groups, options));
    });

  jsonOption(connecting(group.command("watch <group>")), "a JSON object each time, a line each")
    .description("show offsets, lag and speed again and again, until Ctrl-C")
    .option("-i, --interval <seconds>", "between two looks", positiveNumber, 2)
    .option("-n, --count <times>", "stop after so many", wholeNumber)
    .addHelpText(
      "after",
      examples(["samsa group watch billing", "samsa group watch billing -i 10 --json >> lag.jsonl"]),
    )
    .action(async (name: string, options) => {
      const { watchGroup } = await import("./commands/group-watch.ts");
      done(await watchGroup(name, options));
    });
}

function signedNumber(text: string): number {
  if (!/^[+-]?\d{1,15}$/u.test(text)) throw new InvalidArgumentError("A whole number is wanted, as in -10.");
  return Number(text);
}

function positiveNumber(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < 1e6)) throw new InvalidArgumentError("A number above 0 is wanted.");
  return number;
}
