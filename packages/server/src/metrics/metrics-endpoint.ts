import { TransportError } from "@samsa/base";
import type { HttpPage } from "@samsa/io";
import { EventLoopDelay, listenHttp } from "@samsa/io";
import { Registry } from "prom-client";
import type { Closers } from "../storage.ts";
import { StartError } from "../server-error.ts";
import type { BrokerSources } from "./broker-exposition.ts";
import { exposeBroker } from "./broker-exposition.ts";
import { Exposition } from "./exposition.ts";
import { exposeProcess } from "./process-exposition.ts";

/** Figures tell a stranger a lot, and the page has no password: this machine only. */
const HOST = "127.0.0.1";
const PLAIN = "text/plain; charset=utf-8";

export interface MetricsEndpointOptions extends BrokerSources {
  /** 0 takes any free port. */
  readonly port: number;
  /** It can no longer keep its promises. */
  readonly hasFailed: () => boolean;
}

export interface MetricsEndpoint {
  readonly port: number;
  /** From now on it is ready. */
  serves(): void;
  /** From now on it is not ready; the pages stay. */
  stops(): void;
}

/**
 * `/metrics`, `/health/live` (200 while the process answers and has not failed) and `/health/ready` (200 while clients are
 * served). Alive before the broker is and until after it has drained, so that both are seen.
 * @throws StartError for a port that cannot be had
 */
export async function startMetricsEndpoint(
  options: MetricsEndpointOptions,
  closers: Closers,
): Promise<MetricsEndpoint> {
  let isReady = false;
  const registry = new Registry();
  const exposition = new Exposition(registry);
  let rendering: Promise<string> | undefined;
  /** Who asks while a page is being made gets the same. */
  const render = async (): Promise<HttpPage> => {
    rendering ??= registry.metrics().finally(() => (rendering = undefined));
    return { status: 200, contentType: registry.contentType, body: await rendering };
  };
  const listener = await listen(options.port, (path) => {
    switch (path) {
      case "/metrics":
        return render();
      case "/health/live":
        return options.hasFailed() ? health(503, "failed") : health(200, "live");
      case "/health/ready":
        return isReady && !options.hasFailed() ? health(200, "ready") : health(503, "not ready");
      default:
        return undefined;
    }
  });
  closers.defer(() => listener.close());
  const eventLoop = new EventLoopDelay();
  closers.defer(() => eventLoop.close());
  exposeBroker(exposition, options);
  exposeProcess(exposition, eventLoop);
  return {
    port: listener.address.port,
    serves() {
      isReady = true;
    },
    stops() {
      isReady = false;
    },
  };
}

async function listen(port: number, pages: Parameters<typeof listenHttp>[1]) {
  try {
    return await listenHttp({ host: HOST, port }, pages);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    const why = error.code === "EADDRINUSE" ? "it is taken" : error.message;
    throw new StartError(`no metrics on port ${port} of ${HOST}: ${why}; give another port, or 0 for any that is free`);
  }
}

function health(status: number, word: string): HttpPage {
  return { status, contentType: PLAIN, body: `${word}\n` };
}
