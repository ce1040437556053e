/*
 * OpenTelemetry's `MetricsData` (opentelemetry/proto/metrics/v1/metrics.proto) as far as numbers go, in protobuf's encoding. The libraries
 * that write it bring an SDK with them; this is five messages.
 */

/** One number, or the numbers of several places of which the attributes say which. */
export interface Metric {
  readonly name: string;
  /** A sum only grows; a gauge is what is so now. */
  readonly type: "sum" | "gauge";
  readonly points: readonly MetricPoint[];
}

export interface MetricPoint {
  readonly value: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface MetricsPeriod {
  /** Since when sums count, in milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  /** Whether sums are those of the period alone, or of all time. */
  readonly isDelta: boolean;
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const DELTA = 1;
const CUMULATIVE = 2;
const NANOSECONDS = 1_000_000n;

const encoder = new TextEncoder();

type Bytes = readonly number[] | Uint8Array;

/** @param resource what all of it is about */
export function encodeMetrics(
  metrics: readonly Metric[],
  period: MetricsPeriod,
  resource: Readonly<Record<string, string>> = {},
): Uint8Array {
  const scopeMetrics = message(2, ...metrics.map((metric) => message(2, ...metricFields(metric, period))));
  return Uint8Array.from(message(1, message(1, ...attributes(1, resource)), scopeMetrics));
}

function metricFields({ name, type, points }: Metric, period: MetricsPeriod): Bytes[] {
  const data = points.map((point) => message(1, ...pointFields(point, period)));
  if (type === "gauge") return [text(1, name), message(5, ...data)];
  const temporality = [...tag(2, VARINT), period.isDelta ? DELTA : CUMULATIVE];
  const isMonotonic = [...tag(3, VARINT), 1];
  return [text(1, name), message(7, ...data, temporality, isMonotonic)];
}

function pointFields({ value, attributes: some = {} }: MetricPoint, { startMs, endMs }: MetricsPeriod): Bytes[] {
  return [
    fixed64(2, (view) => view.setBigUint64(0, BigInt(Math.floor(startMs)) * NANOSECONDS, true)),
    fixed64(3, (view) => view.setBigUint64(0, BigInt(Math.floor(endMs)) * NANOSECONDS, true)),
    fixed64(4, (view) => view.setFloat64(0, value, true)),
    ...attributes(7, some),
  ];
}

/** `repeated KeyValue`, whose values are texts. */
function attributes(field: number, some: Readonly<Record<string, string>>): Bytes[] {
  return Object.entries(some).map(([key, value]) => message(field, text(1, key), message(2, text(1, value))));
}

function message(field: number, ...parts: readonly Bytes[]): number[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = [...tag(field, LENGTH_DELIMITED), ...varint(length)];
  for (const part of parts) for (const byte of part) bytes.push(byte);
  return bytes;
}

function text(field: number, value: string): number[] {
  return message(field, encoder.encode(value));
}

function fixed64(field: number, write: (view: DataView) => void): number[] {
  const bytes = new Uint8Array(8);
  write(new DataView(bytes.buffer));
  return [...tag(field, FIXED64), ...bytes];
}

function tag(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
