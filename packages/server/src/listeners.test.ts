import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokerConfig } from "@samsa/metadata";
import { advertisedListeners, clientListeners, parseListeners } from "./listeners.ts";
import { StartError } from "./server-error.ts";

const parsed = [
  { entry: "PLAINTEXT://127.0.0.1:9092", name: "PLAINTEXT", host: "127.0.0.1", port: 9092, why: "the usual form" },
  { entry: "plaintext://localhost:0", name: "PLAINTEXT", host: "localhost", port: 0, why: "names are upper case" },
  { entry: "PLAINTEXT://:9092", name: "PLAINTEXT", host: "127.0.0.1", port: 9092, why: "no host is loopback here" },
  { entry: "PLAINTEXT://[::1]:9092", name: "PLAINTEXT", host: "[::1]", port: 9092, why: "IPv6 stands in brackets" },
];
for (const { entry, name, host, port, why } of parsed) {
  test(`${entry} is read: ${why}`, () => {
    assert.deepEqual(parseListeners("listeners", [entry]), [{ name, address: { host, port } }]);
  });
}

for (const entry of ["", "9092", "PLAINTEXT://host", "PLAINTEXT://host:70000", "PLAINTEXT://::1:9092", "://h:1"]) {
  test(`${JSON.stringify(entry)} is no listener`, () => {
    assert.throws(() => parseListeners("listeners", [entry]), StartError);
  });
}

test("a listener name may stand once", () => {
  assert.throws(() => parseListeners("listeners", ["A://h:1", "a://h:2"]), /twice/);
});

test("the controller's listener is not for clients", () => {
  const config = BrokerConfig.of({
    listeners: "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
    "controller.listener.names": "CONTROLLER",
  });
  assert.deepEqual(
    clientListeners(config, false).map(({ name }) => name),
    ["PLAINTEXT"],
  );
});

const refused = [
  {
    listeners: "PLAINTEXT://0.0.0.0:9092",
    message: /samsa\.allow\.open\.listeners=true/,
    why: "it is open to the world",
  },
  { listeners: "PLAINTEXT://10.1.2.3:9092", message: /network/, why: "it is open to a network" },
  { listeners: "SSL://127.0.0.1:9092", message: /only PLAINTEXT/, why: "TLS is not served yet" },
];
for (const { listeners, message, why } of refused) {
  test(`${listeners} is refused: ${why}`, () => {
    assert.throws(() => clientListeners(BrokerConfig.of({ listeners }), false), message);
  });
}

test("a listener of another name is plaintext where the map says so", () => {
  const config = BrokerConfig.of({
    listeners: "INTERNAL://127.0.0.1:9092",
    "listener.security.protocol.map": "INTERNAL:PLAINTEXT",
  });
  assert.equal(clientListeners(config, false)[0]?.name, "INTERNAL");
});

test("clients are told the bound address, or the advertised one with the bound port where it says 0", () => {
  const bound = [{ name: "PLAINTEXT", address: { host: "[::1]", port: 41_234 } }];
  const told = (advertised?: string) =>
    advertisedListeners(BrokerConfig.of(advertised === undefined ? {} : { "advertised.listeners": advertised }), bound);
  assert.deepEqual(told()[0]?.address, { host: "::1", port: 41_234 });
  assert.deepEqual(told("PLAINTEXT://kafka.example:0")[0]?.address, { host: "kafka.example", port: 41_234 });
  assert.deepEqual(told("PLAINTEXT://kafka.example:9")[0]?.address, { host: "kafka.example", port: 9 });
});

test("an address that no client can connect to is not advertised", () => {
  const bound = [{ name: "PLAINTEXT", address: { host: "0.0.0.0", port: 9092 } }];
  assert.throws(() => advertisedListeners(BrokerConfig.of({}), bound), /advertised\.listeners/);
});
