#!/usr/bin/env node
/**
 * The command line's front door: runs the command and ends with its exit code. Compiled code is
 * kept between runs, which halves the time to start, in a folder that only this user can write.
 */
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { makeDirectories } from "../base/machine/directories.ts";
import { xdgFolder } from "./home/xdg.ts";

keepCompiledCode();
// Only now: what is imported before is compiled anew each time.
const { runCommand } = await import("./run.ts");
let isLost = false;
listenFor(process.stdout, (code) => {
  isLost = true;
  process.stderr.write(`hive: standard output cannot be written: ${code}\n`);
});
// There is nobody left to tell.
listenFor(process.stderr, () => {});
process.exitCode = await runCommand(process.argv.slice(2));
process.on("exit", () => {
  if (isLost) process.exitCode ||= 1;
});

/** Whoever reads no more, as head(1), has what he wanted: the command goes on to its end. */
function listenFor(stream: NodeJS.WriteStream, lost: (code: string) => void): void {
  stream.on("error", ({ code = "" }: NodeJS.ErrnoException) => {
    if (code !== "EPIPE") lost(code);
  });
}

function keepCompiledCode(): void {
  // Whoever started us keeps it already, where it wants it.
  if (process.env["NODE_COMPILE_CACHE"] !== undefined) return;
  const directory = join(xdgFolder(process.env["XDG_CACHE_HOME"], ".cache"), "hive", "code");
  try {
    makeDirectories(directory, 0o700);
  } catch {
    // A home that cannot be written costs time, nothing else.
    return;
  }
  enableCompileCache(directory);
  // The network's thread and the processes we start take it from here.
  process.env["NODE_COMPILE_CACHE"] = directory;
}
