/**
 * A disk that is really full: a small tmpfs in a mount namespace of its own. Where that cannot be
 * made, these tests are skipped, and say so.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "tap";

const run = promisify(execFile);
const child = fileURLToPath(new URL("../support/cache-full-child.ts", import.meta.url));
const script = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"';
const able = await onSmallDisk(() => ["true"]).then(() => true, () => false);
const options = able ? {} : { skip: "no mount namespace for a small disk" };

test("blocks on a full disk: NoSpace, reads go on, and room heals it", options, async (t) => {
  const outcome = JSON.parse(await onSmallDisk((disk) => [process.execPath, child, disk, "blocks"]));
  t.equal(outcome.full, true);
  t.ok(outcome.blocks > 20, `${outcome.blocks} blocks`);
  t.equal(outcome.readable, outcome.blocks, "all can be read, the unwritten one too");
  t.equal(outcome.healed, true, "a sync works once there is room");
  t.equal(outcome.survived, outcome.blocks);
});

test("records on a full disk: NoSpace, and those that were synced survive", options, async (t) => {
  const outcome = JSON.parse(await onSmallDisk((disk) => [process.execPath, child, disk, "records"]));
  t.equal(outcome.full, true);
  t.ok(outcome.kept > 50, `${outcome.kept} records`);
  t.equal(outcome.readable, 1);
  t.ok(outcome.found >= outcome.kept, `${outcome.found} of ${outcome.kept}`);
  t.equal(outcome.whole, true);
});

test("a reserve that was given up comes back before blocks that peers have", options, async (t) => {
  const outcome = JSON.parse(await onSmallDisk(
    (disk) => [process.execPath, child, disk, "reserve"], { size: "64m" },
  ));
  t.equal(outcome.before, true);
  t.equal(outcome.again, true, `${outcome.usedBytes} bytes of blocks lie there`);
  t.ok(outcome.usedBytes > 1e6, "and blocks beside it");
});

test("a start on an all but full disk has the reserve, a node's books too", options, async (t) => {
  const outcome = JSON.parse(await onSmallDisk((disk) => [process.execPath, child, disk, "start"]));
  t.equal(outcome.before, true, "it was kept");
  t.equal(outcome.failure, undefined);
  t.equal(outcome.opened, 6);
  t.match(outcome.refusal, /\/cache\/index needs \d+ KiB to be opened$/, "one without it says so");
});

async function onSmallDisk(
  command: (disk: string) => readonly string[], { size } = { size: "20m" },
): Promise<string> {
  const disk = await mkdtemp(join(tmpdir(), "hive-full-"));
  try {
    const words = ["-m", "sh", "-c", script, "sh", size, disk, ...command(disk)];
    const { stdout } = await run("unshare", words);
    return stdout;
  } finally {
    await rm(disk, { recursive: true });
  }
}
