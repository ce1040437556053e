import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { descriptorLimit, parseDescriptorLimit } from "./descriptor-limit.ts";

const line = (soft: string): string => `Limit                     Soft Limit           Hard Limit           Units
Max processes             63432                63432                processes
Max open files            ${soft.padEnd(21)}1048576              files
Max locked memory         8388608              8388608              bytes
`;

describe("the limit of descriptors", () => {
  const cases: [string, number | undefined][] = [
    [line("1024"), 1024],
    [line("1048576"), 1_048_576],
    [line("unlimited"), Infinity],
    ["", undefined],
    ["Max open files", undefined],
  ];
  for (const [text, limit] of cases) {
    test(`is ${limit} by ${JSON.stringify(text.slice(0, 300).split("\n")[2] ?? text)}`, () => {
      assert.equal(parseDescriptorLimit(text), limit);
    });
  }

  test("is a number where the system tells it", () => {
    const limit = descriptorLimit();
    assert.ok(limit === undefined || limit > 0);
  });
});
