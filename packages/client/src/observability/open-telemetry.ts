import type { ProducerHeader } from "../producer/record.ts";

/**
 * What is used of `@opentelemetry/api`: hand over the module itself, `new Kafka({ openTelemetry: api })`. There is no dependency on
 * it, and without it nothing happens.
 */
export interface OpenTelemetryApi {
  readonly context: {
    active(): unknown;
    with<T>(context: never, work: () => T): T;
  };
  readonly propagation: {
    inject(context: unknown, carrier: Record<string, string>): void;
    extract(context: unknown, carrier: Record<string, string>): unknown;
  };
}

interface ReadableHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

const decoder = new TextDecoder();

/** The headers with those of the active trace behind them, as W3C's `traceparent` and its like. */
export function withTrace(
  { context, propagation }: OpenTelemetryApi,
  headers: readonly ProducerHeader[],
): readonly ProducerHeader[] {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const added = Object.entries(carrier).map(([key, value]) => ({ key, value }));
  return added.length === 0 ? headers : [...headers, ...added];
}

/** What a record's handler does belongs to the trace that the record came with. */
export function inTraceOf<T>(openTelemetry: OpenTelemetryApi, headers: readonly ReadableHeader[], work: () => T): T {
  return openTelemetry.context.with(traceContextOf(openTelemetry, headers) as never, work);
}

/** The context of the trace that a record came with; of several headers of one name the last counts. */
export function traceContextOf(
  { context, propagation }: OpenTelemetryApi,
  headers: readonly ReadableHeader[],
): unknown {
  const carrier: Record<string, string> = {};
  for (const { key, value } of headers) if (value !== null) carrier[key.toLowerCase()] = decoder.decode(value);
  return propagation.extract(context.active(), carrier);
}
