import type { Address } from "@samsa/base";

/** Who asks: what the header and the connection say about a request. */
export interface RequestContext {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly listenerName: string; // names the endpoints that are answered
  readonly clientAddress: Address;
  /** Calls once when the client is gone; returns how to take that back. */
  readonly onDisconnect: (callback: () => void) => () => void;
}
