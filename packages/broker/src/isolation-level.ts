import { ErrorCode, KafkaError } from "@samsa/base";
import type { IsolationLevel } from "@samsa/replication";

const LEVELS: readonly IsolationLevel[] = ["read-uncommitted", "read-committed"]; // by their codes

/**
 * The isolation level that a request names by its code.
 * @throws KafkaError INVALID_REQUEST for one that we do not know: to read less strictly than was asked would be worse
 */
export function isolationLevelOf(code: number): IsolationLevel {
  const level = LEVELS[code];
  if (level === undefined) throw new KafkaError(ErrorCode.INVALID_REQUEST, `there is no isolation level ${code}`);
  return level;
}
