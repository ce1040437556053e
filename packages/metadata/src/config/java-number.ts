import { INT64_MAX, INT64_MIN } from "@samsa/base";

const BOUNDS = {
  short: { lowest: -(2n ** 15n), highest: 2n ** 15n - 1n },
  int: { lowest: -(2n ** 31n), highest: 2n ** 31n - 1n },
  long: { lowest: -(2n ** 63n), highest: 2n ** 63n - 1n },
} as const;

export type JavaNumberType = keyof typeof BOUNDS | "double";

/**
 * Reads a number as Java's `Integer.parseInt`, `Double.parseDouble` and their like do. A long beyond the safe range becomes
 * the nearest number, its extremes INT64_MAX and INT64_MIN.
 * @returns undefined when the text is no number of this type
 */
export function parseNumber(text: string, type: JavaNumberType): number | undefined {
  if (type === "double") return parseDouble(text);
  if (!/^[+-]?\d{1,40}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  const { lowest, highest } = BOUNDS[type];
  return value < lowest || value > highest ? undefined : Number(value);
}

/** Writes a number as Java's `toString` of its type does: `9223372036854775807`, `1.0`, `1.0E7`. */
export function formatNumber(value: number, type: JavaNumberType): string {
  if (type === "double") return formatDouble(value);
  if (value === INT64_MAX) return "9223372036854775807";
  if (value === INT64_MIN) return "-9223372036854775808";
  return BigInt(value).toString();
}

function parseDouble(text: string): number | undefined {
  if (/^[+-]?(NaN|Infinity)$/.test(text)) return Number(text.replace(/^[+-](?=NaN)/, ""));
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?$/.test(text) ? Number.parseFloat(text) : undefined;
}

function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return "-0.0";
  const magnitude = Math.abs(value);
  if (value === 0 || (magnitude >= 1e-3 && magnitude < 1e7)) {
    const text = String(value);
    return text.includes(".") ? text : `${text}.0`;
  }
  const [mantissa = "", exponent = ""] = value.toExponential().split("e");
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}E${exponent.replace("+", "")}`;
}
