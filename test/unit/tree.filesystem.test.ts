/** The tree keeps the FileSystem contract: at once, and when the store answers late. */
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openTree } from "../../src/tree/tree.ts";
import { testFileSystem } from "../contract/filesystem.ts";
import { MemoryStore, type MemoryStoreOptions } from "../support/memory-store.ts";

async function open(options: MemoryStoreOptions) {
  const store = new MemoryStore(options);
  const needs = { store, clock: systemClock, random: seededRandom("contract"), log: silentLog };
  const tree = await openTree(needs, { treeSecret: Buffer.alloc(32, 1) });
  return Object.assign(tree, { [Symbol.asyncDispose]: () => tree.close() });
}

testFileSystem("tree", () => open({}));
testFileSystem("tree over a late store", () => open({ late: seededRandom("late") }));
