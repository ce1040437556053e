#!/usr/bin/env node
// Kept in the repository so that npm can link `samsa` before the first build.
await import("../dist/main.js");
