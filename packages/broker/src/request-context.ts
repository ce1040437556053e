import type { Address } from "@samsa/base";
import type { LoopTime } from "./quota/loop-time.ts";

/** Of one connection. */
export interface ClientSoftware {
  name: string;
  version: string;
}

/** Who asks: what the header and the connection say about a request. */
export interface RequestContext {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly listenerName: string; // names the endpoints that are answered
  readonly clientAddress: Address;
  /** What the client says that it runs, once it has asked for ApiVersions; `unknown` before. */
  readonly clientSoftware: ClientSoftware;
  readonly user: string; // who has logged in; ANONYMOUS without a login
  readonly requestBytes: number; // of the whole request, header and all
  /** The next request of this connection is there already: what can be done for both at once may wait for it. */
  readonly isFollowed: boolean;
  readonly loopTime: Pick<LoopTime, "leave" | "spentMs">;
  /** Calls once when the client is gone; returns how to take that back. */
  readonly onDisconnect: (callback: () => void) => () => void;
}
