/**
 * Makes the checkout ready to run: dependencies, generated messages, compiled packages. `npm start`, `npm test` and the other
 * commands begin with it, so that each works as the first command after the clone. When nothing changed it says nothing.
 *
 * Only Node's own modules here and in lib/: nothing else is there yet. And nothing that an old Node cannot parse before it
 * has been told that it is old, hence the import at the end. `--no-build` leaves the compiler out, for commands that look at the source.
 */

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `samsa: this is Node ${process.versions.node}, and Samsa needs Node 20.19 or later (20, 22, 24 and 26 are tested).\n` +
      "       Install a newer one from https://nodejs.org, or with your version manager: nvm install 24\n",
  );
  process.exit(1);
}

const { setup } = await import("./lib/setup-steps.mjs");
process.exitCode = await setup({ isBuilding: !process.argv.includes("--no-build") });
