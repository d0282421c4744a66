/** What a killed daemon may not divide, where the kernel had a part of it. */
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { Daemon } from "../fuzz/sides.ts";

test("a file renamed over another before it is closed keeps its data", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-crash-"));
  const [mount, store] = [join(directory, "mount"), join(directory, "store")];
  mkdirSync(mount);
  const first = await Daemon.start(mount, store, 64);
  const path = (name: string) => join(mount, name);
  writeFileSync(path("settings"), "old");
  const file = openSync(path("settings.new"), "w");
  writeSync(file, "new ".repeat(50_000));
  renameSync(path("settings.new"), path("settings"));
  // One journal, in order: with this, the rename is durable too.
  const other = openSync(path("other"), "w");
  fsyncSync(other);
  await first.end("SIGKILL");
  for (const open of [file, other]) t.throws(() => closeSync(open), "its daemon is gone");
  const second = await Daemon.start(mount, store, 64);
  t.teardown(async () => {
    await second.end();
    rmSync(directory, { recursive: true });
  });
  t.equal(readFileSync(path("settings"), "utf8"), "new ".repeat(50_000));
});
