/** Kafka's names and the numbers they have on the wire. */
export const CONFIG_RESOURCE_TYPES = { topic: 2, broker: 4, broker_logger: 8, client_metrics: 16, group: 32 } as const;
export const CONFIG_SOURCES = {
  unknown: 0,
  dynamic_topic_config: 1,
  dynamic_broker_config: 2,
  dynamic_default_broker_config: 3,
  static_broker_config: 4,
  default_config: 5,
  dynamic_broker_logger_config: 6,
  dynamic_client_metrics_config: 7,
  dynamic_group_config: 8,
} as const;
export const CONFIG_TYPES = {
  unknown: 0,
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
} as const;
export const CONFIG_OPERATIONS = { set: 0, delete: 1, append: 2, subtract: 3 } as const;
export const ACL_RESOURCE_TYPES = {
  unknown: 0,
  any: 1,
  topic: 2,
  group: 3,
  cluster: 4,
  transactional_id: 5,
  delegation_token: 6,
  user: 7,
} as const;
export const ACL_PATTERN_TYPES = { unknown: 0, any: 1, match: 2, literal: 3, prefixed: 4 } as const;
export const ACL_OPERATIONS = {
  unknown: 0,
  any: 1,
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  cluster_action: 9,
  describe_configs: 10,
  alter_configs: 11,
  idempotent_write: 12,
  create_tokens: 13,
  describe_tokens: 14,
  two_phase_commit: 15,
} as const;
export const ACL_PERMISSIONS = { unknown: 0, any: 1, deny: 2, allow: 3 } as const;
export const SCRAM_MECHANISMS = { unknown: 0, "SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2 } as const;
export const UPGRADE_TYPES = { upgrade: 1, safe_downgrade: 2, unsafe_downgrade: 3 } as const;
export const ELECTION_TYPES = { preferred: 0, unclean: 1 } as const;

export type NameOf<Table> = keyof Table & string;
export type AclOperation = NameOf<typeof ACL_OPERATIONS>;

/** The name of a number; numbers of later Kafkas are "unknown", or the first name where there is no such. */
export function nameOf<Table extends Readonly<Record<string, number>>>(table: Table, value: number): NameOf<Table> {
  const names = Object.keys(table) as NameOf<Table>[];
  return names.find((name) => table[name] === value) ?? (names[0] as NameOf<Table>);
}

const NOT_TOLD = -2_147_483_648;

/** The operations of a bit field, undefined when the broker was not asked. */
export function operationsOf(bits: number): readonly AclOperation[] | undefined {
  if (bits === NOT_TOLD) return undefined;
  const names = Object.keys(ACL_OPERATIONS) as AclOperation[];
  return names.filter((name) => (bits & (1 << ACL_OPERATIONS[name])) !== 0);
}
