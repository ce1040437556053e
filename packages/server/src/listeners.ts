import type { Address } from "@samsa/base";
import type { BrokerConfig } from "@samsa/metadata";
import { StartError } from "./server-error.ts";

/** One entry of `listeners` or `advertised.listeners`. */
export interface ListenerConfig {
  readonly name: string; // PLAINTEXT, or a name of `listener.security.protocol.map`
  readonly address: Address;
}

const ENTRY = /^(?<name>[A-Za-z0-9_]+):\/\/(?<host>\[[0-9A-Fa-f:.%]+\]|[^:/[\]]*):(?<port>\d{1,5})$/;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/;
const ANY_HOST: readonly string[] = ["0.0.0.0", "::", "[::]"];
const DEFAULT_HOST = "127.0.0.1";

/**
 * Reads `NAME://host:port,…`. An empty host is loopback (Kafka would bind every interface).
 * @throws StartError naming the entry
 */
export function parseListeners(key: string, entries: readonly string[]): readonly ListenerConfig[] {
  const names = new Set<string>();
  return entries.map((entry) => {
    const match = ENTRY.exec(entry.trim());
    const { name, host, port } = match?.groups ?? {};
    if (name === undefined || Number(port) > 65_535) {
      throw new StartError(`${key}: ${JSON.stringify(entry)} is no listener; write NAME://HOST:PORT`);
    }
    const upper = name.toUpperCase();
    if (names.has(upper)) throw new StartError(`${key}: the listener name ${upper} is given twice`);
    names.add(upper);
    return { name: upper, address: { host: host === "" ? DEFAULT_HOST : (host ?? ""), port: Number(port) } };
  });
}

/**
 * The client listeners of this node. Controller listeners are left out: a quorum of one talks to itself.
 * @throws StartError for a protocol that is not served, or a listener open to the world that was not asked for by name
 */
export function clientListeners(config: BrokerConfig, isOpenAllowed: boolean): readonly ListenerConfig[] {
  const controllerNames = new Set(listOf(config, "controller.listener.names"));
  const protocols = protocolMap(config);
  const listeners = parseListeners("listeners", config.list("listeners")).filter(
    ({ name }) => !controllerNames.has(name),
  );
  if (listeners.length === 0) throw new StartError("listeners: none is left for clients");
  for (const { name, address } of listeners) {
    const protocol = protocols.get(name) ?? name;
    if (protocol !== "PLAINTEXT") {
      throw new StartError(`listeners: ${name} asks for ${protocol}, and only PLAINTEXT is served so far`);
    }
    if (!LOOPBACK.test(address.host) && !isOpenAllowed) {
      throw new StartError(
        `listeners: ${name}://${address.host} lets anyone on the network in, without a password. ` +
          "If that is what you want, say so: -X samsa.allow.open.listeners=true",
      );
    }
  }
  return listeners;
}

/**
 * Where clients are told to go: `advertised.listeners` where set, else the address that is bound.
 * @param bound the listeners with their real ports
 * @throws StartError for an address that no client can reach
 */
export function advertisedListeners(config: BrokerConfig, bound: readonly ListenerConfig[]): readonly ListenerConfig[] {
  const advertised = parseListeners("advertised.listeners", listOf(config, "advertised.listeners"));
  const byName = new Map(advertised.map((listener) => [listener.name, listener]));
  return bound.map(({ name, address }) => {
    const host = byName.get(name)?.address.host ?? address.host;
    // Port 0 is "the one that was bound", so that a test can advertise a name and take any port.
    const port = byName.get(name)?.address.port || address.port;
    if (ANY_HOST.includes(host)) {
      throw new StartError(
        `advertised.listeners: ${name} would tell clients to connect to ${host}; ` +
          `set the address they reach, e.g. -X advertised.listeners=${name}://kafka.example:${port}`,
      );
    }
    return { name, address: { host: host.replace(/^\[|\]$/g, ""), port } };
  });
}

/** A list, empty where it is not set. */
function listOf(config: BrokerConfig, name: string): readonly string[] {
  return config.value(name) === null ? [] : config.list(name);
}

/** Security protocol by listener name: `NAME:PROTOCOL,…`. */
function protocolMap(config: BrokerConfig): ReadonlyMap<string, string> {
  const protocols = new Map<string, string>();
  for (const pair of config.string("listener.security.protocol.map").split(",")) {
    const [name = "", protocol = ""] = pair.split(":", 2);
    protocols.set(name.trim().toUpperCase(), protocol.trim().toUpperCase());
  }
  return protocols;
}
