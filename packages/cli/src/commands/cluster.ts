import process from "node:process";
import { parseUuid } from "@samsa/base";
import type { FeatureUpdate, QuorumReplica } from "@samsa/client";
import { nearestName } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import type { Deed, Whole } from "../outcomes.ts";
import { actOnAll, actOnOne } from "../outcomes.ts";
import { printFacts, printRows } from "../rows.ts";
import { clusterOf } from "./broker.ts";

interface JsonOptions extends ConnectOptions {
  readonly json?: boolean;
}

export async function describeCluster(options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const { clusterId: id, controllerId, brokers } = await clusterOf(admin);
    const topics = await admin.listTopics({ includeInternal: true });
    const partitions = topics.flatMap((topic) => topic.partitions);
    const { finalized } = await admin.describeFeatures();
    const object = {
      clusterId: id,
      controllerId,
      brokers: brokers.length,
      fencedBrokers: brokers.filter(({ isFenced }) => isFenced).length,
      topics: topics.filter(({ isInternal }) => !isInternal).length,
      internalTopics: topics.filter(({ isInternal }) => isInternal).length,
      partitions: partitions.length,
      withoutLeader: partitions.filter(({ leaderId }) => leaderId < 0).length,
      underReplicated: partitions.filter(({ replicas, isr }) => isr.length < replicas.length).length,
      features: Object.fromEntries(finalized),
    };
    const features = [...finalized].map(([name, level]) => `${name}=${level}`);
    printFacts(
      {
        "cluster id": id,
        controller: controllerId < 0 ? "none" : controllerId,
        brokers: brokers.map(
          ({ nodeId, host, port, isFenced }) => `${nodeId}@${host}:${port}${isFenced ? " (fenced)" : ""}`,
        ),
        topics: `${object.topics}, and ${object.internalTopics} of Kafka's own`,
        partitions: object.partitions,
        "without leader": object.withoutLeader,
        "under-replicated": object.underReplicated,
        features,
      },
      object,
      options,
    );
    return ExitCode.DONE;
  });
}

export async function clusterId(options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const { clusterId: id } = await kafka.admin().describeCluster();
    process.stdout.write(`${options.json === true ? JSON.stringify({ clusterId: id ?? null }) : (id ?? "")}\n`);
    return ExitCode.DONE;
  });
}

export async function unregisterBroker(id: string, options: JsonOptions): Promise<ExitCode> {
  const nodeId = idOf(id, "a broker");
  return await withKafka(options, async (kafka) => {
    const work = async (): Promise<Deed> => {
      await kafka.admin().unregisterBroker(nodeId);
      return { said: `unregistered broker ${nodeId}` };
    };
    return await actOnOne({ nodeId }, work, options);
  });
}

export async function listFeatures(options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const { finalized, supported, finalizedEpoch } = await kafka.admin().describeFeatures();
    const names = [...new Set([...supported.keys(), ...finalized.keys()])].toSorted();
    const rows = names.map((feature) => ({
      feature,
      level: finalized.get(feature) ?? 0,
      minVersion: supported.get(feature)?.minVersion ?? null,
      maxVersion: supported.get(feature)?.maxVersion ?? null,
      epoch: finalizedEpoch ?? null,
    }));
    printRows(
      rows,
      {
        FEATURE: (row) => row.feature,
        LEVEL: (row) => row.level,
        "MIN-SUPPORTED": (row) => row.minVersion,
        "MAX-SUPPORTED": (row) => row.maxVersion,
        EPOCH: (row) => row.epoch,
      },
      options,
    );
    return ExitCode.DONE;
  });
}

export async function changeFeatures(
  pairs: readonly string[],
  upgradeType: NonNullable<FeatureUpdate["upgradeType"]>,
  options: JsonOptions & { readonly dryRun?: boolean },
): Promise<ExitCode> {
  const updates = pairs.map((pair) => {
    const [, feature = "", level = ""] = /^([^=\s]+)=(\d{1,5})$/u.exec(pair) ?? [];
    if (level === "") throw new UsageError(`a feature and its level are wanted, as in share.version=1, not ${pair}`);
    return { feature, maxVersionLevel: Number(level), upgradeType };
  });
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const { supported } = await admin.describeFeatures();
    for (const { feature } of updates) {
      if (supported.has(feature)) continue;
      const nearest = nearestName(feature, [...supported.keys()]);
      const suggestion =
        nearest === undefined ? `there are ${[...supported.keys()].join(", ")}` : `did you mean ${nearest}?`;
      throw new UsageError(`there is no feature ${feature}; ${suggestion}`);
    }
    const dryRun = options.dryRun === true;
    const whole: Whole<(typeof updates)[number], true> = {
      items: updates,
      nameOf: ({ feature }) => feature,
      factsOf: ({ feature, maxVersionLevel }) => ({ feature, level: maxVersionLevel, dryRun }),
      work: () => admin.updateFeatures(updates, { validateOnly: dryRun }),
      deed: ({ feature, maxVersionLevel }) => ({
        said: `${dryRun ? "could be set" : "set"}: ${feature}=${maxVersionLevel}`,
      }),
    };
    return await actOnAll(whole, options);
  });
}

