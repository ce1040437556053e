import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import type { LogAppendResult } from "@samsa/log";
import { RecordValidationError } from "@samsa/log";
import { isInternalTopic } from "@samsa/metadata";
import {
  InvalidRecordError,
  peekCompressionType,
  peekIsTransactional,
  RecordBatch,
  RECORD_BATCH_OVERHEAD,
} from "@samsa/protocol";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type {
  ProduceResponsePartitionProduceResponse,
  ProduceResponseTopicProduceResponse,
} from "@samsa/protocol/messages/produce-response";
import {
  createProduceResponsePartitionProduceResponse,
  ProduceResponse,
} from "@samsa/protocol/messages/produce-response";
import type { ApiHandler } from "../api-handler.ts";
import { CloseConnectionError, NO_RESPONSE } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import type { LeaderHints } from "../leader-hints.ts";
import { leaderHints } from "../leader-hints.ts";
import type { RequestContext } from "../request-context.ts";
import { requestedTopicName } from "../topic-names.ts";
import { asProduceError } from "../transaction-verification.ts";
import type {
  TransactionalWriteStart,
  TransactionProducer,
  TransactionSupport,
  Verdict,
} from "../transaction-verification.ts";

const FIRST_VERSION_WITH_TOPIC_IDS = 13;
const FIRST_VERSION_WITH_LEADER_HINTS = 10;
const FIRST_VERSION_WITH_ZSTD = 7;
const FIRST_VERSION_WITH_ABORTABLE_ERRORS = 11;
const FIRST_VERSION_WITH_IMPLICIT_PARTITIONS = 12;
const UNKNOWN_OFFSET = -1;
/** What Kafka's administrative tools call themselves; they may write to internal topics. */
const ADMIN_CLIENT_ID = "__admin_client";
/** Made once: a request may name very many partitions in vain, and each error would take the time to walk the stack. */
const MISSING_PARTITION = new Map<ErrorCode, KafkaError>();

const NOT_TRANSACTIONAL: ReadonlyMap<Uint8Array, Verdict> = new Map();

/** By the records, the writes of a transaction that a request holds. */
interface ProducedTransaction {
  readonly producer: TransactionProducer;
  readonly writes: ReadonlyMap<Uint8Array, TransactionalWriteStart>;
  readonly support: TransactionSupport;
}

/** A partition of the request: refused already, or on its way to the disk. */
interface PartitionAppend {
  readonly topic: string;
  readonly index: number;
  readonly append: LogAppendResult | undefined;
  readonly error: unknown;
  readonly logStartOffset: number; // when it was tried; UNKNOWN_OFFSET without a partition
}

interface TopicAppends {
  readonly request: ProduceRequest["topicData"][number];
  readonly partitions: readonly PartitionAppend[];
}

/**
 * Produce 3-13 (0-2 are advertised and not served, as in Kafka: KAFKA-18659). v5 answers the log start offset; v7 allows zstd
 * (KIP-110); v8 names the records that were refused (KIP-467); v9 is flexible; v10 answers where the leader is (KIP-951);
 * v11 knows TRANSACTION_ABORTABLE, v12 adds what it writes to the transaction (KIP-890); v13 names topics by id (KIP-516).
 */
export const produce: ApiHandler<ProduceRequest, ProduceResponse> = {
  request: ProduceRequest,
  response: ProduceResponse,
  lowestAdvertisedVersion: 0,
  mayOverlap: true, // offsets are assigned before `handle` returns, or in turn for each transactional producer
  recordUse: (context, { quotas }) => quotas.recordProduce(context, context.requestBytes),

  handle(request, context, services) {
    const transaction = findTransaction(request, context.apiVersion, services);
    if (transaction === undefined) {
      return answer(request, appendAll(request, NOT_TRANSACTIONAL, context, services), context, services);
    }
    const { producer, writes, support } = transaction;
    const appended = services.transactionVerifier.inTurn(producer, [...writes.values()], support, (verdicts) => {
      const byRecords = new Map(
        Array.from(writes.keys(), (records, index) => [records, asProduceError(verdicts[index])]),
      );
      return appendAll(request, byRecords, context, services);
    });
    return appended instanceof Promise
      ? appended.then((appends) => answer(request, appends, context, services))
      : answer(request, appended, context, services);
  },

  // The log keeps copies, and a write that failed, or is late, may still be under way.
  isDoneWithRequest: (response) =>
    response === NO_RESPONSE ||
    response.responses.every(({ partitionResponses }) => partitionResponses.every(isNoError)),

  refuse: (request, errorCode, errorMessage) =>
    ProduceResponse.create({
      responses: request.topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index }) => refusedPartition(index, errorCode, errorMessage)),
      })),
    }),
};

