import { UsageError } from "./exit-code.ts";

/** Where to begin in a partition. */
export type StartAt =
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "last"; readonly count: number } // so many offsets before the end
  | { readonly kind: "time"; readonly timestampMs: number };

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads `start`, `end`, `N`, `-N` and `@time`, where a time is milliseconds since 1970, a date as of ISO 8601, or a span
 * back from now such as `@-15m`. The words of other tools are taken too: `beginning`, `earliest`, `oldest`, `latest`, `newest`.
 * @throws UsageError for anything else
 */
export function startAt(text: string, nowMs: number): StartAt {
  if (["start", "beginning", "earliest", "oldest"].includes(text)) return { kind: "start" };
  if (["end", "latest", "newest"].includes(text)) return { kind: "end" };
  if (/^\d+$/u.test(text) && Number.isSafeInteger(Number(text))) return { kind: "offset", offset: Number(text) };
  if (/^-\d+$/u.test(text) && Number.isSafeInteger(Number(text))) return { kind: "last", count: -Number(text) };
  if (text.startsWith("@")) return { kind: "time", timestampMs: timeOf(text.slice(1), nowMs) };
  throw new UsageError(
    `${JSON.stringify(text)} is no place to begin: start, end, an offset, -N for the last N, or @time ` +
      "(@1700000000000, @2026-01-31T12:00:00Z, @-15m)",
  );
}

/** Milliseconds since 1970 of such, of a date, or of a span back from now. @throws UsageError */
export function timeOf(text: string, nowMs: number): number {
  if (/^\d+$/u.test(text)) return Number(text);
  const span = /^-(\d+)(ms|s|m|h|d)$/u.exec(text);
  if (span !== null) return nowMs - Number(span[1]) * (UNIT_MS[span[2] ?? ""] ?? 0);
  const date = /^\d{4}-/u.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  throw new UsageError(
    `${JSON.stringify(text)} is no time: milliseconds since 1970, a date such as 2026-01-31T12:00:00Z, or a span such as -15m`,
  );
}
