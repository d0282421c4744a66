/**
 * A folder that somebody else may write: both sides come to the same folder, nothing that nobody
 * gave up is lost, what comes in is the owner's own, and nothing that a guest can say reaches
 * beyond the folder.
 */
import { type Test, test } from "tap";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { type Cid, type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Entry, encodeEntry, nameKey } from "../../src/dag/entries.ts";
import { type Inode, type PageTree, fileType, noTree } from "../../src/dag/inodes.ts";
import { type Seen, markOf } from "../../src/dag/marks.ts";
import { newPage } from "../../src/dag/pages.ts";
import { sharingOf } from "../../src/drive/sharing.ts";
import { rootOf } from "../../src/sharing/records/folder-root.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { faultOf } from "../support/faults.ts";
import { act, textsIn } from "../support/folder-acts.ts";
import { governedBlocks } from "../support/governed.ts";
import { SharedFolder, at, guest, ownerDevice, ownerSecret, pictureBelow, put, textAt }
  from "../support/shared-folder.ts";
import { ShiftedClock } from "../support/transfer-world.ts";
import { hashOf, nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const trials = Number(process.env["HIVE_TRIALS"] ?? 6);
const slow = { timeout: 120_000 };

async function isSame(t: Test, { owner, guest: tree }: SharedFolder): Promise<void> {
  t.strictSame(await pictureBelow(tree), await pictureBelow(owner, "/f/"));
}

test("what a guest writes is in the owner's folder, and then the owner's own", async (t) => {
  const both = await new SharedFolder("own").open(async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
    await put(tree, "diary", "nobody's business");
  });
  const large = Buffer.concat([seededRandom("large").bytes(700_000), Buffer.alloc(300_000)]);
  const { guest: tree } = both;
  const { ino } = await tree.mkdir(nobody, at("sub"), { mode: 0o755 });
  await put(tree, "large", large, ino);
  await put(tree, "note", "of the guest", ino);
  const holes = await put(tree, "holes", "x");
  await tree.setattr(nobody, holes, { sizeBytes: 5_000_000 });
  await tree.symlink(nobody, at("link"), Buffer.from("sub/note"));
  await tree.setxattr(nobody, holes, "user.color", Buffer.from("red"), "any");
  t.ok(await both.toOwner());
  await isSame(t, both);
  await both.settle();
  await isSame(t, both);
  const alone = await both.ownerAlone();
  const found = await pictureBelow(alone, "/f/");
  t.equal(found["/sub/large"], `644 ${hashOf(large)}`, "without a block of the guest's");
  const owned = await alone.walk(["f", "holes"]);
  t.equal(Buffer.from(await alone.getxattr(owned, "user.color")).toString(), "red");
  t.equal((await alone.getattr(owned)).sizeBytes, 5_000_000);
  t.ok((await alone.getattr(owned)).blocks < 100, "holes stay holes");
});

test("what the owner has taken over is his: the guest keeps no copy of her own", async (t) => {
  const both = await new SharedFolder("over").open(async (tree, folder) => {
    await put(tree, "old", Buffer.alloc(300_000, 9), folder);
  });
  const { guest: tree, owner, folder } = both;
  const large = await put(tree, "large", seededRandom("over").bytes(700_000));
  const many = await put(tree, "many links", seededRandom("links").bytes(9 * 256 * 1024));
  await put(tree, "short", "inline");
  await tree.setxattr(nobody, large, "user.note", Buffer.alloc(20_000, 1), "any");
  await both.guestsRecord();
  const hers = new Set(await cidsBelow(tree));
  await both.settle();
  await isSame(t, both);
  const now = await cidsBelow(tree);
  t.strictSame(now, await cidsBelow(owner, folder), "the very blocks of the owner");
  t.equal(now.filter((cid) => hers.has(cid)).length, 2, "of hers none but what was his");
  const census = await tree.census(100);
  t.equal([...hers].filter((cid) => new CidFilter(census?.living ?? new Uint8Array(1)).has(cid)).length, 2);
  t.equal(Buffer.from(await tree.getxattr(large, "user.note")).length, 20_000);
  await put(tree, "large", "hers again");
  await both.guestsRecord();
  t.equal(await textAt(tree, "large"), "hers again");
  await both.toGuest();
  t.equal(await textAt(tree, "large"), "hers again", "what he has not taken over stays hers");
  t.equal((await readFile(tree, many)).length, 9 * 256 * 1024);
  await both.settle();
  await isSame(t, both);
});

