import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { TransportError } from "@samsa/base";
import { EventLoopDelay } from "./event-loop-delay.ts";
import { type HttpPages, listenHttp } from "./http-listener.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

const pages: HttpPages = (path) => {
  if (path === "/broken") throw new Error("out of ink");
  return path === "/page" ? { status: 200, contentType: "text/plain", body: "grün\n" } : undefined;
};

async function serve(t: { after(done: () => Promise<void>): void }) {
  const listener = await listenHttp(LOOPBACK, pages);
  t.after(() => listener.close());
  return { listener, base: `http://127.0.0.1:${listener.address.port}` };
}

const requests = [
  { method: "GET", path: "/page", status: 200, body: "grün\n" },
  { method: "GET", path: "/page?format=any", status: 200, body: "grün\n" },
  { method: "HEAD", path: "/page", status: 200, body: "" },
  { method: "GET", path: "/", status: 404, body: "there is nothing here\n" },
  { method: "POST", path: "/page", status: 405, body: "only GET and HEAD\n" },
  { method: "GET", path: "/broken", status: 500, body: "out of ink\n" },
];
for (const { method, path, status, body } of requests) {
  test(`${method} ${path} is answered with ${status}`, async (t) => {
    const { base } = await serve(t);
    const response = await fetch(base + path, { method });
    assert.deepEqual([response.status, await response.text()], [status, body]);
  });
}

test("a port that is taken is refused with its address", async (t) => {
  const { listener } = await serve(t);
  await assert.rejects(
    listenHttp(listener.address, pages),
    (error) => error instanceof TransportError && error.code === "EADDRINUSE" && /127\.0\.0\.1:\d+/.test(error.message),
  );
});

test("closing frees the port and ends a connection that asked for nothing yet", async () => {
  const listener = await listenHttp(LOOPBACK, pages);
  const socket = net.connect(listener.address.port, "127.0.0.1");
  const ended = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.on("error", () => {});
  socket.resume();
  socket.write("GET /page HTTP/1.1\r\n");
  await listener.close();
  await ended;
  const again = await listenHttp(listener.address, pages);
  await again.close();
});

test("the delay of the event loop is no number below zero, also before anything was measured", () => {
  const delay = new EventLoopDelay();
  for (const value of Object.values(delay.read())) assert.ok(value >= 0);
  delay.close();
});
