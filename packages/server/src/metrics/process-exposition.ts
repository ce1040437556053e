import process from "node:process";
import type { EventLoopDelay } from "@samsa/io";
import type { Exposition } from "./exposition.ts";

/** The process, under the names that prom-client gives it. */
export function exposeProcess(exposition: Exposition, eventLoop: EventLoopDelay): void {
  const memory = [
    ["process_resident_memory_bytes", "Resident memory", "rss"],
    ["nodejs_heap_size_total_bytes", "Size of the heap", "heapTotal"],
    ["nodejs_heap_size_used_bytes", "Used of the heap", "heapUsed"],
    ["nodejs_external_memory_bytes", "Memory outside of the heap, buffers included", "external"],
  ] as const;
  for (const [name, help, key] of memory) exposition.gauge(name, help, [], () => [[{}, process.memoryUsage()[key]]]);

  exposition.counter("process_cpu_user_seconds_total", "CPU time in user mode", [], () => [
    [{}, process.cpuUsage().user / 1e6],
  ]);
  exposition.counter("process_cpu_system_seconds_total", "CPU time in system mode", [], () => [
    [{}, process.cpuUsage().system / 1e6],
  ]);
  exposition.gauge("nodejs_eventloop_lag_seconds", "How late the event loop was since the last scrape", ["of"], () => {
    return Object.entries(eventLoop.read()).map(([of, seconds]) => [{ of }, seconds] as const);
  });
}
