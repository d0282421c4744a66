/** Folders that a merge passes over have the same in them on both sides, and all below, too. */
import { test } from "tap";
import { type Ino, parseIno, parseName, rootIno } from "../../src/base/ids.ts";
import { type Inode, type Marks, fileType, noTree, noXattrs } from "../../src/dag/inodes.ts";
import { alikeFolders } from "../../src/tree/merge/alike.ts";
import type { Fact } from "../../src/tree/merge/facts.ts";

const moment = { seconds: 1_795_737_600, nanoseconds: 0 };
const [top, below, left] = [parseIno(40), parseIno(41), parseIno(42)];

function fact(number: number, parent: Ino, { type = fileType.regular, marks }: {
  readonly type?: number; readonly marks?: Marks;
} = {}): [Ino, Fact] {
  const ino = parseIno(number);
  const inode: Inode = {
    ino, mode: type | 0o755, links: 1, uid: 0, gid: 0, rdev: 0, marks,
    sizeBytes: 0, atime: moment, mtime: moment, ctime: moment, btime: moment,
    xattrs: noXattrs, content: { kind: "none" }, slot: 0, policy: 0, era: 0,
  };
  return [ino, { inode, tree: noTree, places: [{ parent, name: parseName(`n${number}`) }] }];
}

const folder = { type: fileType.directory };

/** A folder in a folder, with a file in each, and another one beside it. */
function side(...more: readonly [Ino, Fact][]): Map<Ino, Fact> {
  return new Map([
    fact(top, rootIno, folder), fact(below, top, folder), fact(left, rootIno, folder),
    fact(50, top), fact(51, below), ...more,
  ]);
}

const all = (): boolean => true;

test("what is the same on both sides is alike, and what is beside it need not be", (t) => {
  t.strictSame(alikeFolders(side(), side(), all), [top, below, left]);
  t.strictSame(alikeFolders(side(), side(fact(60, left)), all), [top, below], "one file more");
  t.end();
});

test("whatever differs below a folder is a difference of the folder", (t) => {
  for (const [what, ours] of [
    ["a file more", side(fact(60, below))],
    ["another edit", side(fact(51, below, { marks: { edited: 70, moved: 51 } }))],
    ["another move", side(fact(51, below, { marks: { edited: 51, moved: 70 } }))],
    ["it lies elsewhere", side(fact(51, left))],
  ] as const) {
    t.notOk(alikeFolders(ours, side(), all).includes(top), `${what}: here`);
    t.notOk(alikeFolders(side(), ours, all).includes(top), `${what}: there`);
  }
  t.end();
});

test("a folder that was passed over is alike, and so may be what it lies in", (t) => {
  const isListed = (ino: Ino): boolean => ino !== below;
  const seen = (): Map<Ino, Fact> => new Map([...side()].filter(([ino]) => ino !== 51));
  t.strictSame(alikeFolders(seen(), seen(), isListed), [top, left]);
  t.end();
});
