import { ErrorCode } from "@samsa/base";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import type { FetchSession, FetchWish } from "./fetch-session.ts";
import { nextSessionEpoch, wishesOf } from "./fetch-session.ts";
import type { FetchSessionCache } from "./fetch-session-cache.ts";

/** What is answered of one partition. */
export interface FetchedPartition {
  readonly wish: FetchWish;
  readonly data: FetchResponsePartitionData;
}

export interface FetchAnswer {
  readonly errorCode: ErrorCode;
  readonly sessionId: number;
  readonly partitions: readonly FetchedPartition[];
}

/** What one fetch reads, and what of it is answered. */
export interface FetchContext {
  /** In the order in which they are to be read. */
  readonly wishes: readonly FetchWish[];
  /** To be called once. */
  answer(fetched: readonly FetchedPartition[], nowMs: number): FetchAnswer;
  /** The answer with nothing in it, for a client over its quota: instead of `answer`. What was read counts as not read. */
  throttled(): FetchAnswer;
}

const NO_SESSION = 0;
const INITIAL_EPOCH = 0;
const FINAL_EPOCH = -1;
const FIRST_VERSION_WITH_TOPIC_IDS = 13;

/**
 * The context of a fetch (KIP-227). Epoch 0 asks for a new session and -1 for none, both in place of the one that is named;
 * any other goes on with a session, and names only what changed.
 * @returns an error when the session is unknown, or when this is not the request that it expects
 */
export function fetchContext(
  request: FetchRequest,
  apiVersion: number,
  cache: FetchSessionCache,
  nowMs: number,
): FetchContext | ErrorCode {
  const { sessionId, sessionEpoch } = request;
  const usesTopicIds = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS;
  const wishes = wishesOf(request.topics);
  if (sessionEpoch === FINAL_EPOCH || sessionEpoch === INITIAL_EPOCH) {
    if (sessionId !== NO_SESSION) cache.remove(sessionId);
    if (sessionEpoch === FINAL_EPOCH) return sessionless(wishes);
    return full(wishes, cache, { isPrivileged: replicaIdOf(request, apiVersion) >= 0, usesTopicIds });
  }
  const session = cache.get(sessionId);
  if (session === undefined) return ErrorCode.FETCH_SESSION_ID_NOT_FOUND;
  if (session.epoch !== sessionEpoch) return ErrorCode.INVALID_FETCH_SESSION_EPOCH;
  if (session.usesTopicIds !== usesTopicIds) return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR;
  cache.use(session, nowMs, () => {
    session.update(wishes);
    session.forget(request.forgottenTopicsData);
  });
  if (session.size === 0) {
    cache.remove(sessionId);
    return sessionless(wishes);
  }
  session.epoch = nextSessionEpoch(sessionEpoch);
  return incremental(session);
}

/** The broker that follows; below 0 for a consumer. Versions from 15 on have it elsewhere (KIP-903). */
export function replicaIdOf({ replicaId, replicaState }: FetchRequest, apiVersion: number): number {
  return apiVersion < 15 ? replicaId : replicaState.replicaId;
}

/** A client that asked for a session gets none, and asks again. */
const THROTTLED: FetchAnswer = { errorCode: ErrorCode.NONE, sessionId: NO_SESSION, partitions: [] };

function sessionless(wishes: ReadonlyMap<string, FetchWish>): FetchContext {
  return {
    wishes: [...wishes.values()],
    answer: (partitions) => ({ errorCode: ErrorCode.NONE, sessionId: NO_SESSION, partitions }),
    throttled: () => THROTTLED,
  };
}

/** Answers all, and remembers it when there is room for a session: id 0 says that there was none. */
function full(
  wishes: ReadonlyMap<string, FetchWish>,
  cache: FetchSessionCache,
  kind: Pick<FetchSession, "isPrivileged" | "usesTopicIds">,
): FetchContext {
  return {
    wishes: [...wishes.values()],
    answer(partitions, nowMs) {
      const session = cache.create({ ...kind, size: wishes.size }, nowMs);
      if (session !== undefined) {
        cache.use(session, nowMs, () => session.update(wishes));
        for (const { wish, data } of partitions) session.tell(wish, data);
      }
      return { errorCode: ErrorCode.NONE, sessionId: session?.id ?? NO_SESSION, partitions };
    },
    throttled: () => THROTTLED,
  };
}

/** Answers only what the client does not know yet. */
function incremental(session: FetchSession): FetchContext {
  const { epoch } = session;
  const isCurrent = () => session.epoch === epoch;
  return {
    wishes: session.wishes,
    answer(fetched) {
      // Another connection has gone on with the session while this request waited.
      if (!isCurrent()) {
        return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: session.id, partitions: [] };
      }
      const partitions = fetched.filter(({ wish, data }) => session.tell(wish, data));
      return { errorCode: ErrorCode.NONE, sessionId: session.id, partitions };
    },
    throttled: () => ({
      errorCode: isCurrent() ? ErrorCode.NONE : ErrorCode.INVALID_FETCH_SESSION_EPOCH,
      sessionId: session.id,
      partitions: [],
    }),
  };
}
