import type { Admin, ClusterDescription } from "@samsa/client";
import { UnsupportedVersionError } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import { formatBytes } from "../progress.ts";
import { printRows } from "../rows.ts";

interface JsonOptions extends ConnectOptions {
  readonly json?: boolean;
}

/** With those that are out of service, where the brokers can tell (Kafka 4.0). */
export async function clusterOf(admin: Admin): Promise<ClusterDescription> {
  try {
    return await admin.describeCluster({ includeFencedBrokers: true });
  } catch (error) {
    if (!(error instanceof UnsupportedVersionError)) throw error;
    return await admin.describeCluster();
  }
}

export async function listBrokers(options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const { brokers, controllerId } = await clusterOf(kafka.admin());
    const rows = brokers.map((broker) => ({ ...broker, isController: broker.nodeId === controllerId }));
    printRows(
      rows,
      {
        ID: (row) => row.nodeId,
        ADDRESS: (row) => `${row.host}:${row.port}`,
        RACK: (row) => row.rack,
        CONTROLLER: (row) => row.isController,
        FENCED: (row) => row.isFenced,
      },
      options,
    );
    return ExitCode.DONE;
  });
}

export async function describeBrokers(ids: readonly string[], options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const { brokers, controllerId } = await clusterOf(admin);
    const wanted = wantedIds(ids, brokers);
    const topics = await admin.listTopics({ includeInternal: true });
    const partitions = topics.flatMap((topic) => topic.partitions);
    const inService = wanted.filter((id) => brokers.some(({ nodeId, isFenced }) => nodeId === id && !isFenced));
    const directories = (await admin.describeLogDirs(inService)).found;
    const rows = brokers
      .filter(({ nodeId }) => wanted.includes(nodeId))
      .map((broker) => {
        const id = broker.nodeId;
        const dirs = directories.get(String(id)) ?? [];
        const sizes = dirs.flatMap(({ replicas }) => replicas.map(({ sizeInBytes }) => sizeInBytes));
        return {
          ...broker,
          isController: id === controllerId,
          leaderPartitions: partitions.filter(({ leaderId }) => leaderId === id).length,
          replicas: partitions.filter(({ replicas }) => replicas.includes(id)).length,
          outOfSyncReplicas: partitions.filter(({ replicas, isr }) => replicas.includes(id) && !isr.includes(id))
            .length,
          logDirs: dirs.map(({ path }) => path),
          sizeInBytes: sizes.reduce((sum, size) => sum + size, 0),
        };
      });
    printRows(
      rows,
      {
        ID: (row) => row.nodeId,
        ADDRESS: (row) => `${row.host}:${row.port}`,
        RACK: (row) => row.rack,
        CONTROLLER: (row) => row.isController,
        FENCED: (row) => row.isFenced,
        LEADS: (row) => row.leaderPartitions,
        REPLICAS: (row) => row.replicas,
        "OUT-OF-SYNC": (row) => row.outOfSyncReplicas,
        SIZE: (row) => formatBytes(row.sizeInBytes),
        DIRECTORIES: (row) => row.logDirs,
      },
      options,
    );
    return ExitCode.DONE;
  });
}

export async function brokerApiVersions(ids: readonly string[], options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const { brokers } = await admin.describeCluster();
    const results = await admin.describeApiVersions(wantedIds(ids, brokers));
    results.all();
    const rows = [...results.found].flatMap(([id, served]) => served.map((one) => ({ brokerId: Number(id), ...one })));
    printRows(
      rows,
      {
        BROKER: (row) => row.brokerId,
        KEY: (row) => row.apiKey,
        API: (row) => row.name,
        MIN: (row) => row.minVersion,
        MAX: (row) => row.maxVersion,
        USED: (row) => row.usedVersion,
      },
      options,
    );
    return ExitCode.DONE;
  });
}

export interface LogDirsOptions extends JsonOptions {
  readonly topic?: readonly string[];
  readonly replicas?: boolean;
}

export async function brokerLogDirs(ids: readonly string[], options: LogDirsOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const { brokers } = await admin.describeCluster();
    const { topic: names } = options;
    const described = names && (await withTopicNames(admin, names, () => admin.describeTopics(names)));
    const partitions = described?.flatMap((topic) =>
      topic.partitions.map(({ partition }) => ({ topic: topic.name, partition })),
    );
    const results = await admin.describeLogDirs(wantedIds(ids, brokers), partitions);
    results.all();
    const dirs = [...results.found].flatMap(([id, some]) => some.map((dir) => ({ brokerId: Number(id), ...dir })));
    if (options.replicas === true || names !== undefined) {
      const rows = dirs.flatMap(({ brokerId, path, replicas }) =>
        replicas.map((replica) => ({ brokerId, ...replica, path })),
      );
      printRows(
        rows.toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || a.brokerId - b.brokerId),
        {
          TOPIC: (row) => row.topic,
          PARTITION: (row) => row.partition,
          BROKER: (row) => row.brokerId,
          SIZE: (row) => formatBytes(row.sizeInBytes),
          LAG: (row) => row.offsetLag,
          FUTURE: (row) => row.isFuture,
          DIRECTORY: (row) => row.path,
        },
        options,
      );
      return ExitCode.DONE;
    }
    const rows = dirs.map(({ brokerId, path, error, replicas, totalBytes, usableBytes, isCordoned }) => ({
      brokerId,
      path,
      error: error?.codeName ?? null,
      replicas: replicas.length,
      sizeInBytes: replicas.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0),
      totalBytes: totalBytes ?? null,
      usableBytes: usableBytes ?? null,
      isCordoned,
    }));
    const bytes = (number: number | null): string | null => (number === null ? null : formatBytes(number));
    printRows(
      rows,
      {
        BROKER: (row) => row.brokerId,
        DIRECTORY: (row) => row.path,
        STATE: (row) => row.error ?? (row.isCordoned ? "cordoned" : "online"),
        REPLICAS: (row) => row.replicas,
        SIZE: (row) => bytes(row.sizeInBytes),
        FREE: (row) => bytes(row.usableBytes),
        TOTAL: (row) => bytes(row.totalBytes),
      },
      options,
    );
    return ExitCode.DONE;
  });
}

/** @returns all when none are named */
function wantedIds(ids: readonly string[], brokers: readonly { readonly nodeId: number }[]): readonly number[] {
  const known = brokers.map(({ nodeId }) => nodeId);
  const wanted = ids.map((id) => (/^\d{1,10}$/u.test(id) ? Number(id) : Number.NaN));
  const missing = ids.filter((_, index) => !known.includes(wanted[index] ?? -1));
  if (missing.length > 0)
    throw new UsageError(`there is no broker ${missing.join(", ")}; there are ${known.join(", ")}`);
  return wanted.length === 0 ? known : wanted;
}