/**
 * The transaction that batches of the request belong to; their own flags say so (CVE-2018-17196).
 * @throws KafkaError TRANSACTIONAL_ID_AUTHORIZATION_FAILED without a transactional id, INVALID_PRODUCER_ID_MAPPING for more than one
 *   producer
 */
function findTransaction(
  { topicData, transactionalId }: ProduceRequest,
  apiVersion: number,
  services: BrokerServices,
): ProducedTransaction | undefined {
  let producer: TransactionProducer | undefined;
  let writes: Map<Uint8Array, TransactionalWriteStart> | undefined;
  for (const topic of topicData) {
    for (const { index, records } of topic.partitionData) {
      if (records === null || !isTransactional(records)) continue;
      if (transactionalId === null) throw new KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
      const { producerId, producerEpoch, baseSequence } = new RecordBatch(records);
      producer ??= { transactionalId, producerId, producerEpoch };
      if (producer.producerId !== producerId || producer.producerEpoch !== producerEpoch) {
        throw new KafkaError(
          ErrorCode.INVALID_PRODUCER_ID_MAPPING,
          "transactional records of more than one producer in one request",
        );
      }
      const name =
        apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
          ? services.metadata.image.topics.byId.get(topic.topicId)?.name
          : topic.name;
      const partition = name === undefined ? undefined : services.replicas.find(name, index);
      // What there is not is refused by the append.
      if (typeof partition === "object") (writes ??= new Map()).set(records, { partition, baseSequence });
    }
  }
  return producer && { producer, writes: writes ?? new Map(), support: supportOf(apiVersion) };
}

function isTransactional(records: Uint8Array): boolean {
  return records.length >= RECORD_BATCH_OVERHEAD && peekIsTransactional(records);
}

function supportOf(apiVersion: number): TransactionSupport {
  if (apiVersion >= FIRST_VERSION_WITH_IMPLICIT_PARTITIONS) return "implicit-partitions";
  return apiVersion >= FIRST_VERSION_WITH_ABORTABLE_ERRORS ? "abortable-errors" : "default";
}

function appendAll(
  { topicData, acks }: ProduceRequest,
  verdicts: ReadonlyMap<Uint8Array, Verdict>,
  context: RequestContext,
  services: BrokerServices,
): readonly TopicAppends[] {
  return topicData.map((topic) => appendTopic(topic, acks, verdicts, context, services));
}

function appendTopic(
  request: ProduceRequest["topicData"][number],
  acks: number,
  verdicts: ReadonlyMap<Uint8Array, Verdict>,
  context: RequestContext,
  services: BrokerServices,
): TopicAppends {
  const partitions = request.partitionData.map(({ index, records }): PartitionAppend => {
    let topic = request.name;
    let logStartOffset = UNKNOWN_OFFSET;
    try {
      topic = requestedTopicName(request, context.apiVersion, FIRST_VERSION_WITH_TOPIC_IDS, services);
      if (acks < -1 || acks > 1)
        throw new KafkaError(ErrorCode.INVALID_REQUIRED_ACKS, `acks ${acks} is none of -1, 0, 1`);
      if (isInternalTopic(topic) && context.clientId !== ADMIN_CLIENT_ID) {
        throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, `${topic} is internal: its coordinator writes to it`);
      }
      const partition = services.replicas.find(topic, index);
      if (typeof partition === "number") throw missingPartition(partition);
      services.metrics?.produceTried(topic);
      checkRecords(records, context.apiVersion);
      logStartOffset = partition.log.logStartOffset;
      const verification = verdicts.get(records);
      if (verification instanceof KafkaError) throw verification;
      const append = partition.appendRecordsToLeader(records, "client", verification && { verification });
      services.metrics?.produced(topic, append.info.recordCount, records.length);
      return { topic, index, append, error: undefined, logStartOffset };
    } catch (error) {
      return { topic, index, append: undefined, error, logStartOffset };
    }
  });
  return { request, partitions };
}

