export { jsonText } from "@samsa/protocol";
export type { Json } from "@samsa/protocol";
export { canDump, dumpItemText } from "@samsa/log";
export type { DumpItem, DumpOptions, DumpSink, RecordDecoder } from "@samsa/log";
export { dumpFiles } from "./offline/dump-files.ts";
export { StartError } from "./server-error.ts";
export { startBroker } from "./start-broker.ts";
export type { RunningBroker, StartBrokerOptions } from "./start-broker.ts";
