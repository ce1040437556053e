/** "The client did not ask": the value that leaves a set of operations out of a response. */
export const NO_AUTHORIZED_OPERATIONS = -0x8000_0000;

// AclOperation codes (KIP-430): bit n of the set is the operation with code n.
const READ = 3;
const WRITE = 4;
const CREATE = 5;
const DELETE = 6;
const ALTER = 7;
const DESCRIBE = 8;
const CLUSTER_ACTION = 9;
const DESCRIBE_CONFIGS = 10;
const ALTER_CONFIGS = 11;
const IDEMPOTENT_WRITE = 12;

/** Everything that can be done to a topic: what a broker without an authorizer answers. */
export const ALL_TOPIC_OPERATIONS = bits(READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS);
/** Everything that can be done to the cluster. */
export const ALL_CLUSTER_OPERATIONS = bits(
  CREATE,
  ALTER,
  DESCRIBE,
  CLUSTER_ACTION,
  DESCRIBE_CONFIGS,
  ALTER_CONFIGS,
  IDEMPOTENT_WRITE,
);

/** Everything that can be done to a group. */
export const ALL_GROUP_OPERATIONS = bits(READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS);

function bits(...codes: readonly number[]): number {
  return codes.reduce((set, code) => set | (1 << code), 0);
}
