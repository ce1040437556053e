/**
 * `npm start`: prepares the checkout and becomes `samsa start`, in one process. With two, one after the other in npm's shell, a SIGTERM to
 * npm would end the shell and leave the broker running.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

await import("./setup.mjs");
if (process.exitCode === 0) {
  const { ROOT } = await import("./lib/paths.mjs");
  const main = join(ROOT, "packages/cli/dist/main.js");
  process.argv.splice(1, 1, main, "start");
  await import(pathToFileURL(main).href);
}