async function cidsBelow(tree: Tree, folder = rootIno): Promise<readonly Cid[]> {
  const cids: Cid[] = [];
  for await (const cid of tree.cidsBelow(folder)) cids.push(cid);
  return cids.sort();
}

test("what the owner does comes to the guest: edits, moves, removals, and what moves in",
  async (t) => {
    const both = await new SharedFolder("owner").open(async (tree, folder) => {
      await put(tree, "a", "a", folder);
      await put(tree, "b", "b", folder);
      const { ino } = await tree.mkdir(nobody, at("elsewhere"), { mode: 0o755 });
      await put(tree, "long made", "before anybody was a guest", ino);
    });
    const { owner, folder } = both;
    await put(owner, "a", "a, edited", folder);
    await owner.unlink(nobody, at("b", folder));
    await owner.lookup(at("elsewhere"));
    await owner.rename(nobody, at("elsewhere"), at("moved in", folder), "replace");
    await both.settle();
    await isSame(t, both);
    t.strictSame(Object.keys(await pictureBelow(both.guest)),
      ["/a", "/moved in", "/moved in/long made"]);
    t.equal(await textAt(both.guest, "a"), "a, edited");
  });

test("two edits of one file keep both, named by who made them", async (t) => {
  const both = await new SharedFolder("both").open(async (tree, folder) => {
    await put(tree, "report.txt", "first", folder);
    await put(tree, "large", Buffer.alloc(300_000, 1), folder);
  });
  const { owner, folder, guest: tree } = both;
  for (const [one, parent, fill] of [[owner, folder, 2], [tree, rootIno, 3]] as const) {
    await put(one, "report.txt", `of ${fill}`, parent);
    await put(one, "large", Buffer.alloc(400_000, fill), parent);
  }
  await both.settle();
  await isSame(t, both);
  const names = Object.keys(await pictureBelow(tree));
  t.equal(names.length, 4);
  t.equal(names.filter((name) => /\(conflict, (desk|lap|Ben of the office), \d{4}-/.test(name)).length, 2);
  const words = await Promise.all(names.map((name) => textAt(tree, name.slice(1))));
  t.ok(words.includes("of 2") && words.includes("of 3"));
});

test("what the owner moved out or removed, and the guest edited, is there twice", async (t) => {
  const both = await new SharedFolder("out").open(async (tree, folder) => {
    await put(tree, "kept", "first", folder);
    const { ino } = await tree.mkdir(nobody, at("d", folder), { mode: 0o755 });
    await put(tree, "in d", "first", ino);
    await put(tree, "also in d", "stays as it was", ino);
  });
  const { owner, folder, guest: tree } = both;
  const mine = await put(tree, "mine", "of the guest");
  await both.settle();
  await owner.lookup(at("d", folder));
  for (const name of ["kept", "mine", "d"]) {
    await owner.lookup(at(name, folder));
    await owner.rename(nobody, at(name, folder), at(`private ${name}`), "replace");
  }
  const d = await tree.lookup(at("d"));
  await put(tree, "kept", "edited");
  await put(tree, "in d", "edited", d.ino);
  await put(tree, "mine", "edited too");
  await both.settle();
  await isSame(t, both);
  const found = await pictureBelow(owner, "/f/");
  t.strictSame(Object.keys(found), ["/d", "/d/in d", "/kept", "/mine"]);
  t.equal(await textAt(owner, "kept", folder), "edited");
  t.equal(await textAt(owner, "private kept"), "first", "his own is as he left it");
  t.equal(await textAt(owner, "private mine"), "of the guest");
  t.not((await owner.lookup(at("mine", folder))).ino, mine);
  const away = await owner.lookup(at("private d"));
  t.equal(await textAt(owner, "in d", away.ino), "first");
  t.equal(await textAt(owner, "also in d", away.ino), "stays as it was");
});

test("files of several names do not come along, and are not lost", async (t) => {
  const both = await new SharedFolder("links").open(async (tree, folder) => {
    const ino = await put(tree, "one", "of two names", folder);
    await tree.link(nobody, ino, at("two", folder));
    await put(tree, "later", "one name so far", folder);
  });
  const { owner, folder, guest: tree } = both;
  t.strictSame(Object.keys(await pictureBelow(tree)), ["/later"]);
  const { ino } = await owner.lookup(at("later", folder));
  await owner.link(nobody, ino, at("elsewhere"));
  await put(tree, "later", "edited meanwhile");
  await put(tree, "one", "a name that is taken");
  await both.settle();
  const words = Object.keys(await pictureBelow(owner, "/f/"));
  t.equal(await textAt(owner, "two", folder), "of two names");
  t.equal(await textAt(owner, "elsewhere"), "one name so far");
  const texts = await Promise.all(words.map((name) => textAt(owner, name.slice(1), folder)));
  for (const text of ["edited meanwhile", "a name that is taken", "of two names"]) {
    t.ok(texts.includes(text), text);
  }
  const taken = await put(tree, "single", "in one folder");
  t.equal(await faultOf(async () => tree.link(nobody, taken, at("more"))), "NotPermitted");
});

/** In the order of names they are as one: the slots of one hash, and more (dag/entries.ts). */
const ofOneHash = ("report x899-q97E@U x1890-6RfA=s x1979-jmX6sY x6764-hoBios x9041-i^8,Ph x9303-EdZq0V x11443-K^fLnm "
  + "x13115-wy6,gK x13128-ssr.rd x24308-~D+7X6 x33460-5nSoIM x33963-65_NLC x34160-bshOu@ x34302-3ZiuKG "
  + "x34624-7j+o1v x37483-n5HfLg x37857-3c6JTA x39152-lfNneL x47592-kMYuzR x48744-X@Fe=x").split(" ");

test("however many names of one hash there are on both sides, each has its file", async (t) => {
  const both = await new SharedFolder("one hash").open(async (tree, folder) => {
    await put(tree, "report", "report", folder);
  });
  t.equal(new Set(ofOneHash.map((name) => nameKey(parseName(name)))).size, 1);
  for (const name of ofOneHash.slice(1, 12)) await put(both.owner, name, name, both.folder);
  for (const name of ofOneHash.slice(12)) await put(both.guest, name, name);
  await both.settle();
  await isSame(t, both);
  const texts = await textsIn(both.owner, both.folder);
  t.strictSame([...texts].sort(), [...ofOneHash].sort(), "nothing is lost");
  t.equal(await textAt(both.owner, "report", both.folder), "report");
});

test("a guest who makes up names of one hash keeps nobody from giving one of his own", async (t) => {
  const both = await new SharedFolder("crowd").open(async (tree, folder) => {
    for (const name of ["d", "e"]) {
      const { ino } = await tree.mkdir(nobody, at(name, folder), { mode: 0o755 });
      await put(tree, ofOneHash[1] as string, "of the owner", ino);
    }
  });
  const { owner, guest: tree, folder } = both;
  const theirs = await tree.lookup(at("d"));
  const ours = await owner.lookup(at("d", folder));
  for (const name of ofOneHash.slice(2, 17)) await put(tree, name, name, theirs.ino);
  await both.toOwner();
  t.equal(await textAt(owner, ofOneHash[1] as string, ours.ino), "of the owner");
  await put(owner, "report", "as he calls it", ours.ino);
  // Her numbers are smaller than the owner's.
  const other = await both.further({ number: 55, name: "of another guest" });
  const [d, e] = [await other.tree.lookup(at("d")), await other.tree.lookup(at("e"))];
  await put(other.tree, ofOneHash[18] as string, "hers", d.ino);
  for (const name of ofOneHash.slice(2, 12)) await put(other.tree, name, name, e.ino);
  await both.turn(await other.told(), { number: 55 });
  const inE = await owner.lookup(at("e", folder));
  t.equal(await textAt(owner, ofOneHash[1] as string, inE.ino), "of the owner");
  await put(owner, ofOneHash[19] as string, "also his", ours.ino);
  await both.settle();
  await isSame(t, both);
  t.equal(await textAt(owner, "report", ours.ino), "as he calls it");
  const texts = await textsIn(owner, ours.ino);
  const all = ["of the owner", "as he calls it", "also his", "hers", ...ofOneHash.slice(2, 17)];
  t.strictSame([...texts].sort(), all.sort(), "under which name ever, nothing is lost");
});

test("a guest who deletes too much, or writes it over, is braked as the owner's programs are", async (t) => {
  const rule = { share: 0.3, withinMs: 600_000, filesMin: 5 };
  for (const kind of ["deleted", "overwritten"] as const) {
    const clock = new ShiftedClock();
    const both = await new SharedFolder(`brake ${kind}`, { clock, brake: rule }).open(async (tree, folder) => {
      for (let file = 0; file < 10; file++) await put(tree, `file ${file}`, "of the owner", folder);
    });
    clock.shiftMs += 3_600_000;
    for (let file = 0; file < 6; file++) {
      if (kind === "deleted") await both.guest.unlink(nobody, at(`file ${file}`));
      else await put(both.guest, `file ${file}`, "held to ransom");
    }
    t.equal(both.owner.brake.isOn, false);
    await both.toOwner();
    t.match(both.owner.brake.status(), { change: { [kind]: rule.filesMin } });
  }
});

test("what a guest puts into a folder of another policy goes by that", async (t) => {
  const large = seededRandom("policies").bytes(700_000);
  const both = await new SharedFolder("policies").open(async (tree, folder) => {
    const { ino } = await tree.mkdir(nobody, at("inner", folder), { mode: 0o755 });
    await tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from("europe"), "any");
    await put(tree, "moves", large, folder);
    await put(tree, "leaves", large, ino);
  });
  const { owner, owners, guest: tree } = both;
  const never = new AbortController().signal;
  const resealed = async () => {
    while (owner.resealing() !== undefined) await owner.resealer.step(never);
    await owner.commit();
  };
  await resealed();
  const { ino } = await tree.lookup(at("inner"));
  await put(tree, "new", large, ino);
  await tree.rename(nobody, at("moves"), at("moves", ino), "replace");
  await tree.rename(nobody, at("leaves", ino), at("leaves"), "replace");
  await both.settle();
  await resealed();
  const wrong = governedBlocks(owners, ownerSecret).filter(({ isRight }) => !isRight);
  t.strictSame(wrong, []);
});

