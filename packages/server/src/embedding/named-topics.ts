import type { Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";

/** Where the arrays of requests and answers say which topic an element is about. */
const NAMES = ["name", "topic", "topicName"] as const;
const TOPIC_RESOURCE = 2; // ConfigResourceType
/** Their elements have a name that is no topic's. */
const NOT_ABOUT_TOPICS = new Set(["configs", "features", "componentValues", "members", "groups", "components"]);

export type TopicNameOf = (id: Uuid) => string | undefined;

/** The topic that an element of an array is about. */
export function topicOf(element: unknown, nameOf: TopicNameOf): string | undefined {
  if (element === null || typeof element !== "object") return undefined;
  const fields = element as Readonly<Record<string, unknown>>;
  if (fields["resourceType"] === TOPIC_RESOURCE) return String(fields["resourceName"]);
  for (const name of NAMES) {
    const value = fields[name];
    if (typeof value === "string" && value !== "") return value;
  }
  const id = fields["topicId"];
  return typeof id === "string" && id !== ZERO_UUID ? nameOf(id as Uuid) : undefined;
}

/** The arrays at the top of a request, or of an answer, that are about topics. */
function topicArrays(message: object): readonly (readonly [key: string, elements: readonly unknown[]])[] {
  return Object.entries(message).filter(
    (entry): entry is [string, readonly unknown[]] => Array.isArray(entry[1]) && !NOT_ABOUT_TOPICS.has(entry[0]),
  );
}

/** Names of the topics that a request is about, each once. */
export function topicsOf(request: object, nameOf: TopicNameOf): readonly string[] {
  const found = new Set<string>();
  for (const [key, elements] of topicArrays(request)) {
    for (const element of elements) {
      const topic = key === "topicNames" ? String(element) : topicOf(element, nameOf);
      if (topic !== undefined) found.add(topic);
    }
  }
  return [...found];
}

export interface RequestParts {
  readonly matching: object;
  /** Undefined where nothing is left. */
  readonly rest: object | undefined;
}

/** A request as two: what is about the topic, and what is not. Undefined where nothing is. */
export function splitByTopic(request: object, topic: string, nameOf: TopicNameOf): RequestParts | undefined {
  const matching: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  let isMatched = false;
  let isRestLeft = false;
  for (const [key, elements] of topicArrays(request)) {
    const isAbout = (element: unknown) => (key === "topicNames" ? element : topicOf(element, nameOf)) === topic;
    const about = elements.filter(isAbout);
    const others = elements.filter((element) => !isAbout(element));
    matching[key] = about;
    rest[key] = others;
    isMatched ||= about.length > 0;
    isRestLeft ||= others.length > 0;
  }
  if (!isMatched) return undefined;
  return { matching: { ...request, ...matching }, rest: isRestLeft ? { ...request, ...rest } : undefined };
}

/** The answers to both parts as one. */
export function joinAnswers(ofRest: object, ofMatching: object): object {
  const joined: Record<string, unknown> = { ...ofRest };
  for (const [key, elements] of Object.entries(ofMatching)) {
    const others = joined[key];
    if (Array.isArray(elements) && Array.isArray(others)) joined[key] = [...others, ...elements];
  }
  return joined;
}
