import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../testing/hex.ts";
import { metricsIn } from "../testing/otlp-reader.ts";
import { encodeMetrics } from "./otlp.ts";

const period = { startMs: 1000, endMs: 2000, isDelta: true };

test("the bytes of a sum", () => {
  const bytes = encodeMetrics([{ name: "a", type: "sum", points: [{ value: 1 }] }], period, { k: "v" });
  const expected = [
    "0a 36", // resource_metrics
    "0a 0a 0a 08 0a 01 6b 12 03 0a 01 76", // resource: k is the string v
    "12 28 12 26 0a 01 61", // scope_metrics, metrics, name
    "3a 21 0a 1b", // sum, data_points
    "11 00 ca 9a 3b 00 00 00 00", // start_time_unix_nano
    "19 00 94 35 77 00 00 00 00", // time_unix_nano
    "21 00 00 00 00 00 00 f0 3f", // as_double
    "10 01 18 01", // delta, monotonic
  ];
  assert.equal(hex(bytes), expected.join(" "));
});

test("gauges keep their attributes, sums their temporality, and long messages their lengths", () => {
  const points = Array.from({ length: 50 }, (_, index) => ({ value: index / 3, attributes: { node_id: `${index}` } }));
  const bytes = encodeMetrics(
    [
      { name: "gauge", type: "gauge", points },
      { name: "total", type: "sum", points: [{ value: 2 ** 40 }] },
    ],
    { ...period, isDelta: false },
  );
  assert.deepEqual(metricsIn(bytes), {
    resource: {},
    metrics: [
      { name: "gauge", type: "gauge", temporality: undefined, points },
      { name: "total", type: "sum", temporality: 2, points: [{ value: 2 ** 40, attributes: {} }] },
    ],
  });
});
