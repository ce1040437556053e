import type { Broker, BrokerMetrics, MetadataCache, TopicCounters } from "@samsa/broker";
import { ApiKey } from "@samsa/protocol";
import type { Partition } from "@samsa/replication";
import type { Exposition, Labels, Sample } from "./exposition.ts";

/** Partitions with figures of their own; the sizes of those beyond are summed. */
const MAX_PARTITIONS = 5000;
/** What is summed stands under a name that no topic can have. */
const OTHERS = "(others)";
const NOT_LABELLED = {};

export interface BrokerSources {
  readonly metrics: BrokerMetrics;
  /** Undefined until it is known, as the others. */
  readonly metadata: () => MetadataCache | undefined;
  /** Those that are here. */
  readonly partitions: () => Iterable<Partition>;
  readonly broker: () => Broker | undefined;
  readonly maxPartitions?: number;
}

/**
 * Kafka's metrics, under the names that the usual rules of the JMX exporter make of its beans:
 * `kafka.server<type=BrokerTopicMetrics, name=MessagesInPerSec, topic=t><>Count` is
 * `kafka_server_brokertopicmetrics_messagesin_total{topic="t"}`. As there, a series without a topic is the whole, so a sum over
 * topics asks for `{topic!=""}`.
 */
export function exposeBroker(exposition: Exposition, sources: BrokerSources): void {
  exposeTopics(exposition, sources);
  exposeRequests(exposition, sources);
  exposeLogs(exposition, sources);
  exposeReplicas(exposition, sources);
  exposeClients(exposition, sources);
  exposeCoordinators(exposition, sources);
}

const TOPIC_COUNTERS: readonly (readonly [name: string, help: string, of: keyof TopicCounters])[] = [
  ["messagesin", "Records appended", "messagesIn"],
  ["bytesin", "Bytes of record batches appended", "bytesIn"],
  ["bytesout", "Bytes of record batches answered to fetches", "bytesOut"],
  ["totalproducerequests", "Partitions of produce requests", "produceRequests"],
  ["totalfetchrequests", "Partitions of fetch requests", "fetchRequests"],
];

function exposeTopics(exposition: Exposition, { metrics, metadata }: BrokerSources): void {
  for (const [name, help, key] of TOPIC_COUNTERS) {
    exposition.counter(
      `kafka_server_brokertopicmetrics_${name}_total`,
      help,
      ["topic"],
      function* (): Iterable<Sample> {
        metrics.retainTopics((topic) => metadata()?.topic(topic) !== undefined);
        yield [NOT_LABELLED, metrics.allTopics[key]];
        for (const [topic, counters] of metrics.topics) yield [{ topic }, counters[key]];
        if (metrics.otherTopics[key] > 0) yield [{ topic: OTHERS }, metrics.otherTopics[key]];
      },
    );
  }
  for (const [name, help, read] of [
    ["failedproducerequests", "Appends that failed unexpectedly", () => metrics.failedProduceRequests],
    ["failedfetchrequests", "Reads that failed unexpectedly", () => metrics.failedFetchRequests],
  ] as const) {
    exposition.counter(`kafka_server_brokertopicmetrics_${name}_total`, help, [], () => [[NOT_LABELLED, read()]]);
  }
}

const API_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ApiKey).map(([name, key]) => [key, name]));

function exposeRequests(exposition: Exposition, { metrics }: BrokerSources): void {
  const nameOf = (apiKey: number): string => API_NAMES.get(apiKey) ?? String(apiKey);
  exposition.counter(
    "kafka_network_requestmetrics_requests_total",
    "Requests answered",
    ["request", "version"],
    function* (): Iterable<Sample> {
      for (const [apiKey, { byVersion }] of metrics.apis()) {
        for (const [version, count] of byVersion.entries()) {
          if (count !== undefined) yield [{ request: nameOf(apiKey), version }, count];
        }
      }
    },
  );
  for (const [name, help, key] of [
    ["totaltimems", "Milliseconds from the whole request to its answer in the hands of the system", "totalTime"],
    [
      "requestqueuetimems",
      "Milliseconds a request waited behind others of its connection, or for a quota",
      "requestQueueTime",
    ],
    ["localtimems", "Milliseconds a request took to decide, without waiting", "localTime"],
    ["remotetimems", "Milliseconds a request waited: for the disk, for records, for other nodes", "remoteTime"],
    ["throttletimems", "Milliseconds that a client was told to wait", "throttleTime"],
    ["responsequeuetimems", "Milliseconds an answer waited for those before it", "responseQueueTime"],
    ["responsesendtimems", "Milliseconds until the system had taken an answer", "responseSendTime"],
  ] as const) {
    exposition.histogram(`kafka_network_requestmetrics_${name}`, help, ["request"], function* () {
      for (const [apiKey, api] of metrics.apis()) yield [{ request: nameOf(apiKey) }, api[key]];
    });
  }
}

function exposeLogs(exposition: Exposition, { partitions, maxPartitions = MAX_PARTITIONS }: BrokerSources): void {
  const labelNames = ["topic", "partition"];
  for (const [name, help, key, isSummed] of [
    ["size", "Bytes of the log", "sizeInBytes", true],
    ["numlogsegments", "Segments of the log", "segmentCount", true],
    ["logstartoffset", "First offset of the log", "logStartOffset", false],
    ["logendoffset", "Offset that the next record gets", "logEndOffset", false],
  ] as const) {
    exposition.gauge(`kafka_log_log_${name}`, help, labelNames, function* (): Iterable<Sample> {
      let shown = 0;
      let others = 0;
      for (const { log } of partitions()) {
        const { topic, partition } = log.topicPartition;
        if (shown++ < maxPartitions) yield [{ topic, partition }, log[key]];
        else others += log[key];
      }
      if (isSummed && shown > maxPartitions) yield [{ topic: OTHERS, partition: "" }, others];
    });
  }
}

