/** What a killed daemon may not divide, where the kernel had a part of it. */
import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { Daemon } from "../fuzz/sides.ts";

type Path = (name: string) => string;

/** Acts on a mount and leaves files open; then the daemon is killed, and another one serves. */
async function killedAfter(t: Test, act: (path: Path) => readonly number[]): Promise<Path> {
  const directory = mkdtempSync(join(tmpdir(), "hive-crash-"));
  const [mount, store] = [join(directory, "mount"), join(directory, "store")];
  mkdirSync(mount);
  const path: Path = (name) => join(mount, name);
  const first = await Daemon.start(mount, store, 64);
  const left = act(path);
  // One journal, in order: with this, what came before it is durable too.
  const last = openSync(path("last"), "w");
  fsyncSync(last);
  await first.end("SIGKILL");
  // All of it is written: a close has nothing to ask of a daemon that is gone.
  for (const open of [...left, last]) closeSync(open);
  const second = await Daemon.start(mount, store, 64);
  t.teardown(async () => {
    await second.end();
    rmSync(directory, { recursive: true });
  });
  return path;
}

/** Open, and written to the kernel's memory only. */
function unwritten(file: string, text: string): number {
  const open = openSync(file, "w");
  writeSync(open, text);
  return open;
}

test("a file renamed over another before it is closed keeps its data", async (t) => {
  const path = await killedAfter(t, (path) => {
    writeFileSync(path("settings"), "old");
    const file = unwritten(path("settings.new"), "new ".repeat(50_000));
    renameSync(path("settings.new"), path("settings"));
    return [file];
  });
  t.ok(readFileSync(path("settings"), "utf8") === "new ".repeat(50_000));
});

test("two files that are exchanged before they are closed both keep their data", async (t) => {
  const exchange = "exit(syscall(316, -100, $ARGV[0], -100, $ARGV[1], 2) == 0 ? 0 : 1)";
  const path = await killedAfter(t, (path) => {
    const files = ["one", "other"].map((name) => unwritten(path(name), name.repeat(2000)));
    execFileSync("perl", ["-e", exchange, path("one"), path("other")]);
    return files;
  });
  t.ok(readFileSync(path("one"), "utf8") === "other".repeat(2000), "one has the other's");
  t.ok(readFileSync(path("other"), "utf8") === "one".repeat(2000), "the other has one's");
});
