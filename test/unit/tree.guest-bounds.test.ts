/**
 * What a hostile writer's head expands to: a few sealed bytes, signed by her own right, that name
 * more than any machine has room for. Each is refused within moments, `hive shares` says why, and
 * the owner has what he had.
 */
import { test } from "tap";
import { type Cid, type Ino, type Name, parseCid, parseName } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { type ChunkLink, encodeLink, sealChunks } from "../../src/dag/chunks.ts";
import { type Entry, encodeEntry, nameKey, parseEntry } from "../../src/dag/entries.ts";
import { encodeXattrs } from "../../src/dag/inode-bytes.ts";
import { type Inode, type PageTree, type Xattrs, fileType, noTree, noXattrs }
  from "../../src/dag/inodes.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { markOf } from "../../src/dag/marks.ts";
import { keyMax, newPage, openPage, pageKey, sealPage } from "../../src/dag/pages.ts";
import { openRoot } from "../../src/dag/root.ts";
import { findItem, nextItem } from "../../src/dag/search.ts";
import { rootOf } from "../../src/sharing/records/folder-root.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { Bounds, mostOfGuest, mostOfOwner } from "../../src/tree/merge/bounds.ts";
import { faultOf, outcomeOf } from "../support/faults.ts";
import { OwnerLooks } from "../support/owner-looks.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { SharedFolder, guest, ownerSecret, pictureBelow, put, textAt } from "../support/shared-folder.ts";
import { readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`guest-bounds/${seed}`);
const { writers: most, tree: { chunkBytes } } = limits;
const secret = Buffer.alloc(32, 9);
const slow = { timeout: 120_000 };

interface Value {
  readonly key: number;
  readonly value: Buffer;
}

/** Writes what no tree of ours would, with keys of her own. */
class Forger {
  readonly #both: SharedFolder;
  #next = 0;

  constructor(both: SharedFolder) {
    this.#both = both;
  }