test("a guest's contents wait while the owner's store is half full of what no peer has", async (t) => {
  const both = await new SharedFolder("room").open();
  await put(both.guest, "large", seededRandom("room").bytes(700_000));
  await both.guest.mkdir(nobody, at("folder"), { mode: 0o755 });
  const usage = both.owners.usage.bind(both.owners);
  both.owners.usage = () => ({ ...usage(), dirtyBytes: 51, dirtyBytesMax: 100 });
  t.match(await both.turn(), { isCut: true, hasChanged: true });
  t.strictSame(Object.keys(await pictureBelow(both.owner, "/f/")), ["/folder"], "what takes no room comes in");
  both.owners.usage = usage;
  t.match(await both.turn(), { isCut: false });
  await isSame(t, both);
});

test("what a guest wrote and did not come in before she was shut out never does", async (t) => {
  const both = await new SharedFolder("shut out").open(async (tree, folder) => {
    await put(tree, "report", "of the owner", folder);
  });
  await put(both.guest, "large", seededRandom("late").bytes(700_000));
  await both.guest.unlink(nobody, at("report"));
  const before = await pictureBelow(both.owner);
  const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const get = both.owners.get.bind(both.owners);
  both.owners.get = async (cid) => {
    if (both.owners.has(cid)) return await get(cid);
    asked.resolve();
    await held.promise;
    return await get(cid);
  };
  const coming = faultOf(() => both.toOwner());
  await asked.promise;
  const sharing = { losses: async () => [], revoke: async () => undefined, list: async () => ({ given: [] }) };
  const drive = sharingOf(both.owner, { sharing } as unknown as NodeDuties);
  await drive.revoke(["f"], "Ben", { dropsSnapshots: false });
  held.resolve();
  t.equal(await coming, "Busy");
  t.strictSame(await pictureBelow(both.owner), before);
});

