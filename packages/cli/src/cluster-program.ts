import type { Command } from "commander";
import { examples } from "./arguments.ts";
import { connecting, jsonOption, OUTCOME, OUTCOMES } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa cluster`: what holds for all brokers together. */
export function addCluster(program: Command, done: Done): void {
  const cluster = program
    .command("cluster")
    .description("describe the cluster, its features and the quorum of its metadata")
    .addHelpText(
      "after",
      examples(["samsa cluster describe", "samsa cluster features list", "samsa cluster quorum status"]),
    );

  jsonOption(connecting(cluster.command("describe")), "a JSON object")
    .alias("desc")
    .description("show id, controller, brokers, topics and how the partitions are")
    .addHelpText("after", examples(["samsa cluster describe", "samsa cluster describe --json | jq .underReplicated"]))
    .action(async (options) => {
      const { describeCluster } = await import("./commands/cluster.ts");
      done(await describeCluster(options));
    });

  jsonOption(connecting(cluster.command("id")), "a JSON object")
    .description("print the id of the cluster")
    .addHelpText("after", examples(["samsa cluster id"]))
    .action(async (options) => {
      const { clusterId } = await import("./commands/cluster.ts");
      done(await clusterId(options));
    });

  jsonOption(connecting(cluster.command("unregister <id>")), OUTCOME)
    .description("take a broker that is gone for good out of the cluster")
    .addHelpText("after", examples(["samsa cluster unregister 3"]))
    .action(async (id: string, options) => {
      const { unregisterBroker } = await import("./commands/cluster.ts");
      done(await unregisterBroker(id, options));
    });

  addFeatures(cluster, done);
  addQuorum(cluster, done);
}

function addFeatures(cluster: Command, done: Done): void {
  const features = cluster
    .command("features")
    .description("show and change the levels of features that the brokers have agreed on")
    .addHelpText(
      "after",
      examples([
        "samsa cluster features list",
        "samsa cluster features upgrade share.version=2",
        "samsa cluster features downgrade share.version=1 --dry-run",
      ]),
    );

  jsonOption(connecting(features.command("list")))
    .alias("describe")
    .description("list features: the level they have and those the broker supports")
    .addHelpText("after", examples(["samsa cluster features list", "samsa cluster features list --json"]))
    .action(async (options) => {
      const { listFeatures } = await import("./commands/cluster.ts");
      done(await listFeatures(options));
    });

  jsonOption(connecting(features.command("upgrade <feature=level...>")), OUTCOMES)
    .description("raise the level of features")
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText("after", examples(["samsa cluster features upgrade group.version=1 share.version=2"]))
    .action(async (pairs: string[], options) => {
      const { changeFeatures } = await import("./commands/cluster.ts");
      done(await changeFeatures(pairs, "upgrade", options));
    });

  jsonOption(connecting(features.command("downgrade <feature=level...>")), OUTCOMES)
    .description("lower the level of features; 0 turns one off")
    .option("--unsafe", "even where metadata are lost by it")
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText(
      "after",
      examples([
        "samsa cluster features downgrade share.version=0",
        "samsa cluster features downgrade metadata.version=25 --dry-run",
      ]),
    )
    .action(async (pairs: string[], options) => {
      const { changeFeatures } = await import("./commands/cluster.ts");
      done(await changeFeatures(pairs, options.unsafe === true ? "unsafe_downgrade" : "safe_downgrade", options));
    });
}

function addQuorum(cluster: Command, done: Done): void {
  const quorum = cluster
    .command("quorum")
    .description("show the quorum of the controllers, which keeps the metadata, and change its voters")
    .addHelpText("after", examples(["samsa cluster quorum status", "samsa cluster quorum replication"]));

  jsonOption(connecting(quorum.command("status")), "a JSON object")
    .description("show leader, epoch, high watermark, voters and observers")
    .addHelpText("after", examples(["samsa cluster quorum status"]))
    .action(async (options) => {
      const { quorumStatus } = await import("./commands/cluster.ts");
      done(await quorumStatus(options));
    });

  jsonOption(connecting(quorum.command("replication")))
    .description("show how far each voter and observer has come")
    .addHelpText("after", examples(["samsa cluster quorum replication", "samsa cluster quorum replication --json"]))
    .action(async (options) => {
      const { quorumReplication } = await import("./commands/cluster.ts");
      done(await quorumReplication(options));
    });

  jsonOption(connecting(quorum.command("remove-voter <id> <directory-id>")), OUTCOME)
    .description("take a controller out of the quorum (KIP-853)")
    .addHelpText("after", examples(["samsa cluster quorum remove-voter 3 yXuSCB3RQZiCrmwPV9KZpA"]))
    .action(async (id: string, directoryId: string, options) => {
      const { removeVoter } = await import("./commands/cluster.ts");
      done(await removeVoter(id, directoryId, options));
    });
}
