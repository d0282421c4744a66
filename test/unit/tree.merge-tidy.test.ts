/** What a merge makes must be a tree: of all names that crowd one place, each thing has its own. */
import { test } from "tap";
import { type Ino, type Name, parseIno, parseName, rootIno } from "../../src/base/ids.ts";
import { type Inode, fileType, noTree, noXattrs } from "../../src/dag/inodes.ts";
import { noDevices } from "../../src/dag/marks.ts";
import type { Fact, Merged } from "../../src/tree/merge/facts.ts";
import { type Author, conflictName } from "../../src/tree/merge/names.ts";
import { tidy } from "../../src/tree/merge/tidy.ts";

const moment = { seconds: 1_795_737_600, nanoseconds: 0 };

function file(number: number, ...names: readonly Name[]): [Ino, Fact] {
  const ino = parseIno(number);
  const inode: Inode = {
    ino, mode: fileType.regular | 0o644, links: names.length, uid: 0, gid: 0, rdev: 0,
    sizeBytes: 0, atime: moment, mtime: moment, ctime: moment, btime: moment,
    xattrs: noXattrs, content: { kind: "none" }, slot: 0, policy: 0, era: 0,
  };
  const places = names.map((name) => ({ parent: rootIno, name }));
  return [ino, { inode, tree: noTree, places }];
}

function namesAfter(merged: Merged): ReadonlyMap<Ino, readonly string[]> {
  const resolved = tidy(merged, { seen: noDevices, isListed: () => true, root: rootIno });
  if (resolved.kind !== "merged") throw new Error("all is listed");
  return new Map([...resolved.merged].map(([ino, { places }]) => [ino, places.map(({ name }) => name)]));
}

test("a file of several names that has its new name already has it once", (t) => {
  const name = parseName("n.txt");
  const [ino, { inode }] = file(90, name);
  const author: Author = { mark: ino, inode, seen: noDevices };
  const short = conflictName(name, author, { more: false });
  const long = conflictName(name, author, { more: true });
  const merged = new Map([file(50, name), file(70, short), file(90, name, long)]);
  const names = namesAfter(merged);
  t.strictSame(names.get(ino), [long]);
  t.strictSame(names.get(parseIno(50)), [name]);
  t.end();
});

test("a name that somebody else has taken is not given twice", (t) => {
  const name = parseName("n.txt");
  const [ino, { inode }] = file(90, name);
  const author: Author = { mark: ino, inode, seen: noDevices };
  const short = conflictName(name, author, { more: false });
  const long = conflictName(name, author, { more: true });
  const names = namesAfter(new Map([file(50, name), file(60, short), file(70, long), file(90, name)]));
  const all = [...names.values()].flat();
  t.equal(all.length, 4);
  t.equal(new Set(all).size, 4);
  t.end();
});

test("names that can grow no longer are all different, however many there are", (t) => {
  for (const text of [`a.${"b".repeat(253)}`, "日本".repeat(42), "é".repeat(127)]) {
    const name = parseName(Buffer.from(text, "utf8").toString("latin1"));
    const [ino, { inode }] = file(90, name);
    const author: Author = { mark: ino, inode, seen: noDevices };
    const told = [{ more: false }, { more: true }, { more: true, again: 1 }];
    const taken = told.map((one, at) => file(50 + at, conflictName(name, author, one)));
    const names = namesAfter(new Map([file(40, name), ...taken, file(90, name)]));
    const all = [...names.values()].flat();
    t.equal(new Set(all).size, 5);
    t.ok(all.every((one) => one.length <= 255));
  }
  t.end();
});