function exposeReplicas(exposition: Exposition, { partitions, metadata }: BrokerSources): void {
  const count = (isCounted: (partition: { readonly isLeader: boolean }) => boolean): number => {
    let counted = 0;
    for (const partition of partitions()) if (isCounted(partition)) counted++;
    return counted;
  };
  const offline = (): number => metadataPartitions(metadata()) - count(() => true);
  // One node: every partition has one replica, which is in sync while it is online.
  for (const [name, help, read] of [
    ["server_replicamanager_partitioncount", "Partitions on this broker", () => count(() => true)],
    ["server_replicamanager_leadercount", "Partitions this broker leads", () => count(({ isLeader }) => isLeader)],
    ["server_replicamanager_underreplicatedpartitions", "Partitions with replicas out of sync", () => 0],
    ["server_replicamanager_offlinereplicacount", "Replicas in directories that have failed", offline],
    ["controller_kafkacontroller_activecontrollercount", "1 on the node that is the controller", () => 1],
    [
      "controller_kafkacontroller_globaltopiccount",
      "Topics of the cluster",
      () => metadata()?.image.topics.byName.size ?? 0,
    ],
    [
      "controller_kafkacontroller_globalpartitioncount",
      "Partitions of the cluster",
      () => metadataPartitions(metadata()),
    ],
    ["controller_kafkacontroller_offlinepartitionscount", "Partitions without a leader", offline],
  ] as const) {
    exposition.gauge(`kafka_${name}`, help, [], () => [[NOT_LABELLED, read()]]);
  }
}

function metadataPartitions(metadata: MetadataCache | undefined): number {
  let partitions = 0;
  for (const topic of metadata?.image.topics.byName.values() ?? []) partitions += topic.partitions.size;
  return partitions;
}

function exposeClients(exposition: Exposition, { metrics, broker }: BrokerSources): void {
  exposition.gauge(
    "kafka_server_delayedoperationpurgatory_purgatorysize",
    "Requests that wait: fetches for records; produces for other replicas, of which one node has none",
    ["delayedOperation"],
    () => [
      [{ delayedOperation: "Fetch" }, metrics.delayedFetches],
      [{ delayedOperation: "Produce" }, 0],
    ],
  );
  for (const [name, help, read] of [
    ["fetchsessioncache_numincrementalfetchsessions", "Fetch sessions", () => broker()?.fetchSessions.size ?? 0],
    [
      "fetchsessioncache_numincrementalfetchpartitionscached",
      "Partitions of all fetch sessions",
      () => broker()?.fetchSessions.partitions ?? 0,
    ],
    ["socket_server_metrics_connection_count", "Connections of clients", () => metrics.connections],
  ] as const) {
    exposition.gauge(`kafka_server_${name}`, help, [], () => [[NOT_LABELLED, read()]]);
  }
  exposition.gauge("kafka_server_clientmetrics_clientmetricsinstancecount", "Clients that push metrics", [], () => [
    [NOT_LABELLED, broker()?.clientMetrics.clientInstances ?? 0],
  ]);
  for (const [name, help, key] of [
    ["unknownsubscriptionrequest", "Pushes for what is not asked for any more", "unknownSubscriptionRequests"],
    ["throttle", "Requests of clients that came before their time", "throttled"],
    ["pluginexport", "Payloads of metrics that were taken", "pluginExports"],
    ["pluginerror", "Payloads of metrics that the receiver did not take", "pluginErrors"],
    ["receivedbytes", "Bytes of metrics that clients have pushed", "receivedBytes"],
  ] as const) {
    exposition.counter(`kafka_server_clientmetrics_${name}_total`, help, [], () => [
      [NOT_LABELLED, broker()?.clientMetrics[key] ?? 0],
    ]);
  }
  exposition.counter(
    "kafka_server_socket_server_metrics_connection_creation_total",
    "Connections that clients have made",
    [],
    () => [[NOT_LABELLED, metrics.connectionsAccepted]],
  );
}

/** Groups under Kafka's name; it has none for transactions. What is being loaded is not counted yet. */
function exposeCoordinators(exposition: Exposition, { broker }: BrokerSources): void {
  exposition.gauge(
    "kafka_server_group_coordinator_metrics_group_count",
    "Groups coordinated here, by protocol and state",
    ["protocol", "state"],
    async () => {
      const groups = (await broker()?.listGroups()) ?? [];
      return counted(groups, ({ type, state }) => ({ protocol: type, state }));
    },
  );
  exposition.gauge(
    "kafka_server_transaction_coordinator_metrics_transaction_count",
    "Transactional ids coordinated here, by the state of their transaction",
    ["state"],
    async () => counted((await broker()?.listTransactions()) ?? [], ({ state }) => ({ state })),
  );
}

function counted<T>(all: readonly T[], labelsOf: (one: T) => Labels): Sample[] {
  const counts = new Map<string, { readonly labels: Labels; count: number }>();
  for (const one of all) {
    const labels = labelsOf(one);
    const key = Object.values(labels).join(" ");
    const entry = counts.get(key) ?? { labels, count: 0 };
    entry.count++;
    counts.set(key, entry);
  }
  return [...counts.values()].map(({ labels, count }) => [labels, count] as const);
}
