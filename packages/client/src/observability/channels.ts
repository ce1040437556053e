import { channel } from "node:diagnostics_channel";

/*
 * What happens inside, for whoever subscribes; a channel without subscribers costs nothing. Messages are plain objects, and
 * subscribers must not change what they are given.
 */

/** `{ broker }` */
export const connectionOpened = channel("samsa:client:connection:open");
/** `{ broker, error }` */
export const connectionClosed = channel("samsa:client:connection:close");
/** `{ broker, api, version, correlationId }`, as it leaves */
export const requestSent = channel("samsa:client:request:send");
/** `{ broker, api, version, correlationId, tookMs }` */
export const responseReceived = channel("samsa:client:request:response");
/** `{ topics, brokers }`, after an answer was taken in */
export const metadataUpdated = channel("samsa:client:metadata:update");
/** `{ topic, partition, recordCount, sizeInBytes, attempts, broker }` */
export const batchSent = channel("samsa:producer:batch:send");
/** `{ topic, partition, recordCount, sizeInBytes, attempts, baseOffset }` */
export const batchDelivered = channel("samsa:producer:batch:delivered");
/** `{ topic, partition, recordCount, sizeInBytes, attempts, error }` */
export const batchFailed = channel("samsa:producer:batch:failed");
/** `{ groupId, memberId, generationId, assigned }` or with `revoked` or `lost` in the place of `assigned`; each a list of `{ topic, partition }` */
export const groupRebalanced = channel("samsa:consumer:group:rebalance");
/** `{ groupId, blockedMs, records }`: what was worked on when nothing else could run */
export const eventLoopBlocked = channel("samsa:consumer:event-loop:blocked");