  ino(): Ino {
    return markOf(guest.number, 10 + this.#next++) as Ino;
  }

  page(level: number, values: readonly Value[]): Cid {
    const sorted = [...values].sort((a, b) => a.key - b.key);
    const page = newPage(level, sorted.map(({ key }) => key), sorted.map(({ value }) => value));
    const { cid, sealed } = sealPage(pageKey(secret), page, random);
    this.#both.pool.set(cid, sealed);
    return cid;
  }

  /** One page named again and again, on each level. */
  bush(leaf: readonly Value[], { levels, width }: { levels: number; width: number }): PageTree {
    let cid = this.page(0, leaf);
    for (let level = 1; level <= levels; level++) {
      const value = Buffer.from(cid, "hex");
      cid = this.page(level, Array.from({ length: width }, (_, key) => ({ key, value })));
    }
    return treeOf(cid, levels);
  }

  /** Pages of as many values as a search can find. */
  tree(values: readonly Value[]): PageTree {
    const sorted = [...values].sort((a, b) => a.key - b.key);
    const children: Value[] = [];
    for (let at = 0; at < sorted.length; at += 700) {
      const some = sorted.slice(at, at + 700);
      children.push({ key: some[0]?.key as number, value: Buffer.from(this.page(0, some), "hex") });
    }
    return treeOf(this.page(1, children), 1);
  }

  chunk(bytes: Buffer): ChunkLink {
    const [made] = sealChunks(secret, [bytes]);
    if (made === undefined) throw new Error("no chunk");
    this.#both.pool.set(made.link.cid, Buffer.from(made.sealed));
    return made.link;
  }

  entry(name: string, more: Partial<Inode>, tree: PageTree = noTree): Value {
    const inode: Inode = {
      ino: this.ino(), mode: fileType.regular | 0o644, links: 1, uid: 0, gid: 0, rdev: 0,
      sizeBytes: 3, atime: time, mtime: time, ctime: time, btime: time, xattrs: noXattrs,
      content: { kind: "inline", bytes: Buffer.from("bad") }, slot: 0, policy: 0, era: 0, ...more,
    };
    return valueOf({ kind: "inode", name: parseName(name), inode, tree });
  }

  folder(name: string, tree: PageTree): Value {
    const content = { kind: "directory", entries: 0 } as const;
    return this.entry(name, { mode: fileType.directory | 0o755, sizeBytes: 0, content }, tree);
  }

  /** A file that says what it takes. */
  file(name: string, saysBytes: number, tree: PageTree, sizeBytes = 2 ** 40): Value {
    return this.entry(name, { sizeBytes, content: { kind: "chunks", allocatedBytes: saysBytes } }, tree);
  }

  /** Her head: the folder with this in it. */
  async root(tree: PageTree): Promise<Uint8Array> {
    const { directory: { inode }, devices } = await this.#both.guestsRecord();
    const seen = new Map(devices).set(guest.number, { count: 1e6, name: "ben" });
    return rootOf({ inode, tree }, seen);
  }
}

const known = { ino: 5, content: { kind: "directory", entries: 9 } } as unknown as Inode;
const time = { seconds: 1, nanoseconds: 0 };

function treeOf(cid: Cid, level: number): PageTree {
  return { secret, root: { kind: "page", cid, level } };
}

function inside(...values: readonly Value[]): PageTree {
  const sorted = [...values].sort((a, b) => a.key - b.key);
  const page = newPage(0, sorted.map(({ key }) => key), sorted.map(({ value }) => value));
  return { secret, root: { kind: "inside", page } };
}

function valueOf(entry: Entry): Value {
  return { key: nameKey(entry.name), value: encodeEntry(entry) };
}

/** A name of a file that has several: of all entries the shortest. */
function link(name: Name): Value {
  return valueOf({ kind: "link", name, ino: 7 as Ino, type: fileType.regular });
}

test("what a hostile head names is refused, told in words, and costs the owner nothing", slow,
  async (t) => {
    const both = await new SharedFolder("bounds").open(async (tree, folder) => {
      await put(tree, "report", "of the owner", folder);
      await put(tree, "diary", "nobody's business");
    });
    const forger = new Forger(both);
    const maker = new ShareMaker(random);
    const ben = personKeysOf(random.bytes(32));
    const right = maker.rightOf(ben, 1);
    const { folder: ino } = both;
    const owner = new OwnerLooks(maker, [
      { share: maker.share, ino, person: personIdOf(ben), number: 1, right },
    ], async ({ root }) => !(await both.turn(root)).isCut);
    const before = await pictureBelow(both.owner);
    let sequence = 0;
    const told = (root: Uint8Array) => owner.look(maker.written(right, ++sequence, {
      root, ino, manifests: [], newest: [], runs: [], catalogKey: random.bytes(32),
    }));
    const refuses = async (what: string, tree: PageTree, why: RegExp) => {
      t.match(await told(await forger.root(tree)), why, what);
      t.strictSame(await pictureBelow(both.owner), before, `${what}: the owner has what he had`);
    };

    const names = Array.from({ length: most.newNamesMax + 1 }, (_, at) => link(parseName(`n${at}`)));
    await refuses("a million names", forger.tree(names), /not taken in: over 131072 new names/);
    await refuses("one page of names again and again",
      forger.bush([link(parseName("a"))], { levels: 6, width: 1_000 }), /Corrupt/);
    await refuses("one empty page again and again",
      forger.bush([], { levels: 6, width: 1_000 }), /Corrupt/);

    let deep = inside(forger.entry("a", {}));
    for (let at = 0; at < most.newDepthMax + 1; at++) deep = inside(forger.folder("d", deep));
    await refuses("folders without end",
      treeOf(forger.page(0, [forger.folder("d", deep)]), 0), /over 256 new folders/);

    const chunk = forger.chunk(Buffer.alloc(chunkBytes, 1));
    const again = (count: number) => Array.from({ length: count }, (_, key) => ({
      key, value: encodeLink(chunk),
    }));
    const huge = Array.from({ length: 3 }, (_, at) =>
      forger.file(`huge ${at}`, most.contentBytesMax / 2 - 1, inside(...again(1 + at))));
    await refuses("files of more than anybody keeps", inside(...huge), /files of over/);
    await refuses("one chunk again and again in a file that says that it is small",
      inside(forger.file("small", chunkBytes, forger.tree(again(3_000)))), /Corrupt/);
    await refuses("one page of chunks again and again",
      inside(forger.file("bush", 2 ** 37, forger.bush(again(1), { levels: 6, width: 1_000 }))),
      /Corrupt/);

    const large = new Map(Array.from({ length: 4 }, (_, at) => {
      return [`user.${at}`, Buffer.alloc(63 * 1024, at)] as const;
    }));
    const xattrs: Xattrs = { kind: "block", link: forger.chunk(encodeXattrs(large)) };
    await refuses("attributes beyond what a file may have", inside(forger.entry("x", { xattrs })),
      /Corrupt/);
    // What takes no room is no harm, however large it says that it is.
    const holes = forger.entry("holes", { sizeBytes: limits.tree.fileBytesMax });
    const far = forger.file("far", chunkBytes,
      inside({ key: 2 ** 33, value: encodeLink(chunk) }), 2 ** 52);
    const kept = await forger.root(inside(holes, far));
    t.equal(await told(kept), null);
    t.equal((await both.owner.getattr(await both.owner.walk(["f", "far"]))).sizeBytes, 2 ** 52);
    const { blocks } = await both.owner.getattr(await both.owner.walk(["f", "far"]));
    t.equal(blocks, chunkBytes / 512);
    t.equal(await textAt(both.owner, "diary"), "nobody's business");
  });

/** The page that says where the chunks of a file of the owner's are, as its name is all that is known of it. */
async function pageOf({ owner, owners, pool }: SharedFolder, name: Name): Promise<PageTree["root"]> {
  await owner.commit();
  const { directory: { tree } } = openRoot(treeKeys(ownerSecret), owners.root() as Uint8Array);
  const load = (cid: Cid) => openPage(pageKey(tree.secret as Buffer), cid, pool.get(cid) as Uint8Array);
  const entry = parseEntry(findItem(tree.root, nameKey(name), load) as Buffer);
  return entry.kind === "inode" ? entry.tree.root : noTree.root;
}

test("the name of a block that the owner has opened opens it for nobody who has not its key", async (t) => {
  const diary = random.bytes(60 * chunkBytes);
  const both = await new SharedFolder("opened").open(async (tree) => void await put(tree, "diary", diary));
  const { owner, pool } = both;
  // What the catalogue tells a guest: the names of all blocks, and how long they are.
  const chunks = [...pool].filter(([, { length }]) => length > chunkBytes).map(([cid]) => cid);
  const root = await pageOf(both, parseName("diary"));
  t.equal(root.kind, "page");
  t.ok((await readFile(owner, await owner.walk(["diary"]))).equals(diary), "the owner reads his diary");
  const forger = new Forger(both);
  const links = chunks.slice(-3).map((cid, key) => {
    return { key, value: encodeLink({ cid, key: Buffer.alloc(32), lengthBytes: chunkBytes }) };
  });
  for (const tree of [inside(...links), { secret, root }]) {
    const stolen = forger.file("stolen", diary.length, tree, diary.length);
    const told = await forger.root(inside(stolen));
    t.equal(await faultOf(() => both.toOwner(told)), "Corrupt");
    t.strictSame(await pictureBelow(owner, "/f/"), {});
  }
});

test("short files of more than memory should hold are refused, whoever they are said to be of", (t) => {
  const inode = (ino: number): Inode => ({
    ino: ino as Ino, mode: fileType.regular | 0o644, links: 1, uid: 0, gid: 0, rdev: 0,
    sizeBytes: 0, atime: time, mtime: time, ctime: time, btime: time, slot: 0, policy: 0, era: 0,
    xattrs: { kind: "inside", values: new Map([["user.a", Buffer.alloc(60_000)]]) },
    content: { kind: "inline", bytes: Buffer.alloc(0) },
  });
  const tell = (bounds: Bounds) => {
    for (let at = 1; at < 3_000; at++) {
      bounds.entry({ folder: 1 as Ino, inode: inode(at), ours: undefined });
    }
  };
  t.equal(outcomeOf(() => tell(new Bounds(mostOfGuest))), "TooLarge");
  t.equal(outcomeOf(() => tell(new Bounds(mostOfOwner))), "ok", "it is his folder");
  const bounds = new Bounds(mostOfGuest);
  for (let at = 0; at <= most.newNamesMax; at++) {
    bounds.entry({ folder: 1 as Ino, inode: known, ours: known });
  }
  t.pass("what both have may be as large as it likes");
  t.end();
});

test("no page is looked at twice for one key, whatever pages name", (t) => {
  const leaf = newPage(0, [0], [Buffer.from("a")]);
  const inner = Array.from({ length: 8 }, (_, at) => newPage(at + 1,
    Array.from({ length: 1_000 }, (_, key) => key),
    Array.from({ length: 1_000 }, () => Buffer.alloc(32, at))));
  const pages = [leaf, ...inner];
  let loads = 0;
  const load = (_: Cid, level: number) => {
    loads++;
    return pages[level] ?? leaf;
  };
  const root = { kind: "page", cid: parseCid("ab".repeat(32)), level: 8 } as const;
  t.equal(outcomeOf(() => nextItem(root, 5, load)), "Corrupt");
  t.ok(loads < 20, `${loads} pages`);
  t.equal(nextItem(root, keyMax, load), undefined);
  t.end();
});
