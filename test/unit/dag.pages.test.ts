/** Trees of pages against a sorted map, and every parser of dag/ against damaged bytes. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { Reader } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, cidOf, parseCid, parseName } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom, shuffled } from "../../src/base/random.ts";
import { type SealedChunk, openChunk, parseLink, sealChunks } from "../../src/dag/chunks.ts";
import { encodeEntry, encodeTableValue, nameKey, parseEntry } from "../../src/dag/entries.ts";
import { parseTableValue } from "../../src/dag/entries.ts";
import { encodeXattrs, parseXattrs } from "../../src/dag/inode-bytes.ts";
import { type Inode, noTree } from "../../src/dag/inodes.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { type Page, type PageRoot, emptyRoot, encodePage, openPage } from "../../src/dag/pages.ts";
import { newPage, pageKey, parsePage, sealPage } from "../../src/dag/pages.ts";
import { type PageWork, dropPages, rewritePages } from "../../src/dag/rewrite.ts";
import { encodeRoot, openRoot, parseRoot, sealRoot } from "../../src/dag/root.ts";
import { findItem, nextItem } from "../../src/dag/search.ts";
import { blockSizes, padded, stepFor } from "../../src/dag/sizes.ts";
import { isCorrupt } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/dag.pages.test.ts`;

/** Pages by name, as a store would keep them, and those given up. */
class Shelf implements PageWork {
  readonly pages = new Map<Cid, Page>();
  saved = 0;

  load(cid: Cid): Page {
    const page = this.pages.get(cid);
    if (page === undefined) throw new Error(`no page ${cid}`);
    return page;
  }

  save(page: Page): Cid {
    const bytes = encodePage(page);
    if (bytes.length > limits.tree.pageBytesMax) throw new Error(`page of ${bytes.length} bytes`);
    const cid = cidOf(Buffer.concat([bytes, Buffer.from(`${this.saved++}`)]));
    this.pages.set(cid, parsePage(padded(bytes)));
    return cid;
  }

  drop(cid: Cid): void {
    if (!this.pages.delete(cid)) throw new Error(`dropped twice: ${cid}`);
  }

  breathe(): void {}
}

type Model = Map<number, Buffer>;

function randomChanges(random: Random, model: Model, count: number, removing: number) {
  const known = [...model.keys()];
  const changes = new Map<number, Buffer | undefined>();
  for (let index = 0; index < count; index++) {
    const removes = known.length > 0 && random.below(100) < removing;
    const key = removes ? (known[random.below(known.length)] as number) : random.below(2 ** 48);
    const large = random.below(50) === 0 ? 5000 : 120;
    changes.set(key, removes ? undefined : Buffer.alloc(random.below(large), key % 251));
  }
  return changes;
}

async function apply(
  root: PageRoot,
  model: Model,
  changes: ReadonlyMap<number, Buffer | undefined>,
  options: { readonly shelf: Shelf; readonly cutFrom?: number },
): Promise<PageRoot> {
  const { shelf, cutFrom = Infinity } = options;
  const keys = [...changes.keys()].sort((a, b) => a - b);
  const values = keys.map((key) => changes.get(key));
  for (const key of [...model.keys()]) if (key >= cutFrom) model.delete(key);
  keys.forEach((key, index) => {
    const value = values[index];
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  });
  return await rewritePages(root, { cutFrom, keys, values }, { work: shelf, insideMax: 4 });
}

function listAll(root: PageRoot, shelf: Shelf): [number, Buffer][] {
  const items: [number, Buffer][] = [];
  const load = (cid: Cid) => shelf.load(cid);
  for (let item = nextItem(root, 0, load); item; item = nextItem(root, item.key + 1, load)) {
    items.push([item.key, item.value]);
  }
  return items;
}

function same(root: PageRoot, shelf: Shelf, model: Model): boolean {
  const expected = [...model].sort(([a], [b]) => a - b);
  const found = listAll(root, shelf);
  return (
    found.length === expected.length &&
    found.every(([key, value], at) => {
      const pair = expected[at] as [number, Buffer];
      return key === pair[0] && value.equals(pair[1]);
    })
  );
}

/** Every page on the shelf is in the tree, and all but the root are a quarter full. */
function reachable(root: PageRoot, shelf: Shelf): { readonly count: number; readonly least: number } {
  let count = 0;
  let least = Infinity;
  const visit = (cid: Cid, level: number, isRoot: boolean): void => {
    const page = shelf.load(cid);
    count++;
    if (!isRoot) least = Math.min(least, encodePage(page).length);
    if (page.level !== level) throw new Error("level");
    if (level > 0) for (const value of page.values()) {
      visit(parseCid(value.toString("hex")), level - 1, false);
    }
  };
  if (root.kind === "page") visit(root.cid, root.level, true);
  return { count, least };
}

