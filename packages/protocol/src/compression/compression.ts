import { gunzipSync, gzipSync } from "node:zlib";
import type { CompressionType } from "./compression-type.ts";

export function compress(type: Exclude<CompressionType, "none">, bytes: Uint8Array, level?: number): Uint8Array {
  if (type !== "gzip") throw new Error(`${type} is not there yet`);
  return gzipSync(bytes, level === undefined ? {} : { level });
}

export interface DecompressOptions {
  readonly maxBytes?: number;
}

export function decompress(
  type: Exclude<CompressionType, "none">,
  bytes: Uint8Array,
  options: DecompressOptions = {},
): Uint8Array {
  if (type !== "gzip") throw new Error(`${type} is not there yet`);
  return gunzipSync(bytes, options.maxBytes === undefined ? {} : { maxOutputLength: options.maxBytes });
}
