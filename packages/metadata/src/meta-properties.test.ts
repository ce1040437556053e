import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { checkMetaProperties, formatMetaProperties, parseMetaProperties } from "./meta-properties.ts";
import { fixture } from "./testing/fixtures.ts";

const path = "/data/meta.properties";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("reads what Kafka's formatting wrote, and writes the same bytes", () => {
  const written = fixture("meta.properties");
  const properties = parseMetaProperties(written, path);
  assert.equal(properties.nodeId, 1);
  assert.equal(properties.clusterId, "MkU3OEVBNTcwNTJENDM2Qk");
  const date = /^#(.{28})$/m.exec(new TextDecoder().decode(written))?.[1];
  assert.deepEqual(formatMetaProperties(properties, Date.parse(date ?? "")), new Uint8Array(written));
});

test("a directory from before directory ids has the zero id", () => {
  const found = parseMetaProperties(bytes("cluster.id=abc\nnode.id=3\nversion=1\n"), path);
  assert.deepEqual(found, { clusterId: "abc", nodeId: 3, directoryId: "AAAAAAAAAAAAAAAAAAAAAA" });
});

const damaged = [
  { text: "", message: "/data/meta.properties is damaged: version is missing" },
  { text: "version=0\nbroker.id=1", message: "/data/meta.properties: version 0 is not the version 1 of a KRaft node" },
  {
    text: "version=1\nnode.id=-1\ncluster.id=a",
    message: "/data/meta.properties is damaged: node.id -1 is no node id",
  },
  {
    text: "version=1\nnode.id=99999999999",
    message: "/data/meta.properties is damaged: node.id 99999999999 is no node id",
  },
  { text: "version=1\nnode.id=1", message: "/data/meta.properties is damaged: cluster.id is missing" },
  { text: "version=1\nnode.id=1\ncluster.id=a\ndirectory.id=x", message: /is damaged: directory\.id x is no id$/ },
];
for (const { text, message } of damaged) {
  test(`refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseMetaProperties(bytes(text), path), { message }));
}

test("another cluster or node is refused in a line that says what to do", () => {
  const found = { clusterId: "one", nodeId: 1, directoryId: "AAAAAAAAAAAAAAAAAAAAAA" as Uuid };
  checkMetaProperties(found, { clusterId: "one", nodeId: 1 }, path);
  checkMetaProperties(found, {}, path);
  assert.throws(() => checkMetaProperties(found, { clusterId: "two" }, path), {
    message: "/data/meta.properties belongs to cluster one, not to two: use another data directory",
  });
  assert.throws(() => checkMetaProperties(found, { nodeId: 2 }, path), {
    message: "/data/meta.properties belongs to node 1, not to 2: set node.id=1 or use another data directory",
  });
});
