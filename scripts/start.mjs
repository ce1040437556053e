/** `npm start`: prepares the checkout and becomes `samsa start`, in one process. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// npm puts a shell between itself and us. A SIGTERM to npm ends npm and the shell, which hands nothing on: without this the
// broker would run on, unseen. There is no event for it, but the parent changes. (Ctrl-C reaches all three at once.)
if (process.env["npm_command"] !== undefined) {
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 250);
  watch.unref();
}

await import("./setup.mjs");
if (process.exitCode === 0) {
  const { ROOT } = await import("./lib/paths.mjs");
  const main = join(ROOT, "packages/cli/bin/samsa.js");
  process.argv.splice(1, 1, main, "start");
  await import(pathToFileURL(main).href);
}
