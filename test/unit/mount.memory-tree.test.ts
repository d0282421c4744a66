/** The tree in memory that the mount tests stand on keeps the FileSystem contract itself. */
import { systemClock } from "../../src/base/clock.ts";
import { testFileSystem } from "../contract/filesystem.ts";
import { MemoryTree } from "../support/memory-tree.ts";

async function open() {
  const tree = new MemoryTree({ clock: systemClock }, { uid: 0, gid: 0 });
  return Object.assign(tree, { [Symbol.asyncDispose]: async () => {} });
}

testFileSystem("memory tree", open);