export async function quorumStatus(options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const quorum = await admin.describeMetadataQuorum();
    const { clusterId: id } = await admin.describeCluster();
    const { leaderId, leaderEpoch, highWatermark, voters, observers, nodes } = quorum;
    const lags = voters.map(({ logEndOffset }) => Math.max(0, highWatermark - logEndOffset));
    const object = {
      clusterId: id,
      leaderId,
      leaderEpoch,
      highWatermark,
      maxFollowerLag: Math.max(0, ...lags),
      voters: voters.map((voter) => ({ ...shownReplica(voter), endpoints: endpointsOf(voter.replicaId, nodes) })),
      observers: observers.map((observer) => shownReplica(observer)),
    };
    printFacts(
      {
        "cluster id": id,
        leader: leaderId < 0 ? "none" : leaderId,
        "leader epoch": leaderEpoch,
        "high watermark": highWatermark,
        "max follower lag": object.maxFollowerLag,
        voters: object.voters.map(({ replicaId, endpoints }) => [replicaId, ...endpoints].join("@")),
        observers: observers.map(({ replicaId }) => replicaId),
      },
      object,
      options,
    );
    return ExitCode.DONE;
  });
}

type Nodes = readonly {
  readonly nodeId: number;
  readonly listeners: readonly { readonly host: string; readonly port: number }[];
}[];

function endpointsOf(id: number, nodes: Nodes): readonly string[] {
  return nodes
    .filter(({ nodeId }) => nodeId === id)
    .flatMap(({ listeners }) => listeners.map(({ host, port }) => `${host}:${port}`));
}

function shownReplica(replica: QuorumReplica): { readonly replicaId: number; readonly directoryId: string | null } {
  return { replicaId: replica.replicaId, directoryId: replica.replicaDirectoryId ?? null };
}

export async function quorumReplication(options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const { voters, observers, leaderId } = await kafka.admin().describeMetadataQuorum();
    const end = voters.find(({ replicaId }) => replicaId === leaderId)?.logEndOffset ?? -1;
    const row = (replica: QuorumReplica, role: string) => ({
      ...shownReplica(replica),
      logEndOffset: replica.logEndOffset,
      lag: end < 0 ? null : Math.max(0, end - replica.logEndOffset),
      lastFetchTimestamp: replica.lastFetchTimestamp ?? null,
      lastCaughtUpTimestamp: replica.lastCaughtUpTimestamp ?? null,
      status: replica.replicaId === leaderId ? "leader" : role,
    });
    const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
    printRows(
      [...voters.map((voter) => row(voter, "follower")), ...observers.map((one) => row(one, "observer"))],
      {
        NODE: (one) => one.replicaId,
        DIRECTORY: (one) => one.directoryId,
        "LOG-END-OFFSET": (one) => one.logEndOffset,
        LAG: (one) => one.lag,
        "LAST-FETCH": (one) => time(one.lastFetchTimestamp),
        "LAST-CAUGHT-UP": (one) => time(one.lastCaughtUpTimestamp),
        STATUS: (one) => one.status,
      },
      options,
    );
    return ExitCode.DONE;
  });
}

export async function removeVoter(id: string, directoryId: string, options: JsonOptions): Promise<ExitCode> {
  const voterId = idOf(id, "a voter");
  const voterDirectoryId = uuidOf(directoryId);
  return await withKafka(options, async (kafka) => {
    const work = async (): Promise<Deed> => {
      await kafka.admin().removeRaftVoter({ voterId, voterDirectoryId });
      return { said: `removed voter ${voterId}` };
    };
    return await actOnOne({ replicaId: voterId, directoryId: voterDirectoryId }, work, options);
  });
}

function uuidOf(text: string): ReturnType<typeof parseUuid> {
  try {
    return parseUuid(text);
  } catch (error) {
    throw new UsageError(
      `${JSON.stringify(text)} is no id of a directory: samsa cluster quorum replication shows them`,
      {
        cause: error,
      },
    );
  }
}

function idOf(text: string, what: string): number {
  if (!/^\d{1,10}$/u.test(text)) throw new UsageError(`the id of ${what} is a number, not ${JSON.stringify(text)}`);
  return Number(text);
}