function missingPartition(code: ErrorCode): KafkaError {
  const known = MISSING_PARTITION.get(code) ?? new KafkaError(code);
  MISSING_PARTITION.set(code, known);
  return known;
}

/** What is refused before the log looks at the batch (ProduceRequest.validateRecords in Kafka). */
function checkRecords(records: Uint8Array | null, apiVersion: number): asserts records is Uint8Array {
  if (records === null || records.length < RECORD_BATCH_OVERHEAD) {
    throw new InvalidRecordError("a produce request holds exactly one record batch for each partition");
  }
  if (peekCompressionType(records) === "zstd" && apiVersion < FIRST_VERSION_WITH_ZSTD) {
    throw new KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, `zstd needs version 7 of Produce, not ${apiVersion}`);
  }
}

/**
 * At once when the disk has everything, which it is asked to, unless more comes behind: the appends of one read of the socket are
 * written together.
 */
function answer(
  request: ProduceRequest,
  appends: readonly TopicAppends[],
  context: RequestContext,
  services: BrokerServices,
): ProduceResponse | typeof NO_RESPONSE | Promise<ProduceResponse | typeof NO_RESPONSE> {
  const isWritten = !context.isFollowed && writeNow(appends, request.acks !== 0);
  if (request.acks === 0) return isWritten ? NO_RESPONSE : unansweredWhenWritten(appends);
  const hints = leaderHints(context, FIRST_VERSION_WITH_LEADER_HINTS, services);
  if (!isWritten) return answerWhenWritten(request, appends, hints, services);
  return responseOf(
    appends.map(({ request: { name, topicId }, partitions }) => ({
      name,
      topicId,
      partitionResponses: partitions.map((partition) => settledPartition(partition, hints.leaderOf, services)),
    })),
    hints,
  );
}

/** Whether the disk has all of it; of what was refused there is nothing to have, unless nobody would be told. */
function writeNow(appends: readonly TopicAppends[], mayBeRefused: boolean): boolean {
  let isWritten = true;
  for (const { partitions } of appends) {
    for (const { append } of partitions) {
      if (append === undefined ? !mayBeRefused : !append.writeNow()) isWritten = false;
    }
  }
  return isWritten;
}

/**
 * There is no answer that could tell of a failure, so a closed connection does. The request still counts as in progress until
 * the disk has it, which is what slows a producer down that nobody answers.
 */
async function unansweredWhenWritten(appends: readonly TopicAppends[]): Promise<typeof NO_RESPONSE> {
  for (const { append, error } of appends.flatMap(({ partitions }) => partitions)) {
    if (append === undefined) throw new CloseConnectionError(`produce with acks=0 failed: ${String(error)}`);
  }
  for (const { append } of appends.flatMap(({ partitions }) => partitions)) {
    await append?.written.catch((error: unknown) => {
      throw new CloseConnectionError(`produce with acks=0 failed: ${String(error)}`);
    });
  }
  return NO_RESPONSE;
}

