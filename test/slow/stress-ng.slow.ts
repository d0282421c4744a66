/**
 * stress-ng's file-system stressors on a mount of the real tree, each for a few seconds and with
 * --verify. One that the kernel or a FUSE file system has no part in is not in the list.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { Daemon } from "../fuzz/sides.ts";
import { run } from "../mount/harness.ts";

const secondsEach = 2;
const cacheMiB = 512;

const stressors = [
  "access", "aio", "chdir", "chmod", "chown", "copy-file", "dentry", "dir", "dirdeep", "dirmany",
  "dnotify", "dup", "fallocate", "fanotify", "fcntl", "filename", "flock", "fpunch", "fsize",
  "fstat", "getdent", "handle", "hdd", "inotify", "io", "iomix", "lease", "link", "locka", "lockf",
  "lockofd", "mknod", "msync", "open", "readahead", "rename", "revio", "seek", "sendfile", "splice",
  "symlink", "sync-file", "touch", "utime", "xattr",
] as const;

/** A stressor that this machine cannot run says so by this. */
const notImplemented = 4;

/**
 * In a mount table of its own, without the other FUSE mounts: `io` calls syncfs(2) on everything
 * that is mounted, and any mount whose daemon was killed answers with the error of its lost pages.
 */
const alone = `while read -r _ at type _; do
    case $type in fuse*) test "$at" = "$0" || umount -l "$at";; esac
  done < /proc/mounts
  exec timeout -s KILL 120 stress-ng "$@"`;

const directory = mkdtempSync(join(tmpdir(), "hive-stress-"));
const mount = join(directory, "mount");
mkdirSync(mount);
const daemon = await Daemon.start(mount, join(directory, "store"), cacheMiB);
for (const stressor of stressors) {
  test(`stress-ng --${stressor} finds nothing wrong`, async (t) => {
    const log = join(directory, `${stressor}.log`);
    const words = [
      `--${stressor}`, "2", "--verify", "--timeout", `${secondsEach}`, "--seed", "1",
      "--temp-path", mount, "--log-file", log,
    ];
    const { code } = await run("unshare", "--mount", "sh", "-c", alone, mount, ...words);
    const told = readFileSync(log, "utf8").split("\n").filter((line) => /fail|error/.test(line));
    const fits = code === 0 || code === notImplemented;
    t.ok(fits, `exit ${code}: ${told.slice(0, 5).join("; ")}`);
    await daemon.ask(["upload"]);
  });
}

// Last, since the runner waits for the daemon's end.
test("the drive lets go of it all and ends well", async (t) => {
  await daemon.end();
  t.equal(daemon.child.exitCode, 0);
  rmSync(directory, { recursive: true });
});
