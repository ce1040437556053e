import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@samsa/simulation";
import type { Consumer } from "../consumer.ts";
import type { GroupOptions } from "./group-options.ts";
import { serializers } from "../../serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "../../testing/appended.ts";
import { GroupReader } from "../../testing/group-reader.ts";

const PARTITIONS = 4;
const KINDS: Record<string, GroupOptions> = {
  "classic, eager": { groupProtocol: "classic", partitionAssignmentStrategy: ["range"] },
  "classic, cooperative": { groupProtocol: "classic", partitionAssignmentStrategy: ["cooperative-sticky"] },
  consumer: { groupProtocol: "consumer" },
};
const SEEDS = [1, 2, 3];

interface Running {
  readonly consumer: Consumer<unknown, string>;
  readonly reader: GroupReader<string>;
}

for (const [name, kind] of Object.entries(KINDS)) {
  for (const seed of SEEDS) {
    test(`${name}, seed ${seed}: members come, go, lose connections and their coordinator, and every record is read`, async () => {
      const bed = await bedOfValues(...Array.from({ length: PARTITIONS }, () => []));
      const random = new SeededRandom(seed);
      const draw = (below: number): number => random.uint32() % below;
      await using kafka = bed.kafka({ requestTimeoutMs: 5000 });
      const options = { groupId: "g", autoOffsetReset: "earliest", autoCommitIntervalMs: 500, ...kind } as const;
      const read: (string | null)[] = [];
      const start = (): Running => {
        const consumer = kafka.consumer({ ...options, valueDeserializer: serializers.string });
        consumer.subscribe("t");
        const reader = new GroupReader(consumer, async ({ value }) => {
          await new Promise<void>((resolve) => void bed.clock.setTimer(draw(300), resolve));
          read.push(value);
        });
        return { consumer, reader };
      };
      const members = [start()];
      const stop = async ({ consumer, reader }: Running): Promise<void> => {
        await bed.run(reader.stop());
        await bed.run(consumer.close());
      };
      let written = 0;
      for (let turn = 0; turn < 25; turn++) {
        appendValues(bed, [`${written++}`, `${written++}`], draw(PARTITIONS));
        await bed.clock.advance(draw(4000));
        const what = draw(6);
        if (what === 0 && members.length < 4) members.push(start());
        else if (what === 1) {
          const [one] = members.length > 1 ? members.splice(draw(members.length), 1) : [];
          if (one !== undefined) await stop(one);
        } else if (what === 2) bed.cluster.dropConnections();
        else if (what === 3) bed.cluster.coordinatorId = 1 + draw(2);
        else if (what === 4) members[draw(members.length)]?.consumer.enforceRebalance();
      }
      await bed.clock.advance(120_000);
      assert.deepEqual(
        members.map(({ reader }) => reader.failure),
        members.map(() => undefined),
      );
      assert.equal(new Set(read).size, written);
      const assigned = members.flatMap(({ consumer }) => consumer.assignment.map(({ partition }) => partition));
      assert.deepEqual(new Set(assigned), new Set(Array.from({ length: PARTITIONS }, (_, i) => i)));
      assert.equal(assigned.length, PARTITIONS, "each partition has one owner");
      for (const one of members) await stop(one);
      const { offsets } = bed.cluster.groups.get("g");
      const committed = Array.from(offsets.values(), ({ offset }) => offset).reduce((sum, offset) => sum + offset, 0);
      assert.equal(committed, written, "and all of it is committed");
    });
  }
}