test("whatever both do apart, they come to the same folder and lose nothing", slow, async (t) => {
  for (let trial = 0; trial < trials; trial++) {
    const name = `${seed}/${trial}`;
    const random = seededRandom(`guests ${name}`);
    const both = await new SharedFolder(name).open(async (tree, folder) => {
      await put(tree, "n0", "first", folder);
    });
    const written = new Set<string>();
    const given = new Set<string>();
    for (let turn = 0; turn < 30; turn++) {
      const isOwner = random.below(2) === 0;
      const side = isOwner ? { tree: both.owner, top: both.folder } : { tree: both.guest, top: rootIno };
      await act({ ...side, random, written, given, turn });
      if (random.below(6) === 0) await both.toOwner();
      if (random.below(6) === 0) await both.toGuest();
    }
    await both.settle();
    await isSame(t, both);
    const found = new Set(await textsIn(both.owner, both.folder));
    const lost = [...written].filter((word) => !given.has(word) && !found.has(word));
    t.strictSame(lost, [], `HIVE_SEED=${seed}, trial ${trial}`);
  }
});

/** A guest's root with entries that no tree of ours would write. */
async function forged(
  both: SharedFolder, entries: readonly (Partial<Inode> & { readonly name: string })[],
  devices?: (seen: Seen) => Seen,
): Promise<Uint8Array> {
  const record = await both.guestsRecord();
  const { inode } = record.directory;
  const made = entries.map(({ name, ...more }): Entry => ({
    kind: "inode", name: parseName(name), tree: noTree,
    inode: {
      ...inode, mode: fileType.regular | 0o644, links: 1, sizeBytes: 3,
      content: { kind: "inline", bytes: Buffer.from("bad") }, ...more,
    },
  }));
  const keyed = new Map<number, Buffer>();
  for (const entry of made) {
    let key = nameKey(entry.name);
    while (keyed.has(key)) key++;
    keyed.set(key, encodeEntry(entry));
  }
  const sorted = [...keyed].sort(([a], [b]) => a - b);
  const page = newPage(0, sorted.map(([key]) => key), sorted.map(([, value]) => value));
  const tree: PageTree = { secret: Buffer.alloc(32, 1), root: { kind: "inside", page } };
  const seen = devices?.(record.devices) ?? new Map(record.devices)
    .set(guest.number, { count: 1_000, name: "ben" });
  return rootOf({ inode, tree }, seen);
}

