/**
 * Handlers of a consumer that write exactly once, in a transaction a batch: a step from one topic to another, as `kafka.exactlyOnce` is.
 * `close` lets what is under way end.
 */
export function exactlyOnceHandlers(kafka, { groupId, transactionalId, from, to, process, consumer, producer }) {
  const writer = kafka.producer({ ...producer, transactionalId });
  const reader = kafka.consumer({
    ...consumer,
    groupId,
    autoOffsetReset: "earliest",
    isolationLevel: "read_committed",
    enableAutoCommit: false,
  });
  reader.subscribe(from);
  const stop = new AbortController();
  const done = reader.run({
    deliveryGuarantee: "exactly-once",
    producer: writer,
    signal: stop.signal,
    async eachRecord(record, transaction) {
      if (!transaction.write({ topic: to, ...process(record) })) await transaction.ready();
    },
  });
  const close = async () => {
    stop.abort();
    await done;
    await reader.close();
    await writer.close();
  };
  return { done, close };
}
