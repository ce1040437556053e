import { BROKER_CONFIGS, TOPIC_CONFIGS } from "@samsa/metadata";

/** Every key that a broker's configuration may have, Kafka's and ours; those of one listener have a prefix besides. */
export function brokerConfigNames(): readonly string[] {
  return [...BROKER_CONFIGS.keys(), ALLOW_OPEN_LISTENERS, BUSY_POLL_MS];
}

/** Every key that a topic's configuration may have. */
export function topicConfigNames(): readonly string[] {
  return [...TOPIC_CONFIGS.keys()];
}

/** Ours, not Kafka's: allows a listener without authentication on an address that is not loopback. */
export const ALLOW_OPEN_LISTENERS = "samsa.allow.open.listeners";

/**
 * Ours, not Kafka's: how long after a request the broker looks for the next one without sleeping, in milliseconds. Answers come sooner, and
 * as long as requests do it takes a core. Default 0: it sleeps.
 */
export const BUSY_POLL_MS = "samsa.busy.poll.ms";
