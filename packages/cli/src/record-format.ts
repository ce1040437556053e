import { UsageError } from "./exit-code.ts";

/** What a line can show of a record; the record of `@samsa/client` has this shape. */
export interface ShownRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  headers(): readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

/** Turns a record into the bytes that go to stdout, piece by piece. */
export type RecordFormat = (record: ShownRecord, put: (bytes: Uint8Array) => void) => void;

type Piece = (record: ShownRecord) => Uint8Array;

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const NEWLINE = encoder.encode("\n");

/** Every token of `--format`, with what it stands for. */
export const FORMAT_TOKENS = {
  "%t": "topic",
  "%p": "partition",
  "%o": "offset",
  "%T": "timestamp, milliseconds since 1970",
  "%k": "key (nothing when null)",
  "%s": "value (nothing when null); also %v",
  "%h": "headers as name=value,name=value",
  "%K": "bytes of the key, -1 when null",
  "%S": "bytes of the value, -1 when null",
  "%%": "a percent sign",
  "\\n \\r \\t \\\\ \\xHH": "the usual escapes",
} as const;

const TOKENS: Readonly<Record<string, Piece>> = {
  t: (record) => encoder.encode(record.topic),
  p: (record) => encoder.encode(String(record.partition)),
  o: (record) => encoder.encode(String(record.offset)),
  T: (record) => encoder.encode(String(record.timestamp)),
  k: (record) => record.key ?? EMPTY,
  s: (record) => record.value ?? EMPTY,
  v: (record) => record.value ?? EMPTY,
  h: headersOf,
  K: (record) => encoder.encode(String(record.key?.length ?? -1)),
  S: (record) => encoder.encode(String(record.value?.length ?? -1)),
};

/** The value and a newline: what came from a text file goes back to one, byte for byte. */
export const valueLines: RecordFormat = (record, put) => {
  if (record.value !== null) put(record.value);
  put(NEWLINE);
};

/**
 * One JSON object a line. Keys and values are text where they are UTF-8, `null` where they are null, and
 * `{"base64": "…"}` where they are neither.
 */
export const jsonLines: RecordFormat = (record, put) => {
  const shown = {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    key: jsonBytes(record.key),
    value: jsonBytes(record.value),
    headers: record.headers().map(({ key, value }) => ({ key, value: jsonBytes(value) })),
  };
  put(encoder.encode(`${JSON.stringify(shown)}\n`));
};

/**
 * Reads a format in the manner of kcat.
 * @throws UsageError for a token nobody knows
 */
export function recordFormat(format: string): RecordFormat {
  const pieces: Piece[] = [];
  for (let at = 0; at < format.length;) {
    if (format[at] === "%") {
      const letter = format[at + 1] ?? "";
      const piece = letter === "%" ? constant("%") : Object.hasOwn(TOKENS, letter) ? TOKENS[letter] : undefined;
      if (piece === undefined) throw unknownToken(`%${letter}`);
      pieces.push(piece);
      at += 2;
      continue;
    }
    const next = format.indexOf("%", at);
    const end = next < 0 ? format.length : next;
    pieces.push(constant(format.slice(at, end)));
    at = end;
  }
  return (record, put) => {
    for (const piece of pieces) {
      const bytes = piece(record);
      if (bytes.length > 0) put(bytes);
    }
  };
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, "0": 0, "\\": 92 };

/**
 * Reads `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH`, as separators and formats have them. The result is bytes, since `\xff` is no text.
 * @throws UsageError for another escape
 */
export function unescapeBytes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part, hex, letter] of text.matchAll(/\\x([0-9a-fA-F]{2})|\\([\s\S]?)|[^\\]+/gu)) {
    if (hex !== undefined) {
      bytes.push(Number.parseInt(hex, 16));
    } else if (letter === undefined) {
      bytes.push(...encoder.encode(part));
    } else {
      const byte = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (byte === undefined) throw unknownToken(part);
      bytes.push(byte);
    }
  }
  return Uint8Array.from(bytes);
}

function constant(text: string): Piece {
  const bytes = unescapeBytes(text);
  return () => bytes;
}

function headersOf(record: ShownRecord): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { key, value } of record.headers()) {
    parts.push(encoder.encode(`${parts.length === 0 ? "" : ","}${key}=`), value ?? EMPTY);
  }
  return parts.length === 0 ? EMPTY : Buffer.concat(parts);
}

function jsonBytes(bytes: Uint8Array | null): string | { readonly base64: string } | null {
  if (bytes === null) return null;
  const text = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
  try {
    return text.decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
  }
}

function unknownToken(token: string): UsageError {
  const known = Object.keys(FORMAT_TOKENS).join(" ");
  return new UsageError(`${JSON.stringify(token)} means nothing in a format; there are ${known}`);
}
