import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "@samsa/simulation";
import type { UsableBroker } from "./replica-placer.ts";
import { placeReplicas } from "./replica-placer.ts";

const cluster = (size: number, racks = 1, fenced = 0): UsableBroker[] =>
  Array.from({ length: size }, (_, id) => ({ id, rack: `rack-${id % racks}`, fenced: id < fenced }));

const arbitrary = fc
  .record({
    brokers: fc.integer({ min: 1, max: 9 }),
    partitions: fc.integer({ min: 1, max: 60 }),
    seed: fc.nat(),
  })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      replicationFactor: fc.integer({ min: 1, max: shape.brokers }),
      fenced: fc.nat(shape.brokers - 1),
    }),
  );

test("each partition has distinct brokers and begins with one that is not fenced", () => {
  fc.assert(
    fc.property(arbitrary, ({ shape, replicationFactor, fenced }) => {
      const brokers = cluster(shape.brokers, 3, fenced);
      const placed = placeReplicas(brokers, shape.partitions, replicationFactor, new SeededRandom(shape.seed));
      assert.equal(placed.length, shape.partitions);
      for (const replicas of placed) {
        assert.equal(new Set(replicas).size, replicationFactor);
        assert.ok((replicas[0] ?? -1) >= fenced);
        for (const id of replicas) assert.ok(brokers.some((broker) => broker.id === id));
      }
    }),
  );
});

test("leaders and replicas are spread evenly over the brokers", () => {
  fc.assert(
    fc.property(arbitrary, ({ shape, replicationFactor }) => {
      const rounds = 4;
      const placed = placeReplicas(
        cluster(shape.brokers),
        shape.brokers * rounds,
        replicationFactor,
        new SeededRandom(shape.seed),
      );
      for (let id = 0; id < shape.brokers; id++) {
        assert.equal(placed.filter(([leader]) => leader === id).length, rounds);
        assert.equal(placed.filter((replicas) => replicas.includes(id)).length, rounds * replicationFactor);
      }
    }),
  );
});

test("followers of one leader differ from turn to turn", () => {
  const placed = placeReplicas(cluster(5), 20, 2, new SeededRandom());
  const followersOfZero = placed.filter(([leader]) => leader === 0).map(([, follower]) => follower);
  assert.equal(new Set(followersOfZero).size, 4);
});

test("three replicas lie in three racks", () => {
  for (let seed = 0; seed < 20; seed++) {
    const [replicas = []] = placeReplicas(cluster(9, 3), 1, 3, new SeededRandom(seed));
    assert.equal(new Set(replicas.map((id) => id % 3)).size, 3);
  }
});
