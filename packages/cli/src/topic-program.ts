import type { Command } from "commander";
import { collect, examples, wholeNumber } from "./arguments.ts";
import { connecting, jsonOption, OUTCOME, OUTCOMES } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa topic`: topics, their partitions, and where these lie. */
export function addTopic(program: Command, done: Done): void {
  const topic = program
    .command("topic")
    .alias("topics")
    .description("create, list, describe, enlarge, move and delete topics")
    .addHelpText(
      "after",
      examples(["samsa topic create orders --partitions 3", "samsa topic list", "samsa topic describe orders"]),
    );

  jsonOption(connecting(topic.command("create <name...>")), OUTCOMES)
    .description("create topics")
    .option("-p, --partitions <count>", "partitions of each (default: the broker's num.partitions)", wholeNumber)
    .option("-r, --replication-factor <count>", "replicas of each partition (default: the broker's)", wholeNumber)
    .option(
      "-c, --config <key=value>",
      "a topic's configuration key, e.g. -c retention.ms=60000; may be repeated",
      collect,
    )
    .option("--if-not-exists", "be content with a topic that is there already")
    .addHelpText(
      "after",
      examples([
        "samsa topic create orders --partitions 3",
        "samsa topic create users -c cleanup.policy=compact",
        "samsa topic create a b c --if-not-exists",
        "samsa topic create orders --json | jq -r '.[].topicId'",
      ]),
    )
    .action(async (names: string[], options) => {
      const { createTopics } = await import("./commands/topic.ts");
      done(await createTopics(names, options));
    });

  jsonOption(connecting(topic.command("list")))
    .alias("ls")
    .description("list topics, a line each")
    .option("--internal", "Kafka's own topics too")
    .option("--names", "names alone")
    .addHelpText("after", examples(["samsa topic list", "samsa topic list --names | xargs -n1 samsa topic describe"]))
    .action(async (options) => {
      const { listTopics } = await import("./commands/topic.ts");
      done(await listTopics(options));
    });

  jsonOption(connecting(topic.command("describe [name...]")), "a JSON object a topic, a line each")
    .alias("desc")
    .description("show partitions, leaders, replicas and offsets; of all topics when none is named")
    .addHelpText("after", examples(["samsa topic describe orders", "samsa topic describe --json"]))
    .action(async (names: string[], options) => {
      const { describeTopics } = await import("./commands/topic.ts");
      done(await describeTopics(names, options));
    });

  jsonOption(connecting(topic.command("delete <name...>")), OUTCOMES)
    .alias("rm")
    .description("delete topics with all their records; asks first on a terminal")
    .option("--if-exists", "be content when there is no such topic")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples(["samsa topic delete orders", "samsa topic delete orders users --if-exists --yes"]))
    .action(async (names: string[], options) => {
      const { deleteTopics } = await import("./commands/topic.ts");
      done(await deleteTopics(names, options));
    });

  jsonOption(connecting(topic.command("partitions <name> <count>")), OUTCOME)
    .description("make a topic larger: so many partitions in all; records with keys then go elsewhere than before")
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText("after", examples(["samsa topic partitions orders 6"]))
    .action(async (name: string, count: string, options) => {
      const { enlargeTopic } = await import("./commands/topic-partitions.ts");
      done(await enlargeTopic(name, count, options));
    });

  jsonOption(connecting(topic.command("truncate <topic[:partition]...>")), OUTCOMES)
    .description("forget the oldest records of partitions; asks first on a terminal")
    .option("-o, --before <offset>", "forget what stands before this offset (default: all there is)", wholeNumber)
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      examples(["samsa topic truncate orders", "samsa topic truncate orders:0 --before 1000 --yes"]),
    )
    .action(async (names: string[], options) => {
      const { truncateTopics } = await import("./commands/topic-partitions.ts");
      done(await truncateTopics(names, options));
    });

  jsonOption(
    connecting(topic.command("reassign [topic[:partition]...]")),
    "a JSON object a line; a JSON array of what was done",
  )
    .description("move partitions to other brokers; without --replicas or --cancel, show what is on its way")
    .option("-r, --replicas <ids>", "the brokers that shall have them, the preferred leader first, e.g. 1,2,3")
    .option("--cancel", "take back what is on its way")
    .addHelpText(
      "after",
      examples([
        "samsa topic reassign orders:0 --replicas 2,3,1",
        "samsa topic reassign orders --replicas 2,3,1     # every partition of it",
        "samsa topic reassign                             # what is on its way",
        "samsa topic reassign orders --cancel",
      ]),
    )
    .action(async (names: string[], options) => {
      const { reassign } = await import("./commands/topic-partitions.ts");
      done(await reassign(names, options));
    });

  jsonOption(connecting(topic.command("elect [topic[:partition]...]")))
    .description("have the preferred replica lead; of all partitions that need it when none is named")
    .option("--unclean", "have any replica that lives lead, though records may be lost")
    .addHelpText(
      "after",
      examples(["samsa topic elect", "samsa topic elect orders:0", "samsa topic elect orders:0 --unclean"]),
    )
    .action(async (names: string[], options) => {
      const { elect } = await import("./commands/topic-partitions.ts");
      done(await elect(names, options));
    });
}
