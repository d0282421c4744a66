/**
 * Folders within each other beyond what a stack holds: whoever shares a folder says how deep it is,
 * and a merge with his state must end in something else than this machine's end. Pure.
 */
import { test } from "tap";
import { type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { type Inode, fileType, noTree, noXattrs } from "../../src/dag/inodes.ts";
import { markOf } from "../../src/dag/marks.ts";
import { alikeFolders } from "../../src/tree/merge/alike.ts";
import { planOf } from "../../src/tree/merge/apply.ts";
import type { Fact, Side } from "../../src/tree/merge/facts.ts";
import { resolve } from "../../src/tree/merge/rules.ts";

const deep = 20_000;
const time = { seconds: 1, nanoseconds: 0 };
const isListed = () => true;

function folder(ino: Ino, parent: Ino | undefined): Fact {
  const inode: Inode = {
    ino, mode: fileType.directory | 0o755, links: 2, uid: 0, gid: 0, rdev: 0, sizeBytes: 1,
    atime: time, mtime: time, ctime: time, btime: time, xattrs: noXattrs, slot: 0, policy: 0, era: 0,
    content: { kind: "directory", entries: 1 },
  };
  const places = parent === undefined ? [] : [{ parent, name: parseName("d") }];
  return { inode, tree: noTree, places };
}

function sideOf(count: number): Side {
  const inos = [rootIno, ...Array.from({ length: count }, (_, at) => markOf(1, 10 + at) as Ino)];
  return {
    facts: new Map(inos.map((ino, at) => [ino, folder(ino, inos[at - 1])])),
    seen: new Map([[1, { count: count + 10, name: "" }]]),
  };
}

test("what comes in from another is put together however deep it lies", (t) => {
  const [ours, theirs] = [sideOf(0), sideOf(deep)];
  const policies = { nameOf: () => "", slotOf: () => 0 };
  const seen = new Map([[1, { count: 1, name: "" }]]);
  const resolved = resolve({ ...ours, seen }, theirs, { isListed, fresh: markOf(2, 1), root: rootIno, policies });
  if (resolved.kind !== "merged") throw new Error("folders that were looked at");
  const steps = planOf(ours, new Map([...resolved.merged].reverse()));
  t.strictSame(steps.map(({ ino }) => ino), [...theirs.facts.keys()].slice(1), "from above");
  t.equal(alikeFolders(theirs.facts, sideOf(deep).facts, isListed).length, deep + 1);
  t.end();
});