test("nothing that a guest says reaches beyond the folder", async (t) => {
  let diary = rootIno;
  const both = await new SharedFolder("hostile").open(async (tree, folder) => {
    await put(tree, "report", "of the owner", folder);
    diary = await put(tree, "diary", "nobody's business");
  });
  const { owner, folder } = both;
  const his = (count: number) => markOf(guest.number, count) as Ino;
  const before = await pictureBelow(owner);
  const refuses = async (what: string, root: Uint8Array, kind = "Corrupt") => {
    t.equal(await faultOf(() => both.toOwner(root)), kind, what);
    t.strictSame(await pictureBelow(owner), before, `${what}: nothing changed`);
  };
  await refuses("one number twice", await forged(both, [
    { name: "a", ino: his(5) }, { name: "b", ino: his(5) },
  ]));
  await refuses("a mark of the owner's to come",
    await forged(both, [{ name: "a", ino: markOf(ownerDevice.number, 2 ** 32) as Ino }]));
  await refuses("an edit by the owner that he never made", await forged(both, [
    { name: "a", ino: his(5), marks: { edited: markOf(ownerDevice.number, 2 ** 32), moved: his(5) } },
  ]));
  await refuses("more marks than he says", await forged(both, [{ name: "a", ino: his(2_000) }]));
  await refuses("the folder inside itself", await forged(both, [{ name: "a", ino: folder }]));
  const report = await owner.lookup(at("report", folder));
  await refuses("a file that became a folder", await forged(both, [{
    name: "report", ino: report.ino, mode: fileType.directory | 0o755, sizeBytes: 0,
    content: { kind: "directory", entries: 0 }, marks: { edited: his(7), moved: his(7) },
  }]));

  for (const name of [".snapshots", ".trash"]) {
    await refuses(`${name}, which hides what was`, await forged(both, [{ name, ino: his(5) }]), "Exists");
  }

  // Numbers of what lies outside are taken for new things: what has them stays what it is.
  await both.toOwner(await forged(both, [
    { name: "a", ino: diary, marks: { edited: his(5), moved: his(6) } },
    { name: "b", ino: rootIno, marks: { edited: his(7), moved: his(8) } },
    { name: "suid", ino: his(9), mode: fileType.regular | 0o6777, uid: 0, gid: 0 },
    { name: "disk", ino: his(10), mode: fileType.block | 0o666, rdev: 2048, content: { kind: "none" }, sizeBytes: 0 },
  ], (seen) => new Map(seen).set(guest.number, { count: 50, name: "ben" })
    .set(ownerDevice.number, { count: 0, name: "" })));
  t.equal(await textAt(owner, "diary"), "nobody's business");
  t.equal(await textAt(owner, "a", folder), "bad");
  t.equal(await textAt(owner, "b", folder), "bad");
  t.equal(await textAt(owner, "report", folder), "of the owner", "he says that he never saw it");
  const suid = await owner.lookup(at("suid", folder));
  const { uid } = await owner.getattr(folder);
  t.strictSame([suid.mode & 0o7777, suid.uid], [0o777, uid]);
  t.equal(await faultOf(async () => owner.lookup(at("disk", folder))), "NotFound");
  const again = await forged(both, [], (seen) => new Map(seen).set(guest.number, { count: 49, name: "" }));
  t.equal(await faultOf(() => both.toOwner(again)), "Stale", "rolled back");
  t.equal(await textAt(owner, "a", folder), "bad");

  const all = await forged(both, [], () => new Map([
    [guest.number, { count: 60, name: "ben" }], [ownerDevice.number, { count: 2 ** 32, name: "" }],
    [7, { count: 2 ** 32, name: "a device to come" }],
  ]));
  await both.toOwner(all);
  t.strictSame(await pictureBelow(owner, "/f/"), {}, "he may remove all that is in it");
  t.equal(await textAt(owner, "diary"), "nobody's business");
  await put(owner, "later", "the owner goes on counting");
  const root = await both.ownersRoot();
  t.ok(root.length > 0);
});

