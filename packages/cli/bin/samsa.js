#!/usr/bin/env node
// Kept in the repository so that npm can link `samsa` before the first build.
import { existsSync } from "node:fs";

const bundled = new URL("../bundle/main.js", import.meta.url);
await import(existsSync(bundled) ? bundled.href : "../dist/main.js");