test("a tree of pages is a sorted map of 100,000 entries that come and go", async (t) => {
  const random = seededRandom(`pages ${seed}`);
  const shelf = new Shelf();
  const model: Model = new Map();
  let root: PageRoot = emptyRoot;
  const first = randomChanges(random, model, 100_000, 0);
  root = await apply(root, model, first, { shelf });
  t.ok(same(root, shelf, model), replay);
  for (const [count, removing] of [[1, 0], [10, 50], [3000, 90], [60_000, 100], [2000, 30]] as const) {
    root = await apply(root, model, randomChanges(random, model, count, removing), { shelf });
    t.ok(same(root, shelf, model), `${count} changes, ${replay}`);
    const { count: pages, least } = reachable(root, shelf);
    t.equal(pages, shelf.pages.size, "no page is left behind");
    t.ok(least > 8000, `the emptiest page holds ${least} bytes`);
  }
  const gone = new Map([...model.keys()].map((key) => [key, undefined] as const));
  root = await apply(root, model, gone, { shelf });
  t.equal(root.kind, "empty");
  t.equal(shelf.pages.size, 0, "an empty tree has no pages");
});

test("small trees, and cuts at every place", async (t) => {
  const random = seededRandom(`cuts ${seed}`);
  for (let round = 0; round < 40; round++) {
    const shelf = new Shelf();
    const model: Model = new Map();
    let root: PageRoot = emptyRoot;
    for (let step = 0; step < 12; step++) {
      const size = [1, 3, 8, 200, 4000][random.below(5)] as number;
      const changes = randomChanges(random, model, size, 40);
      const cutFrom = random.below(3) === 0 ? random.below(2 ** 48) : Infinity;
      root = await apply(root, model, changes, { shelf, cutFrom });
      if (!same(root, shelf, model)) t.fail(`round ${round} step ${step}, ${replay}`);
    }
    if (reachable(root, shelf).count !== shelf.pages.size) t.fail(`pages left, ${replay}`);
    const some = shuffled([...model.keys()], random).slice(0, 20);
    for (const key of some) {
      const found = findItem(root, key, (cid) => shelf.load(cid));
      if (found === undefined || !found.equals(model.get(key) as Buffer)) t.fail(`find, ${replay}`);
    }
    await dropPages(root, shelf);
    if (shelf.pages.size !== 0) t.fail(`dropPages leaves pages, ${replay}`);
  }
  t.pass("all alike");
});

test("a full chunk fits its block, four of them with CAR framing a shard", (t) => {
  const { sealed } = sealChunk(Buffer.alloc(32), Buffer.alloc(limits.tree.chunkBytes, 1));
  t.ok(sealed.length <= limits.dag.blockBytesMax);
  t.ok(4 * (sealed.length + 36 + 3) <= Math.max(...limits.segment.shardBytes));
  t.equal(stepFor(1), 1024);
  t.equal(stepFor(262_144), 262_144);
  t.equal(blockSizes.length, 16, "a size tells four bits");
  t.end();
});

test("equal chunks make equal blocks under one secret, and none under another", (t) => {
  const plain = Buffer.from("the same bytes");
  const one = sealChunk(Buffer.alloc(32, 1), plain);
  t.strictSame(sealChunk(Buffer.alloc(32, 1), plain), one);
  t.not(sealChunk(Buffer.alloc(32, 2), plain).link.cid, one.link.cid);
  t.ok(openChunk(one.link, one.sealed).plain.equals(plain));
  const damaged = Buffer.from(one.sealed);
  damaged[40] = (damaged[40] as number) ^ 1;
  t.ok(isCorrupt(() => openChunk(one.link, damaged)));
  const renamed = { ...one.link, cid: cidOf(damaged) };
  t.ok(isCorrupt(() => openChunk(renamed, damaged)));
  t.end();
});

function sealChunk(secret: Buffer, plaintext: Buffer): SealedChunk {
  return sealChunks(secret, [plaintext])[0] as SealedChunk;
}

interface Vectors {
  readonly secret: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly chunk: { readonly plain: string; readonly link: string; readonly sealed: string };
  readonly nameKeys: readonly (readonly [name: string, key: number])[];
  readonly entry: string;
  readonly page: { readonly plain: string; readonly secret: string; readonly sealed: string };
  readonly root: { readonly plain: string; readonly sealed: string };
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag.json", import.meta.url), "utf8"),
) as Vectors;

