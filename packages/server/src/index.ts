export { StartError } from "./server-error.ts";
export { startBroker } from "./start-broker.ts";
export type { RunningBroker, StartBrokerOptions } from "./start-broker.ts";