async function answerWhenWritten(
  request: ProduceRequest,
  appends: readonly TopicAppends[],
  hints: LeaderHints,
  services: BrokerServices,
): Promise<ProduceResponse> {
  const responses: ProduceResponseTopicProduceResponse[] = [];
  const deadline = request.acks === -1 ? services.clock.monotonicMs() + request.timeoutMs : Infinity;
  for (const { request: topic, partitions } of appends) {
    const partitionResponses: ProduceResponsePartitionProduceResponse[] = [];
    for (const partition of partitions) {
      partitionResponses.push(await partitionResponse(partition, deadline, hints.leaderOf, services));
    }
    responses.push({ name: topic.name, topicId: topic.topicId, partitionResponses });
  }
  return responseOf(responses, hints);
}

function responseOf(responses: readonly ProduceResponseTopicProduceResponse[], hints: LeaderHints): ProduceResponse {
  return ProduceResponse.create({ responses, nodeEndpoints: hints.endpoints() });
}

async function partitionResponse(
  partition: PartitionAppend,
  deadline: number,
  leaderOf: LeaderHints["leaderOf"],
  services: BrokerServices,
): Promise<ProduceResponsePartitionProduceResponse> {
  const { append } = partition;
  try {
    if (append !== undefined) await beforeDeadline(append.written, deadline, services);
  } catch (failure) {
    return failedPartition(partition, failure, leaderOf, services);
  }
  return settledPartition(partition, leaderOf, services);
}

/** Of what was refused, or is on the disk. */
function settledPartition(
  partition: PartitionAppend,
  leaderOf: LeaderHints["leaderOf"],
  services: BrokerServices,
): ProduceResponsePartitionProduceResponse {
  const { index, append, error } = partition;
  if (append === undefined) return failedPartition(partition, error, leaderOf, services);
  return createProduceResponsePartitionProduceResponse({
    index,
    baseOffset: append.info.firstOffset,
    logAppendTimeMs: append.info.logAppendTime,
    logStartOffset: append.info.logStartOffset,
  });
}

function failedPartition(
  { topic, index, logStartOffset }: PartitionAppend,
  failure: unknown,
  leaderOf: LeaderHints["leaderOf"],
  services: BrokerServices,
): ProduceResponsePartitionProduceResponse {
  const code = errorCodeOf(failure);
  if (code === ErrorCode.UNKNOWN_SERVER_ERROR) {
    if (services.metrics !== undefined) services.metrics.failedProduceRequests++;
    services.logger.error({ topic, partition: index, err: failure }, "an append failed unexpectedly");
  }
  const refused = refusedPartition(index, code, failure instanceof Error ? failure.message : null);
  return {
    ...refused,
    ...(failure instanceof RecordValidationError && { recordErrors: recordErrors(failure), logStartOffset }),
    currentLeader: code === ErrorCode.NOT_LEADER_OR_FOLLOWER ? leaderOf(topic, index) : refused.currentLeader,
  };
}

/** The records that were refused (KIP-467). */
function recordErrors(failure: RecordValidationError): ProduceResponsePartitionProduceResponse["recordErrors"] {
  return failure.recordErrors.map(({ batchIndex, message }) => ({ batchIndex, batchIndexErrorMessage: message }));
}

/** Waits for the disk, at most until the request's own time-out: then REQUEST_TIMED_OUT, and the append goes on. */
function beforeDeadline(written: Promise<void>, deadline: number, { clock }: BrokerServices): Promise<void> {
  if (deadline === Infinity) return written;
  return new Promise<void>((resolve, reject) => {
    const timer = clock.setTimer(Math.max(0, deadline - clock.monotonicMs()), () =>
      reject(new KafkaError(ErrorCode.REQUEST_TIMED_OUT, "the disk did not take the records in time")),
    );
    written.then(
      () => {
        timer.cancel();
        resolve();
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

function isNoError({ errorCode }: ProduceResponsePartitionProduceResponse): boolean {
  return errorCode === ErrorCode.NONE;
}

function refusedPartition(
  index: number,
  errorCode: ErrorCode,
  errorMessage: string | null,
): ProduceResponsePartitionProduceResponse {
  return createProduceResponsePartitionProduceResponse({ index, errorCode, errorMessage, baseOffset: UNKNOWN_OFFSET });
}
