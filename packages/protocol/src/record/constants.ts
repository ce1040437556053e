/** Bytes before the part of a batch that its length counts: the base offset and the length itself. */
export const LOG_OVERHEAD = 12;
/** Bytes of a v2 batch before its first record. */
export const RECORD_BATCH_OVERHEAD = 61;
/** The record format this package reads and writes (KIP-98). */
export const CURRENT_MAGIC = 2;

export const NO_TIMESTAMP = -1;
export const NO_PRODUCER_ID = -1;
export const NO_PRODUCER_EPOCH = -1;
export const NO_SEQUENCE = -1;
export const NO_PARTITION_LEADER_EPOCH = -1;

/*
 *  0        8      12     16  17   21   23     27       35      43       51    53     57     61
 *  │ base   │batch │leader│mag│crc │at- │last  │base    │max    │producer│prod.│base  │record│ records …
 *  │ offset │length│epoch │ic │    │trib│delta │timest. │timest.│id      │epoch│seq.  │count │ (maybe compressed)
 *                              └────┤
 *                                   └── the CRC covers from here to the end: what a leader writes in place lies before it
 */
export const BATCH_LENGTH_AT = 8;
export const PARTITION_LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const BASE_SEQUENCE_AT = 53;
export const RECORD_COUNT_AT = 57;

export const COMPRESSION_MASK = 0x07;
export const TIMESTAMP_TYPE_FLAG = 0x08;
export const TRANSACTIONAL_FLAG = 0x10;
export const CONTROL_FLAG = 0x20;
export const DELETE_HORIZON_FLAG = 0x40;

/** `create-time`: set by the producer. `log-append-time`: the batch's max timestamp holds for every record in it. */
export type TimestampType = "create-time" | "log-append-time";
