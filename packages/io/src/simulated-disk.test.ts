import { SimulatedDisk } from "@samsa/simulation";
import { diskSuite } from "./disk.test.suite.ts";

const FAR = 2 ** 20; // a simulated file lies in memory, holes and all

// Here, because the disk under a seed knows nothing of the suite that all disks have in common.
for (const mostTurns of [0, 4]) {
  const name = `SimulatedDisk with up to ${mostTurns} turns an operation`;
  diskSuite(name, async () => ({ disk: new SimulatedDisk({ seed: 5, mostTurns }), remove: async () => {} }), FAR);
}
