#!/usr/bin/env node
// What the suites and the benchmarks import beside our own; run.mjs of compat does it by itself.
import { installClients } from "./lib/npm-clients.mjs";

installClients();
