import { readFileSync } from "node:fs";

/**
 * How many descriptors this process may have open, files and sockets together. Node raises the soft limit to the hard one when
 * it starts. Undefined where the system does not say: only Linux is asked.
 */
export function descriptorLimit(): number | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
  return parseDescriptorLimit(text);
}

/** @param text `/proc/PID/limits`, or anything */
export function parseDescriptorLimit(text: string): number | undefined {
  const soft = /^Max open files +(\d+|unlimited) /m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Infinity : Number(soft);
}