const hex = (text: string) => Buffer.from(text, "hex");

test("frozen: keys, chunk, name order, entry, page and root record", (t) => {
  const keys = treeKeys(hex(vectors.secret));
  t.equal(keys.root.toString("hex"), vectors.keys["root"]);
  t.equal(keys.journal.toString("hex"), vectors.keys["journal"]);
  t.equal(keys.chunks.toString("hex"), vectors.keys["chunks"]);
  const link = parseLink(hex(vectors.chunk.link));
  const { plain } = openChunk(link, hex(vectors.chunk.sealed));
  t.equal(plain.toString("hex"), vectors.chunk.plain);
  for (const [name, key] of vectors.nameKeys) t.equal(nameKey(parseName(name)), key);
  t.equal(encodeEntry(parseEntry(hex(vectors.entry))).toString("hex"), vectors.entry);
  const sealed = hex(vectors.page.sealed);
  const page = openPage(pageKey(hex(vectors.page.secret)), cidOf(sealed), sealed);
  t.equal(encodePage(page).toString("hex"), vectors.page.plain);
  const root = openRoot(keys, hex(vectors.root.sealed));
  t.equal(encodeRoot(root).toString("hex"), vectors.root.plain);
  t.end();
});

test("a damaged page, entry, link, table value, xattrs or root is Corrupt or well-formed", (t) => {
  const random = seededRandom(`fuzz ${seed}`);
  const parsers: readonly (readonly [string, Buffer, (bytes: Buffer) => unknown])[] = [
    ["page", hex(vectors.page.plain), parsePage],
    ["entry", hex(vectors.entry), parseEntry],
    ["link", hex(vectors.chunk.link), parseLink],
    ["table", tableSample(), parseTableValue],
    ["xattrs", encodeXattrs(new Map([["user.a", Buffer.alloc(9)], ["user.b", Buffer.alloc(0)]])),
      parseXattrs],
    ["root", hex(vectors.root.plain), parseRoot],
  ];
  for (const [what, bytes, parse] of parsers) {
    t.ok(parse(bytes), `${what} as it is`);
    for (let round = 0; round < 3000; round++) {
      const damaged = mutate(bytes, random);
      try {
        parse(damaged);
      } catch (error) {
        if (isFault(error, "Corrupt")) continue;
        t.fail(`${what}: ${String(error)} for ${damaged.toString("hex")}, ${replay}`);
        break;
      }
    }
  }
  t.end();
});

test("a damaged sealed page or root never opens", (t) => {
  const random = seededRandom(`sealed ${seed}`);
  const page = newPage(0, [1, 5], [Buffer.alloc(10), Buffer.alloc(0)]);
  const key = pageKey(Buffer.alloc(32, 3));
  const { cid, sealed } = sealPage(key, page, random);
  const opened = openPage(key, cid, sealed);
  t.strictSame([opened.level, opened.keys, opened.values()], [0, page.keys, page.values()]);
  t.ok(isCorrupt(() => openPage(pageKey(Buffer.alloc(32, 4)), cid, sealed)));
  const keys = treeKeys(Buffer.alloc(32, 3));
  const root = sealRoot(keys, parseRoot(hex(vectors.root.plain)), random);
  for (let round = 0; round < 500; round++) {
    const bad = mutate(sealed, random);
    if (!bad.equals(sealed)) t.ok(isCorrupt(() => openPage(key, cidOf(bad), bad)));
    const other = mutate(root, random);
    if (!other.equals(root)) t.ok(isCorrupt(() => openRoot(keys, other)));
  }
  t.end();
});

function tableSample(): Buffer {
  const entry = parseEntry(hex(vectors.entry));
  const inode: Inode | undefined = entry.kind === "inode" ? entry.inode : undefined;
  if (inode === undefined) throw new Error("the vector is an inode's entry");
  return encodeTableValue({ inode, tree: noTree });
}

/** Flips, cuts, grows or splices the bytes a little. */
function mutate(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  const at = random.below(copy.length);
  const kind = random.below(4);
  if (kind === 0) return copy.subarray(0, at);
  if (kind === 1) return Buffer.concat([copy, random.bytes(1 + random.below(9))]);
  if (kind === 2) copy[at] = random.below(256);
  else random.bytes(Math.min(8, copy.length - at)).copy(copy, at);
  return copy;
}

test("a reader of pages takes no more items than there are bytes", (t) => {
  const huge = Buffer.from([1, 0, 255, 255, 255, 255, 15]);
  t.ok(isCorrupt(() => parsePage(huge)));
  t.equal(new Reader(huge, "test").restBytes, 7);
  t.end();
});
