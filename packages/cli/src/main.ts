#!/usr/bin/env node
import process from "node:process";

// Before anything is loaded: on an old Node the first import would fail with words that help nobody.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `samsa: Node ${process.versions.node} is too old; 20.19 or later is needed (https://nodejs.org).\n`,
  );
  process.exitCode = 2;
} else {
  const { run } = await import("./run.ts");
  process.exitCode = await run(process.argv.slice(2));
}
