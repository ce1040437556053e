/**
 * int64 values are `number` (docs/decisions/0001): exact within the safe range, and at the two extremes, which Kafka uses as
 * sentinels. Nothing else outside the safe range is read or written.
 */

/** 2^63 - 1 on the wire ("no limit"); as a number it is the double 2^63. */
export const INT64_MAX = 2 ** 63;
/** -2^63, exact as a double. */
export const INT64_MIN = -(2 ** 63);

/** Whether the value can be written as an int64 and read back equal. */
export function isInt64(value: number): boolean {
  return Number.isSafeInteger(value) || value === INT64_MAX || value === INT64_MIN;
}
