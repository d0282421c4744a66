/**
 * A daemon around a tree in memory, for the tests of its life and death: `daemon.ts DIRECTORY
 * [DRIVER]`. It prints a line when it serves, and ends on SIGTERM or when it is unmounted.
 */
import { systemClock } from "../../src/base/clock.ts";
import { lineLog } from "../../src/base/log.ts";
import { mount } from "../../src/mount/mount.ts";
import { MemoryTree } from "../support/memory-tree.ts";

const [, , directory = "", driver = "kernel"] = process.argv;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const tree = new MemoryTree({ clock: systemClock }, owner);
const log = lineLog({ level: "info", write: (line) => process.stderr.write(line) });
const mounted = await mount({ tree, log, clock: systemClock }, {
  directory, driver: driver === "kernel" ? "kernel" : "fuse-native",
  allowOther: owner.uid === 0, readOnly: false, fsName: "hive-test",
});
process.on("SIGTERM", () => void mounted.unmount());
process.stdout.write("serving\n");
await mounted.ended;
process.exit(tree.census().handles === 0 && tree.syncs > 0 ? 0 : 1);
