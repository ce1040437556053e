import v8 from "node:v8";

/** The heap may grow to five times what is alive in it before all of it is marked again. V8 takes 1.3 times for a small one. */
const HEAP_GROWING_PERCENT = 400;

/**
 * For a process that is a broker and nothing else. Its heap is small and what passes through it is not: V8 counts the buffers of
 * the records as growth, and marks a heap in which nothing has changed, a hundred times for each gigabyte. See docs/decisions/0015.
 */
export function tuneGarbageCollection(): void {
  v8.setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}
