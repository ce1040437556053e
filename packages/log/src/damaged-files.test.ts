import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Image } from "./testing/bit-flips.ts";
import { DATA, flipBits, inspect, kindOf, makeImage } from "./testing/bit-flips.ts";

/** `node scripts/simulate-log.mjs --flips 2000` takes as many as one likes. */
const FLIPS = 160;
const IMAGES: readonly Image["name"][] = ["after a clean stop", "after the end of the process"];

/** Of each kind the first and the last of each folder. */
function oneOfEachKind(image: Image): [string, Uint8Array][] {
  const chosen = new Map<string, [string, Uint8Array]>();
  for (const [path, bytes] of image.files) {
    if (bytes.length === 0) continue;
    const kind = `${path.slice(0, path.lastIndexOf("/"))} ${kindOf(path)}`;
    if (!chosen.has(`first ${kind}`)) chosen.set(`first ${kind}`, [path, bytes]);
    else chosen.set(`last ${kind}`, [path, bytes]);
  }
  return [...chosen.values()];
}

test("a bit that flips is found before a byte of its batch is served, or is made good", async () => {
  const { failures } = await flipBits(FLIPS);
  assert.deepEqual(failures, []);
});

for (const name of IMAGES) {
  describe(`a file that is damaged ${name}`, () => {
    const damages: readonly [string, (bytes: Uint8Array) => Uint8Array | undefined][] = [
      ["missing", () => undefined],
      ["empty", () => new Uint8Array(0)],
      ["half of it", (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
      ["without its last byte", (bytes) => bytes.subarray(0, bytes.length - 1)],
      ["longer than it should be", (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(77).fill(0xa5)])],
      ["followed by zeros", (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(4096)])],
      ["all zeros", (bytes) => new Uint8Array(bytes.length)],
      ["something else altogether", (bytes) => bytes.map((_, index) => (index * 197 + 11) % 256)],
    ];
    let image: Image;
    before(async () => {
      image = await makeImage(name);
    });
    for (const [what, damage] of damages) {
      test(`is made good, or takes its log offline, when it is ${what}`, async () => {
        for (const [path, bytes] of oneOfEachKind(image)) {
          const files = new Map<string, Uint8Array | undefined>([...image.files, [path, damage(bytes)]]);
          try {
            await inspect(image, files, kindOf(path));
          } catch (error) {
            const message = error instanceof Error ? error.message : String(error);
            throw new Error(`${path}: ${message}`, { cause: error });
          }
        }
      });
    }
  });
}

describe("what does not belong into a data directory, or was left behind there", () => {
  const leftovers: readonly [string, string][] = [
    ["a foreign file in a folder", "kept-0/notes.txt"],
    ["a foreign file of a number", "kept-0/12345.log"],
    ["a foreign file beside the folders", "README"],
    ["a foreign folder", "lost+found/x"],
    ["a folder that was being deleted", "kept-1.0123456789abcdef0123456789abcdef-delete/00000000000000000000.log"],
    ["a segment that was being deleted", "kept-0/00000000000000000000.log.deleted"],
    ["a segment that was being compacted", "kept-0/00000000000000000015.log.cleaned"],
    ["a checkpoint that was being written", "recovery-point-offset-checkpoint.tmp"],
    ["a snapshot that was being written", "kept-0/00000000000000000029.snapshot.tmp"],
  ];
  for (const [what, path] of leftovers) {
    test(`${what} harms nothing`, async () => {
      for (const name of IMAGES) {
        const image = await makeImage(name);
        const bytes = new Uint8Array(100).fill(0x5a);
        const fates = await inspect(image, new Map([...image.files, [`${DATA}/${path}`, bytes]]), kindOf(path));
        assert.deepEqual(fates, ["served", "served"]);
      }
    });
  }

  test("an empty folder of a topic is a new log", async () => {
    const image = await makeImage("after a clean stop");
    const files = new Map<string, Uint8Array | undefined>([...image.files, [`${DATA}/empty-0/x`, new Uint8Array(1)]]);
    files.set(`${DATA}/empty-0/x`, undefined);
    assert.deepEqual(await inspect(image, files, ""), ["served", "served"]);
  });
});
