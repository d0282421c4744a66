/**
 * Roots of a device that has the drive's secrets and means ill: what is no tree is refused, and the
 * others have what they had.
 */
import { test } from "tap";
import { type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { encodeEntry, nameKey } from "../../src/dag/entries.ts";
import { type PageTree, fileType, noTree } from "../../src/dag/inodes.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { markOf } from "../../src/dag/marks.ts";
import { newPage } from "../../src/dag/pages.ts";
import { openRoot, sealRoot } from "../../src/dag/root.ts";
import { faultOf } from "../support/faults.ts";
import { Devices, treeSecret } from "../support/merge-devices.ts";
import { at, pictureBelow, put } from "../support/shared-folder.ts";
import { nobody } from "../support/walk.ts";

const random = seededRandom("hostile roots");
const keys = treeKeys(treeSecret);

test("no device puts a folder into itself, nor the drive into one of its folders", async (t) => {
  const devices = new Devices("hostile");
  const desk = await devices.add("desk");
  const { ino: docs } = await desk.tree.mkdir(nobody, at("docs"), { mode: 0o755 });
  await put(desk.tree, "report", "text", docs);
  const lap = await devices.add("lap");
  const record = openRoot(keys, await devices.publish(lap));
  const before = await pictureBelow(desk.tree);
  const { inode } = record.directory;
  const marks = { edited: markOf(lap.number, 900), moved: markOf(lap.number, 901) };
  const folder = (name: string, ino: Ino, tree: PageTree = noTree) => ({
    key: nameKey(parseName(name)), value: encodeEntry({
      kind: "inode", name: parseName(name), tree,
      inode: { ...inode, ino, mode: fileType.directory | 0o755, links: 2, marks },
    }),
  });
  const inside = (...values: readonly { readonly key: number; readonly value: Buffer }[]): PageTree => {
    const sorted = values.toSorted((a, b) => a.key - b.key);
    const page = newPage(0, sorted.map(({ key }) => key), sorted.map(({ value }) => value));
    return { secret: Buffer.alloc(32, 1), root: { kind: "inside", page } };
  };
  for (const tree of [
    inside(folder("drive", rootIno)),
    inside(folder("docs", docs, inside(folder("drive", rootIno)))),
    inside(folder("docs", docs, inside(folder("again", docs)))),
    inside(folder("docs", docs), folder("more", docs)),
  ]) {
    const seen = new Map(record.devices).set(lap.number, { count: 1_000, name: "lap" });
    const told = { ...record, directory: { inode, tree }, devices: seen };
    devices.heads.set(lap.number, sealRoot(keys, told, random));
    t.equal(await faultOf(devices.hear(desk, lap)), "Corrupt");
    await devices.restart(desk, { crash: false });
    t.strictSame(await pictureBelow(desk.tree), before);
  }
});
