/** The catalog against a model, and the frozen bytes of what it stores among the peers. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, cidOf, parseCid, parseGroupId, parseSegmentId } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { openRecord } from "../../src/crypt/ciphers/aead.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { parseSegmentRecord } from "../../src/crypt/records/records.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type CatalogEntry, decodePage, decodePageBlock } from "../../src/transfer/catalog/catalog-page.ts";
import { decodePayload, encodePage } from "../../src/transfer/catalog/catalog-page.ts";
import { encodePageBlock, encodePayload } from "../../src/transfer/catalog/catalog-page.ts";
import { Catalog } from "../../src/transfer/catalog/catalog.ts";
import { mergeCount, mergeRuns } from "../../src/transfer/catalog/runs.ts";
import { planSegment } from "../../src/transfer/segments/pack.ts";
import { codeSegment, signSegment } from "../../src/transfer/segments/segment.ts";
import { isCorrupt } from "../support/faults.ts";
import { MemoryBooks } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.catalog.test.ts`;
const catalogKey = sha256(Buffer.from("catalog test"));

interface Vectors {
  readonly page: { readonly entries: readonly CatalogEntry[]; readonly bytes: string };
  readonly block: { readonly bytesHash: string; readonly lengthBytes: number };
  readonly payload: { readonly root: string; readonly manifest: string; readonly bytes: string };
  readonly segment: {
    readonly blocks: readonly string[]; readonly k: number; readonly n: number;
    readonly shardBytes: number; readonly offsets: readonly number[];
    readonly roots: readonly string[]; readonly record: string;
  };
  readonly corrupt: readonly { readonly comment: string; readonly bytes: string }[];
  readonly standIn: {
    readonly root: string; readonly whole: string; readonly more: number; readonly bytes: string;
    readonly held: readonly { readonly path: string; readonly isOlder: boolean }[];
  };
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/transfer.json", import.meta.url), "utf8"),
) as Vectors;

test("after any rounds the runs and the head's entries say what a map would", async (t) => {
  for (let turn = 0; turn < 5; turn++) {
    const random = seededRandom(`${seed}/${turn}`);
    const books = new MemoryBooks();
    const peers = new Map<Cid, Uint8Array>();
    const catalog = catalogOn(books, random, peers);
    const model = new Map<Cid, string>();
    for (let round = 0; round < 25; round++) {
      const entries = makeEntries(random, 1 + random.below(120));
      for (const entry of entries) model.set(entry.cid, entry.segment);
      await books.batch(await catalog.changesFor(entries));
      await settle(catalog, books, { random, peers });
    }
    const runs = await catalog.runs();
    t.ok(runs.length <= Math.ceil(Math.log2(model.size)) + 1, `${runs.length} runs: ${replay}`);
    for (const [cid, segment] of model) {
      if ((await catalog.find(cid))?.segment !== segment) t.fail(`${cid}: ${replay}`);
    }
    const fresh = catalogOn(new MemoryBooks(), random, peers);
    await fresh.adopt(await catalog.newest(), runs);
    for (const [cid, segment] of model) {
      if ((await fresh.find(cid))?.segment !== segment) t.fail(`recovered ${cid}: ${replay}`);
    }
  }
});

test("a run of several pages has an index, and is found through it", async (t) => {
  const random = seededRandom(seed);
  const books = new MemoryBooks();
  const peers = new Map<Cid, Uint8Array>();
  const catalog = catalogOn(books, random, peers);
  const entries = makeEntries(random, 12_000, 4_000);
  await books.batch(await catalog.changesFor(entries));
  await settle(catalog, books, { random, peers });
  const [run] = await catalog.runs();
  t.equal(run?.depth, 1);
  t.equal(run?.entries, new Set(entries.map(({ cid }) => cid)).size);
  const fresh = catalogOn(new MemoryBooks(), random, peers);
  await fresh.adopt([], await catalog.runs());
  for (const { cid } of entries) if (await fresh.find(cid) === undefined) t.fail(replay);
});

test("pages of a run on its way are the catalog's own already", async (t) => {
  const random = seededRandom(seed);
  const books = new MemoryBooks();
  const catalog = catalogOn(books, random, new Map());
  await books.batch(await catalog.changesFor(makeEntries(random, 12_000, 4_000)));
  const pages = await catalog.settle();
  t.ok(pages.length > 1);
  const own = await catalog.pages();
  t.ok(pages.every(({ cid }) => own.has(cid)), "whoever moves what lies with them leaves them");
});

test("merging takes in runs up to twice as large, so that few remain", (t) => {
  t.equal(mergeCount([], 10), 0);
  t.equal(mergeCount([100, 20], 10), 1);
  t.equal(mergeCount([60, 20], 10), 2);
  t.equal(mergeCount([61, 20, 1], 9), 2);
  t.end();
});

test("of two entries for one block the later run's is right", async (t) => {
  const [one, two] = [entryAt("1", "aa"), entryAt("1", "bb")];
  const other = entryAt("2", "aa");
  const merged: CatalogEntry[] = [];
  for await (const entry of mergeRuns([[one, other].values(), [two].values()])) merged.push(entry);
  t.strictSame(merged, [two, other]);
});

test("a page and a head's payload keep their frozen bytes", (t) => {
  const { page, block, payload } = vectors;
  t.equal(encodePage(page.entries).toString("hex"), page.bytes);
  t.strictSame(decodePage(Buffer.from(page.bytes, "hex")), page.entries);
  const padded = encodePageBlock(page.entries);
  t.equal(padded.length, block.lengthBytes);
  t.equal(sha256(padded).toString("hex"), block.bytesHash);
  t.strictSame(decodePageBlock(padded), page.entries);
  const decoded = decodePayload(Buffer.from(payload.bytes, "hex"));
  t.equal(Buffer.from(decoded.root).toString(), payload.root);
  t.strictSame(decoded.newest, page.entries);
  t.strictSame(decoded.manifests.map((bytes) => Buffer.from(bytes).toString()), [payload.manifest]);
  t.strictSame(decoded.runs.map(({ entries, depth }) => [entries, depth]), [[2, 0], [9000, 1]]);
  t.equal(encodePayload(decoded).toString("hex"), payload.bytes);
  t.strictSame(decoded.standIn, undefined);
  t.end();
});

test("what a head says of a root that stands in for another keeps its frozen bytes", (t) => {
  const { root, whole, held, more, bytes } = vectors.standIn;
  const standIn = { whole: Buffer.from(whole), held, more };
  const told = { root: Buffer.from(root), manifests: [], newest: [], runs: [], standIn };
  t.equal(encodePayload(told).toString("hex"), bytes);
  t.strictSame(decodePayload(Buffer.from(bytes, "hex")), told);
  const first = encodePayload({ ...told, standIn: { ...standIn, whole: undefined } });
  t.equal(decodePayload(first).standIn?.whole, undefined);
  t.end();
});

test("the same blocks make the frozen segment", async (t) => {
  const { segment } = vectors;
  const blocks = segment.blocks.map((text) => Buffer.from(text, "hex"));
  const infos = blocks.map((bytes) => ({ cid: cidOf(bytes), lengthBytes: bytes.length }));
  const { layout } = planSegment(infos, { from: 0, k: segment.k });
  t.equal(layout.shardBytes, segment.shardBytes);
  t.strictSame(layout.blocks.map(({ offsetBytes }) => offsetBytes), segment.offsets);
  const read = async (cid: Cid): Promise<Uint8Array> => {
    return blocks.find((bytes) => cidOf(bytes) === cid) ?? Buffer.alloc(0);
  };
  // Room that was used before: nothing of it may stay.
  const take = (shardBytes: number): Buffer => Buffer.alloc(shardBytes, 0xee);
  const { roots } = await codeSegment(openCoder(), layout, { n: segment.n, read, take });
  t.strictSame(roots, segment.roots);
  const keys = driveKeysOf(Buffer.alloc(32, 7));
  const record = signSegment({ keys, clock: { ...systemClock, now: () => 1_800_000_000_000 } }, {
    group: parseGroupId("ab".repeat(16)), shardBytes: layout.shardBytes, roots,
    class: { name: "mirror", k: segment.k, n: segment.n, r: 2 },
  });
  t.equal(Buffer.from(record.bytes).toString("hex"), segment.record);
  t.strictSame(parseSegmentRecord(record.bytes).roots, segment.roots);
});

test("spoilt pages and payloads are corrupt, whatever is wrong with them", (t) => {
  for (const { comment, bytes } of vectors.corrupt) {
    t.ok(isCorrupt(() => decodePage(Buffer.from(bytes, "hex"))), comment);
  }
  const random = seededRandom(seed);
  const right = Buffer.from(vectors.payload.bytes, "hex");
  for (let turn = 0; turn < 2_000; turn++) {
    const bytes = Buffer.from(right.subarray(0, 1 + random.below(right.length)));
    bytes.writeUInt8(random.below(256), random.below(bytes.length));
    try {
      decodePayload(bytes);
    } catch (error) {
      if (!isFault(error, "Corrupt")) t.fail(`${replay}: ${String(error)}`);
    }
  }
  t.end();
});

function catalogOn(
  books: MemoryBooks, random: Random, peers: ReadonlyMap<Cid, Uint8Array>,
): Catalog {
  return new Catalog({ books, random, catalogKey }, async ({ cid }) => {
    const sealed = peers.get(cid);
    if (sealed === undefined) throw new Error(`page ${cid} was never placed`);
    openRecord(catalogKey, sealed);
    return sealed;
  });
}

/** Places pages as the uploader would, until the head could be published. */
async function settle(
  catalog: Catalog,
  books: MemoryBooks,
  world: { readonly random: Random; readonly peers: Map<Cid, Uint8Array> },
): Promise<void> {
  for (;;) {
    const blocks = await catalog.settle();
    if (blocks.length === 0) return;
    const [at] = makeEntries(world.random, 1);
    for (const { cid, lengthBytes } of blocks) {
      world.peers.set(cid, await catalog.page(cid) ?? Buffer.alloc(0));
      if (at === undefined) continue;
      await books.batch(await catalog.changesFor([{ ...at, cid, lengthBytes }]));
    }
  }
}

/** Some CIDs come again: a block may move to another segment. */
function makeEntries(random: Random, count: number, range = 900): CatalogEntry[] {
  return Array.from({ length: count }, () => ({
    cid: cidOf(Buffer.from(`block ${random.below(range * 3)}`)),
    segment: parseSegmentId(random.bytes(32).toString("hex")),
    group: parseGroupId(random.bytes(16).toString("hex")),
    offsetBytes: random.below(2 ** 24), lengthBytes: random.below(2 ** 18),
  }));
}

function entryAt(name: string, segment: string): CatalogEntry {
  return {
    cid: parseCid(name.padStart(64, "0")), segment: parseSegmentId(segment.repeat(32)),
    group: parseGroupId("cd".repeat(16)), offsetBytes: 1, lengthBytes: 2,
  };
}
