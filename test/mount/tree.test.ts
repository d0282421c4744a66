/** Both drivers with the real tree, over a store in memory: the suite that both must pass. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { mountSuite } from "./suite.ts";

function makeTree(): Promise<Tree> {
  const needs = {
    store: new MemoryStore(), clock: systemClock, random: systemRandom, log: silentLog,
  };
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  return openTree(needs, { treeSecret: systemRandom.bytes(32), ...owner });
}

test("the kernel driver serves the real tree", async (t) => {
  await mountSuite(t, { driver: "kernel", makeTree });
});

test("the fuse-native driver serves the real tree", async (t) => {
  await mountSuite(t, { driver: "fuse-native", makeTree });
});