/** Whose something is, what it may do and by which keys it lies there no guest says. */
const another: Partial<Inode> = {
  uid: 7, gid: 7, era: 77, mtime: { seconds: 2 ** 32, nanoseconds: 0 },
  xattrs: { kind: "inside", values: new Map([["security.capability", Buffer.from("all")]]) },
};

test("what a guest changes bears a new mark of his, or it is no change of his", async (t) => {
  const both = await new SharedFolder("others' marks").open(async (tree, folder) => {
    await put(tree, "report", "of the owner", folder);
    await put(tree, "late", "of the owner, too", folder);
  });
  const { owner, folder } = both;
  await put(both.guest, "own", "of the guest");
  await both.settle();
  const [report, late, own] = await Promise.all(
    ["report", "late", "own"].map(async (name) => (await owner.lookup(at(name, folder))).ino)) as [Ino, Ino, Ino];
  const before = await pictureBelow(owner);
  for (const edited of [late, own]) {
    await both.toOwner(await forged(both, [
      { name: "report", ino: report, ...another, mode: fileType.regular | 0o6777, marks: { edited, moved: report } },
      { name: "late", ino: late }, { name: "own", ino: own },
    ], (seen) => seen));
    t.strictSame(await pictureBelow(owner), before);
    t.strictSame(await owner.listxattr(report), []);
    const { mode, uid, gid } = await owner.getattr(report);
    t.strictSame([mode & 0o7777, uid, gid], [0o644, nobody.uid, nobody.gid]);
  }
});

