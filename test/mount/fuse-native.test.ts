/** The fuse-native driver, with the tree in memory: the same suite, less what it cannot do. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { MemoryTree } from "../support/memory-tree.ts";
import { mountSuite } from "./suite.ts";

test("the fuse-native driver serves a tree in memory", async (t) => {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const makeTree = () => new MemoryTree({ clock: systemClock }, owner);
  await mountSuite(t, { driver: "fuse-native", makeTree });
});
