/** A path that leads nowhere: its fault says how far it led, in names. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { openTree } from "../../src/tree/tree.ts";
import { fileIn, folderIn } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";

test("what is not there, or no folder, is told by its path from the root", async (t) => {
  const needs = { store: new MemoryStore(), clock: systemClock, random: systemRandom, log: silentLog };
  const tree = await openTree(needs, { treeSecret: systemRandom.bytes(32) });
  const folder = await folderIn(tree, rootIno, "folder");
  await fileIn(tree, folder, "file", Buffer.from("bytes"));
  await t.rejects(tree.walk(["folder", "other", "file"]), new HiveError("NotFound", "tree.walk", "folder/other"));
  await t.rejects(tree.walk(["folder", "file", "below"]), new HiveError("NotDirectory", "tree.walk", "folder/file"));
});
