// A TCP proxy on loopback that passes Kafka frames through and shows each of them to a listener.
//
// It can lower the versions a server advertises: the client then speaks an older version of each API, and one broker yields
// samples of nearly every version. Only the numbers in the ApiVersions answer are changed on their way; every frame
// shown is what the two ends really wrote.
import { createServer, connect } from "node:net";
import { API_VERSIONS, APIS } from "./apis.mjs";

/** Cuts a byte stream into frames (without their length). */
export function frameSplitter(onFrame) {
  let pending = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= 4) {
      const end = 4 + pending.readInt32BE(0);
      if (pending.length < end) return;
      onFrame(pending.subarray(4, end));
      pending = pending.subarray(end);
    }
  };
}

/** Reads key, version, correlation id and client id: the same place in every request header. */
export function readRequestHeader(frame) {
  const clientIdLength = frame.readInt16BE(8);
  return {
    apiKey: frame.readInt16BE(0),
    version: frame.readInt16BE(2),
    correlationId: frame.readInt32BE(4),
    clientId: clientIdLength < 0 ? "" : frame.toString("utf8", 10, 10 + clientIdLength),
  };
}

/** Lowers each maximum in an ApiVersions answer (with its length in front) through `lower(apiKey, min, max)`. */
function lowerVersions(frame, version, lower) {
  const flexible = version >= 3;
  let at = 4 + 4 + 2; // length, correlation id, error code
  let count;
  if (flexible) {
    count = frame[at] - 1;
    if (frame[at] & 0x80) count = (frame[at] & 0x7f) + frame[++at] * 128 - 1;
    at += 1;
  } else {
    count = frame.readInt32BE(at);
    at += 4;
  }
  const copy = Buffer.from(frame);
  for (let i = 0; i < count; i++) {
    const min = copy.readInt16BE(at + 2);
    copy.writeInt16BE(lower(copy.readInt16BE(at), min, copy.readInt16BE(at + 4)), at + 4);
    at += flexible ? 7 : 6;
  }
  return copy;
}

/**
 * @param target where the real server listens
 * @param onFrame called with { kind, apiKey, version, clientId, frame }
 * @param lower called with (clientId, apiKey, min, max); returns the maximum the client shall see
 */
export async function startProxy({ port, target, onFrame, lower }) {
  const sockets = new Set();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const asked = new Map();
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    const onRequest = frameSplitter((frame) => {
      const header = readRequestHeader(frame);
      if (APIS.has(header.apiKey)) {
        asked.set(header.correlationId, header);
        onFrame({ kind: "request", ...header, frame });
      }
    });
    client.on("data", (chunk) => {
      onRequest(chunk);
      upstream.write(chunk);
    });
    const onResponse = frameSplitter((frame) => {
      const header = asked.get(frame.readInt32BE(0));
      asked.delete(frame.readInt32BE(0));
      if (header !== undefined) onFrame({ kind: "response", ...header, frame });
      const whole = Buffer.alloc(4 + frame.length);
      whole.writeInt32BE(frame.length, 0);
      frame.copy(whole, 4);
      const isVersions = header?.apiKey === API_VERSIONS && frame.readInt16BE(4) === 0;
      client.write(isVersions ? lowerVersions(whole, header.version, lower.bind(undefined, header.clientId)) : whole);
    });
    upstream.on("data", onResponse);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
