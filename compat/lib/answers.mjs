// Asks a broker what the cases ask, in every version, and finds where the answers of two brokers differ.
import { TcpTransport } from "@samsa/io";
import { RawClient } from "../../packages/server/dist/testing/raw-client.js";
import { API_KEYS, CASES, prepare } from "./answer-cases.mjs";
import { loadCodecs } from "./codecs.mjs";
import { PATIENCE } from "./harness.mjs";

const ANSWER_LIMIT_MS = 5000 * PATIENCE;

async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ANSWER_LIMIT_MS} ms`)), ANSWER_LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The answers of one broker, a list of { api, what, version, answer }. What differs from one run to the next is blotted out.
 * @param port of a broker on this machine that has no topics yet
 */
export async function collectAnswers(port) {
  const codecs = await loadCodecs(Object.keys(API_KEYS));
  const connect = () => RawClient.connect(new TcpTransport(), { host: "127.0.0.1", port });
  let client = await connect();
  const ask = (api, version, fields) => {
    const { request, response } = codecs[api];
    return inTime(client.request(request, response, version, request.create(fields)));
  };
  const { apiKeys } = await ask("ApiVersions", 0, {});
  const ids = await prepare(ask);
  const answers = [];
  for (const [api, what, fieldsOf] of CASES) {
    // What is served without being advertised is asked for in every version that there is.
    const everyVersion = { minVersion: 0, maxVersion: codecs[api].request.highestVersion };
    const { minVersion, maxVersion } = apiKeys.find(({ apiKey }) => apiKey === API_KEYS[api]) ?? everyVersion;
    const lowest = Math.max(minVersion, codecs[api].request.lowestVersion);
    for (let version = lowest; version <= maxVersion; version++) {
      const fields = fieldsOf(ids, version);
      if (fields === undefined) continue; // cannot be asked in this version
      try {
        answers.push({ api, what, version, answer: comparable(await ask(api, version, fields)) });
      } catch (error) {
        answers.push({ api, what, version, answer: { failure: error.message } });
        client.close();
        client = await connect();
      }
    }
  }
  client.close();
  return answers;
}

const CHANGING = new Set([
  "logDir",
  "totalBytes",
  "usableBytes",
  "clusterId",
  "port",
  "topicId",
  "producerId",
  "logAppendTimeMs",
  "finalizedFeaturesEpoch",
  "sessionId",
  "subscriptionId",
]);
const TEXTS = new Set(["errorMessage", "batchIndexErrorMessage", "documentation"]);
const NO_VALUES = new Set([null, -1, "", "AAAAAAAAAAAAAAAAAAAAAA"]);
const isNoValue = (key, value) => NO_VALUES.has(value) || (key === "sessionId" && value === 0);
const SERVED = new Set(Object.values(API_KEYS));

/** Plain data; lists in an order of their own, because few answers have one. Of texts it counts whether there is one. */
function comparable(value, key = "") {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) {
    const served = key === "apiKeys" ? value.filter(({ apiKey }) => SERVED.has(apiKey)) : value;
    return byIdentity(served.map((element) => comparable(element)));
  }
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, comparable(field, name)]));
  }
  return (CHANGING.has(key) || TEXTS.has(key)) && !isNoValue(key, value) ? "(some)" : value;
}

const IDENTITY = [
  "name",
  "user",
  "topic",
  "topicId",
  "partitionIndex",
  "index",
  "resourceType",
  "resourceName",
  "entityType",
  "apiKey",
  "key",
  "brokerId",
  "nodeId",
];

/** A list of structs as a map by what identifies each of them; several with one identity are numbered. */
function byIdentity(list) {
  if (list.length === 0 || typeof list[0] !== "object") return list;
  const map = {};
  for (const element of list) {
    const identity = IDENTITY.map((field) => element[field]);
    const label = identity.filter((part) => part !== undefined && part !== null && part !== "").join(" ");
    let unique = label;
    for (let n = 2; unique in map; n++) unique = `${label} #${n}`;
    map[unique] = element;
  }
  return map;
}

/** The paths at which two values differ, with both values. */
export function differences(theirs, ours, path = "") {
  const areStructs = [theirs, ours].every((value) => value !== null && typeof value === "object");
  if (!areStructs) return theirs === ours ? [] : [{ path, theirs, ours }];
  const names = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
  return [...names].flatMap((name) => differences(theirs[name], ours[name], `${path}/${name}`));
}
