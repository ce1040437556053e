import { INT64_MAX, INT64_MIN } from "@samsa/base";

const TWO_32 = 0x1_0000_0000;

/** The int64 at `offset`: exact within the safe range, else the nearest double, which no safe integer equals. */
export function getInt64(view: DataView, offset: number): number {
  return view.getInt32(offset) * TWO_32 + view.getUint32(offset + 4);
}

/** Writes a safe integer, or one of the extremes of int64; the caller has checked that it is one. */
export function setInt64(view: DataView, offset: number, value: number): void {
  if (value === INT64_MAX) {
    view.setUint32(offset, 0x7fffffff);
    view.setUint32(offset + 4, 0xffffffff);
    return;
  }
  view.setInt32(offset, value === INT64_MIN ? -0x80000000 : Math.floor(value / TWO_32));
  view.setUint32(offset + 4, value >>> 0);
}
