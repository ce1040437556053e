import assert from "node:assert/strict";
import { test } from "node:test";
import { xxh3 } from "./xxh3.ts";

/** Of bytes 3, 10, 17 and so on, as hash4j 0.22.0 of Kafka 4.4 has them: each branch by length, and both sides of each bound. */
const HASHES: readonly (readonly [length: number, hash: bigint])[] = [
  [0, 3244421341483603138n],
  [1, 1433843135270481901n],
  [3, -6266602912829716452n],
  [4, 7895465118229274323n],
  [5, -7384178388048917705n],
  [8, 6941064856527638883n],
  [9, -72226354546400344n],
  [16, -5131753158909839995n],
  [17, 8163341949877205007n],
  [32, 1873302701886544469n],
  [100, -5362810412169982817n],
  [128, 7440608504995537343n],
  [129, -4150982730466284604n],
  [200, 8389308914288017243n],
  [240, 7229805477010515663n],
  [241, -8364630114420064745n],
  [256, 4339360625268998362n],
  [300, -172648679454408153n],
  [512, -756038794506822371n],
  [1024, -7241394453710343503n],
  [1025, -9192937061388044938n],
  [2000, 8212356305084836938n],
  [5000, 8762507191635236893n],
];

for (const [length, hash] of HASHES) {
  test(`hashes ${length} bytes as Kafka does`, () => {
    assert.equal(xxh3(Uint8Array.from({ length }, (_, index) => index * 7 + 3)), hash);
  });
}
