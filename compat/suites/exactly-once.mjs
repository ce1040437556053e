// A slice of compat/exactly-once-loop.mjs: the broker and the processes of a pipeline are killed, and each record comes out once.
import { EAGER_SETTINGS, ExactlyOnceLoop } from "../lib/exactly-once-loop.mjs";

const LIMIT_MS = 240_000;

export const suite = {
  title: "exactly once",
  needs: [],

  async run({ check, startBroker, scratch, full }) {
    const records = full ? 50_000 : 5000;
    const kills = full ? 10 : 2;
    const broker = await startBroker(EAGER_SETTINGS);
    for (const groupProtocol of ["classic", "consumer"]) {
      const passed = await check(
        `${kills} kills of the broker and ${kills} of our pipeline, with the ${groupProtocol} protocol: ${records} records come out once each`,
        () => {
          const name = `eos-${groupProtocol}`;
          return new ExactlyOnceLoop(broker, {
            name,
            records,
            kills,
            groupProtocol,
            dir: scratch,
            pauseMs: 1200,
          }).run();
        },
        LIMIT_MS,
      );
      if (!passed) return;
    }
  },
};
