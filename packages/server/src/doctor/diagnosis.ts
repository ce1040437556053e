/** What one look found. */
export interface Diagnosis {
  readonly check: string; // node, codecs, data …
  readonly outcome: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do about it; undefined where all is well. */
  readonly advice?: string | undefined;
}

export function ok(check: string, message: string): Diagnosis {
  return { check, outcome: "ok", message };
}

export function warn(check: string, message: string, advice: string): Diagnosis {
  return { check, outcome: "warn", message, advice };
}

export function fail(check: string, message: string, advice: string): Diagnosis {
  return { check, outcome: "fail", message, advice };
}