test("of two folders that come to be one the guest's say is that of a guest, too", async (t) => {
  const both = await new SharedFolder("one of two").open(async (tree, folder) => {
    await tree.mkdir(nobody, at("first", folder), { mode: 0o755 });
    const { ino } = await tree.mkdir(nobody, at("second", folder), { mode: 0o755 });
    await tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from("europe"), "any");
  });
  const { owner, folder } = both;
  const [first, second] = [await owner.lookup(at("first", folder)), await owner.lookup(at("second", folder))];
  const he = (await both.guestsRecord()).devices.get(guest.number)?.count ?? 0;
  const his = (count: number) => markOf(guest.number, he + count);
  const dir: Partial<Inode> = { sizeBytes: 0, content: { kind: "directory", entries: 0 } };
  await both.toOwner(await forged(both, [
    { name: "first", ino: first.ino, ...dir, ...another, mode: fileType.directory | 0o7777,
      marks: { edited: his(1), moved: first.ino } },
    { name: "first", ino: second.ino, ...dir, mode: fileType.directory | 0o755,
      marks: { edited: second.ino, moved: his(2) } },
  ], (seen) => new Map(seen).set(guest.number, { count: he + 9, name: "ben" })));
  const { mode, uid, gid } = await owner.getattr(first.ino);
  t.strictSame([mode & 0o7777, uid, gid], [0o777, nobody.uid, nobody.gid]);
  t.strictSame(await owner.listxattr(first.ino), ["user.hive.policy"]);
});

test("of a folder that both gave attributes the guest's are those that a guest may give", async (t) => {
  const both = await new SharedFolder("attributes of both").open(async (tree, folder) => {
    await tree.mkdir(nobody, at("first", folder), { mode: 0o755 });
  });
  const { owner, folder } = both;
  const { ino } = await owner.lookup(at("first", folder));
  const values = new Map(["user.hive.made-up", "user.note"].map((name) => [name, Buffer.from("his")]));
  // Of two edits of a folder the one whose device has the larger number stays.
  for (const number of [guest.number, ownerDevice.number - 1]) {
    const told = await forged(both, [{
      name: "first", ino, mode: fileType.directory | 0o755, sizeBytes: 0,
      content: { kind: "directory", entries: 0 }, xattrs: { kind: "inside", values },
      marks: { edited: markOf(number, 2 ** 32), moved: ino },
    }], (seen) => new Map(seen).set(number, { count: 2 ** 32, name: "ben" }));
    await owner.setxattr(nobody, ino, `user.color ${number}`, Buffer.from("red"), "any");
    await both.turn(told, { number });
    const names = await owner.listxattr(ino);
    t.ok(names.includes(`user.color ${number}`) && names.includes("user.note"));
    t.notOk(names.includes("user.hive.made-up"));
    await owner.removexattr(nobody, ino, "user.note");
  }
});

test("an owner who says that a file became a folder spoils nothing that a guest has", async (t) => {
  const both = await new SharedFolder("another kind").open(async (tree, folder) => {
    await put(tree, "report", "of the owner", folder);
  });
  const { guest: tree } = both;
  await put(tree, "own", "of the guest");
  const before = await pictureBelow(tree);
  const { ino } = await tree.lookup(at("report"));
  const edited = markOf(ownerDevice.number, 2 ** 20);
  const told = await forged(both, [{
    name: "report", ino, mode: fileType.directory | 0o755, sizeBytes: 0,
    content: { kind: "directory", entries: 0 }, marks: { edited, moved: ino },
  }], (seen) => new Map(seen).set(ownerDevice.number, { count: 2 ** 20, name: "" }));
  t.equal(await faultOf(both.guest.guests.mergeOwner(told, async () => undefined)), "Corrupt");
  await tree.commit();
  t.strictSame(await pictureBelow(tree), before);
});
