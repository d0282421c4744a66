/** fio writes through a mount of the real tree and checks every block that it reads back. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { Daemon } from "../fuzz/sides.ts";
import { run } from "../mount/harness.ts";

/** With all uploaded and dropped between two jobs: the next one begins cold. */
const cacheMiB = 256;

const jobs: Readonly<Record<string, readonly string[]>> = {
  "random sizes, two writers, fsync": [
    "--rw=randrw", "--bsrange=512-300k", "--bs_unaligned", "--numjobs=2", "--fsync=40", "--size=24m",
  ],
  "4 KiB at random, by mmap": ["--rw=randwrite", "--bs=4k", "--ioengine=mmap"],
  "O_DIRECT, four at a time": [
    "--rw=randwrite", "--bs=64k", "--direct=1", "--ioengine=libaio", "--iodepth=4",
  ],
  "one after another, read again from a cold cache": [
    "--rw=write", "--bs=1m", "--invalidate=1", "--end_fsync=1",
  ],
  "into holes, with fallocate": ["--rw=randwrite", "--bs=16k", "--fallocate=posix"],
};

const directory = mkdtempSync(join(tmpdir(), "hive-fio-"));
const mount = join(directory, "mount");
mkdirSync(mount);
const daemon = await Daemon.start(mount, join(directory, "store"), cacheMiB);
for (const [sentence, words] of Object.entries(jobs)) {
  test(`fio reads back what it wrote: ${sentence}`, async (t) => {
    const common = [
      "--name=job", `--directory=${mount}`, "--size=48m", "--verify=crc32c", "--verify_fatal=1",
      "--do_verify=1", "--verify_state_save=0", "--randseed=7", "--minimal",
    ];
    const { code, out } = await run("timeout", "-s", "KILL", "240", "fio", ...common, ...words);
    t.equal(code, 0, out.slice(0, 300));
    await run("sh", "-c", 'rm -f "$0"/job*', mount);
    await daemon.ask(["upload", "drop"]);
  });
}

// Last, since the runner waits for the daemon's end.
test("the drive lets go of it all and ends well", async (t) => {
  await daemon.end();
  t.equal(daemon.child.exitCode, 0);
  rmSync(directory, { recursive: true });
});
