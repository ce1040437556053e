import { BROKER_CONFIGS, TOPIC_CONFIGS } from "@samsa/metadata";

/** Every key that a broker's configuration may have, Kafka's and ours; those of one listener have a prefix besides. */
export function brokerConfigNames(): readonly string[] {
  return [...BROKER_CONFIGS.keys(), ALLOW_OPEN_LISTENERS];
}

/** Every key that a topic's configuration may have. */
export function topicConfigNames(): readonly string[] {
  return [...TOPIC_CONFIGS.keys()];
}

/** Ours, not Kafka's: allows a listener without authentication on an address that is not loopback. */
export const ALLOW_OPEN_LISTENERS = "samsa.allow.open.listeners";
