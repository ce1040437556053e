/** How long a peer may take for anything at all. */
const GRACE_MS = 30_000;
/** And the least that it moves in a second. */
const LEAST_BYTES_PER_SECOND = 64 * 1024;
/** While memory is short, others wait for what this peer holds. */
const GRACE_MS_IN_NEED = 5000;
const LEAST_BYTES_PER_SECOND_IN_NEED = 1024 * 1024;

/**
 * How long a peer may take to send the rest of a request of which so many bytes are here, or to take so many bytes of its
 * answers, before its connection is closed. Kafka has no such bound short of `connections.max.idle.ms`; a peer that sends or
 * takes a byte now and then would hold its memory for ever.
 */
export function allowedMs(bytes: number, isMemoryShort: boolean): number {
  return isMemoryShort
    ? GRACE_MS_IN_NEED + (bytes / LEAST_BYTES_PER_SECOND_IN_NEED) * 1000
    : GRACE_MS + (bytes / LEAST_BYTES_PER_SECOND) * 1000;
}
