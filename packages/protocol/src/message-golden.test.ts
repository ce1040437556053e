/** Frames of real clients and brokers: each is read, leaves nothing, and is written again as it was. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ByteReader, ByteWriter } from "@samsa/base";
import { RequestHeader } from "./generated/request-header.ts";
import { ResponseHeader } from "./generated/response-header.ts";
import { requestHeaderVersion, responseHeaderVersion } from "./headers.ts";
import { loadMessages } from "./testing/message-schemas.ts";

const GOLDEN = fileURLToPath(new URL("../test-fixtures/golden/", import.meta.url));

interface GoldenFrame {
  readonly apiKey: number;
  readonly apiName: string;
  readonly version: number;
  readonly kind: "request" | "response";
  readonly client: string;
  readonly headerVersion: number;
  readonly hex: string; // without the length that opens a frame
}

const codecs = new Map((await loadMessages()).map(({ schema, codec }) => [schema.name, codec]));

for (const frame of goldenFrames()) {
  const { apiKey, apiName, version, kind, client, headerVersion, hex } = frame;
  test(`${apiName} ${kind} ${version} of ${client} (${hex.length / 2} bytes)`, () => {
    const bytes = Buffer.from(hex, "hex");
    const isRequest = kind === "request";
    const codec = codecs.get(apiName + (isRequest ? "Request" : "Response"));
    assert.ok(codec !== undefined);
    const expectedHeader = isRequest ? requestHeaderVersion(apiKey, version) : responseHeaderVersion(apiKey, version);
    assert.equal(headerVersion, expectedHeader);

    const reader = new ByteReader(bytes);
    const writer = new ByteWriter();
    if (isRequest) {
      const header = RequestHeader.read(reader, headerVersion);
      assert.deepEqual([header.requestApiKey, header.requestApiVersion], [apiKey, version]);
      RequestHeader.write(writer, header, headerVersion);
    } else {
      ResponseHeader.write(writer, ResponseHeader.read(reader, headerVersion), headerVersion);
    }
    const message = codec.read(reader, version);
    assert.equal(reader.remaining, 0, "bytes are left");
    codec.write(writer, message, version);
    assert.equal(Buffer.from(writer.toBytes()).toString("hex"), hex);
  });
}

test("real traffic has been captured for at least 60 pairs of message and version", () => {
  const pairs = new Set(goldenFrames().map(({ apiName, kind, version }) => `${apiName} ${kind} ${version}`));
  assert.ok(pairs.size >= 60, `${pairs.size} pairs`);
});

function goldenFrames(): readonly GoldenFrame[] {
  if (!existsSync(GOLDEN)) return [];
  return readdirSync(GOLDEN)
    .filter((file) => file.endsWith(".json"))
    .flatMap((file) => JSON.parse(readFileSync(GOLDEN + file, "utf8")) as GoldenFrame[]);
}
