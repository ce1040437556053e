export interface TransactionConfig {
  readonly maxTimeoutMs: number; // transaction.max.timeout.ms
  readonly abortTimedOutIntervalMs: number; // transaction.abort.timed.out.transaction.cleanup.interval.ms
  readonly expirationMs: number; // transactional.id.expiration.ms
  readonly removeExpiredIntervalMs: number; // transaction.remove.expired.transaction.cleanup.interval.ms
}
