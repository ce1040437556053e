// Killed with SIGKILL while records arrive: what was acknowledged is still there afterwards, once, in order.
import { expect } from "../lib/harness.mjs";
import { KillLoop, TIGHT_SETTINGS } from "../lib/kill-loop.mjs";

const KILLS_A_CHECK = 10;

export const suite = {
  title: "SIGKILL",
  needs: [],

  async run({ check, startBroker, full }) {
    const broker = await startBroker(TIGHT_SETTINGS);
    const loop = new KillLoop(broker);
    await loop.createTopics();
    const kills = full ? 300 : 60;
    for (let target = KILLS_A_CHECK; target <= kills; target += KILLS_A_CHECK) {
      const passed = await check(
        `${target} of ${kills} kills under ten idempotent producers: no acknowledged record lost, none twice, none out of order`,
        async () => {
          while (loop.kills < target) await loop.round();
        },
      );
      if (!passed) return;
    }

    await check("after the kills it holds all of that from the first record on", async () => {
      if (!broker.isRunning) await broker.start();
      await loop.verify({ isWhole: true });
      expect(loop.acknowledged > kills, `only ${loop.acknowledged} records were acknowledged`);
    });

    await check("it stops cleanly and starts again with every record", async () => {
      await broker.stop();
      await broker.start();
      await loop.verify({ isWhole: true });
    });
  },
};
