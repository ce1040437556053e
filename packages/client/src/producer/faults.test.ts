import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { testBed } from "../testing/client-test.ts";
import type { Faults } from "../testing/faulty-transport.ts";
import { FaultyTransport } from "../testing/faulty-transport.ts";
import { valuesOf } from "../testing/produced.ts";

const faults: fc.Arbitrary<Faults> = fc.oneof(
  fc.record({ cutAfterBytesUp: fc.integer({ min: 1, max: 3000 }) }),
  fc.record({ cutAfterBytesDown: fc.integer({ min: 1, max: 3000 }) }),
  fc.record({ stallAfterBytesDown: fc.integer({ min: 1, max: 3000 }) }),
);

test("records arrive once each and in order, at whatever bytes connections are cut or stall, and though brokers restart", async () => {
  let total = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(faults, { maxLength: 12 }), fc.integer({ min: 0, max: 400 }), async (plan, batchSize) => {
      const bed = await testBed([1, 2]);
      bed.cluster.createTopic("t", [1, 2]);
      const transport = new FaultyTransport(bed.transport, (connection) => plan[connection] ?? {});
      const kafka = bed.kafka({ transport, requestTimeoutMs: 500 });
      const producer = kafka.producer({ batchSize, lingerMs: 1, deliveryTimeoutMs: 1_000_000 });
      const sent = Array.from({ length: 60 }, (_, index) =>
        producer.send({ topic: "t", partition: index % 2, value: String(index) }),
      );
      await bed.clock.advance(200);
      await bed.cluster.stop(2);
      await bed.clock.advance(700);
      await bed.cluster.start(2);
      await bed.run(Promise.all(sent));
      for (const partition of [0, 1]) {
        const expected = Array.from({ length: 30 }, (_, index) => String(2 * index + partition));
        assert.deepEqual(valuesOf(bed, "t", partition), expected);
      }
      total += transport.faults;
      await bed.run(kafka.close());
    }),
    { numRuns: 40 },
  );
  assert.ok(total > 40, `${total} faults came about`);
});
