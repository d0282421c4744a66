#!/usr/bin/env node
/** The command line's front door: finds the command, runs it, and turns faults into exit codes. */
import { runCommand } from "./run.ts";

process.exitCode = await runCommand(process.argv.slice(2));
