/**
 * Where every block lies. Lookups are answered from the books on this disk; for a machine that
 * lost them, the same entries stand in sealed, sorted runs among the peers, which the head names.
 * The newest few entries stand in the head itself. It makes blocks of runs; `upload` places them.
 *
 * Runs merge when an older one is at most twice as large as the next: there are at most as many
 * as the number of entries has binary digits, and an entry is written again as often at most.
 */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { type Cid, cidOf, parseCid, parseGroupId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { openRecord, sealRecord } from "../crypt/aead.ts";
import { type CatalogEntry, type Run, decodePageBlock, decodeRuns } from "./catalog-page.ts";
import { encodePageBlock, encodeRuns, pageBytesOf } from "./catalog-page.ts";
import { PlacedSince } from "./placed-since.ts";

/** Where these books, transfer's own, say that the block lies; for whoever has nothing but them. */
export async function placeIn(books: KeyValue, cid: Cid): Promise<CatalogEntry | undefined> {
  const value = await books.get(`c/${cid}`);
  return value === undefined ? undefined : decodePlace(cid, value);
}

/** True when the books tell of any block at all. */
export async function tellsOfBlocks(books: KeyValue): Promise<boolean> {
  for await (const _pair of books.list("c/")) return true;
  return false;
}

/** A run on its way to the peers: its pages are in the books, their places come one by one. */
interface Building {
  /** How many of the newest runs it takes in. */
  readonly merged: number;
  readonly entries: number;
  readonly pages: readonly Cid[];
  readonly index: Cid | undefined;
}

export class Catalog {
  readonly since = new PlacedSince();
  readonly #books: KeyValue;
  readonly #key: Uint8Array;
  readonly #random: Random;
  /** Pages that are not on this disk come from the peers. */
  readonly #fetch: (place: CatalogEntry) => Promise<Uint8Array>;

  constructor(
    needs: { readonly books: KeyValue; readonly random: Random; readonly catalogKey: Uint8Array },
    fetch: (place: CatalogEntry) => Promise<Uint8Array>,
  ) {
    this.#books = needs.books;
    this.#random = needs.random;
    this.#key = needs.catalogKey;
    this.#fetch = fetch;
  }

  find(cid: Cid): Promise<CatalogEntry | undefined> {
    return placeIn(this.#books, cid);
  }

  /** Every block that has a place, the catalog's own pages among them. */
  async *entries(): AsyncGenerator<CatalogEntry> {
    for await (const [key, value] of this.#books.list("c/")) {
      yield decodePlace(parseCid(key.slice(2)), value);
    }
  }

  /** One entry for each segment that some block lies in. */
  async segments(): Promise<readonly CatalogEntry[]> {
    const found = new Map<string, CatalogEntry>();
    for await (const entry of this.entries()) found.set(entry.segment, entry);
    return [...found.values()];
  }

  /** Nothing refers to these blocks: they have no place any more, and no later run names them. */
  async forget(cids: readonly Cid[]): Promise<void> {
    await this.#books.batch(cids.flatMap((cid): KeyChange[] => {
      return [{ type: "delete", key: `c/${cid}` }, { type: "delete", key: `n/${cid}` }];
    }));
  }

  async count(): Promise<number> {
    let blocks = 0;
    for await (const _pair of this.#books.list("c/")) blocks++;
    return blocks;
  }

  /** The blocks that the runs are stored in. */
  async pages(): Promise<ReadonlySet<Cid>> {
    const runs = await this.runs();
    return new Set((await Promise.all(runs.map((run) => this.#blocksOf(run)))).flat());
  }

  /** All runs are to be written anew, as one: where their pages lie now is not to be used. */
  async renew(): Promise<void> {
    await this.#books.put("x/renew", Buffer.alloc(0));
  }

  async isToRenew(): Promise<boolean> {
    return await this.#books.get("x/renew") !== undefined;
  }

  /** The bytes of a page that this catalog made itself. */
  async page(cid: Cid): Promise<Uint8Array | undefined> {
    return this.#books.get(`p/${cid}`);
  }

  /** What to write when these blocks are placed. A page's own place is in no run. */
  async changesFor(entries: readonly CatalogEntry[]): Promise<KeyChange[]> {
    this.since.note(entries.map(({ cid }) => cid));
    const changes = entries.map(async (entry): Promise<KeyChange[]> => {
      const value = encodePlace(entry);
      const found: KeyChange = { type: "put", key: `c/${entry.cid}`, value };
      if (await this.page(entry.cid) !== undefined) return [found];
      return [found, { type: "put", key: `n/${entry.cid}`, value }];
    });
    return (await Promise.all(changes)).flat();
  }

  async newest(): Promise<CatalogEntry[]> {
    const entries: CatalogEntry[] = [];
    for await (const [key, value] of this.#books.list("n/")) {
      entries.push(decodePlace(parseCid(key.slice(2)), value));
    }
    return entries;
  }

  async runs(): Promise<readonly Run[]> {
    const value = await this.#books.get("x/runs");
    return value === undefined ? [] : decodeRuns(value);
  }

  /**
   * Moves the newest entries into a run when they are too many for the head. Answers the blocks
   * that must be placed before it is called again; nothing when the head may be published.
   */
  async settle(): Promise<readonly { cid: Cid; lengthBytes: number }[]> {
    const building = await this.#building() ?? await this.#begin();
    if (building === undefined) return [];
    const unplaced = await this.#unplaced(building);
    if (unplaced.length > 0) return unplaced;
    if (building.pages.length > 1 && building.index === undefined) {
      return this.#unplaced(await this.#addIndex(building));
    }
    await this.#finish(building);
    return [];
  }

  /** Takes over what a head says, on a machine that has nothing. Entries are not kept yet. */
  async adopt(newest: readonly CatalogEntry[], runs: readonly Run[]): Promise<void> {
    const changes = newest.flatMap((entry): KeyChange[] => {
      const value = encodePlace(entry);
      return [
        { type: "put", key: `c/${entry.cid}`, value },
        { type: "put", key: `n/${entry.cid}`, value },
      ];
    });
    const places = runs.map(({ place }) => place);
    await this.#books.batch([...changes, ...putPlaces(places)]);
    for (const run of runs) await this.#adoptRun(run);
    await this.#books.put("x/runs", encodeRuns(runs));
    // The head's own entries are newer than any run's.
    await this.#books.batch(putPlaces(newest));
  }

  /**
   * What another device's head says beside what is known here; its entries go into later heads of
   * this one as well. Answers one entry for each segment that was not known of.
   */
  async learn(
    { newest, runs }: { readonly newest: readonly CatalogEntry[]; readonly runs: readonly Run[] },
  ): Promise<readonly CatalogEntry[]> {
    const segments = new Map<string, CatalogEntry>();
    for (const run of runs) {
      if (await this.#books.get(`l/${run.place.cid}`) !== undefined) continue;
      for (const page of await this.#pagesOf(run)) {
        await this.#learnEntries(await this.#open(page), segments);
      }
      await this.#books.put(`l/${run.place.cid}`, Buffer.alloc(0));
    }
    await this.#learnEntries(newest, segments);
    return [...segments.values()];
  }

  async #learnEntries(
    entries: readonly CatalogEntry[], segments: Map<string, CatalogEntry>,
  ): Promise<void> {
    const known = await Promise.all(entries.map(({ cid }) => this.find(cid)));
    const fresh = entries.filter((_, at) => known[at] === undefined);
    for (const entry of fresh) segments.set(entry.segment, entry);
    if (fresh.length > 0) await this.#books.batch(await this.changesFor(fresh));
  }

  async #adoptRun(run: Run): Promise<void> {
    const pages = await this.#pagesOf(run);
    await this.#books.batch(putPlaces(pages));
    for (const page of pages) await this.#books.batch(putPlaces(await this.#open(page)));
  }

  async #begin(): Promise<Building | undefined> {
    const newest = await this.newest();
    const segments = new Set(newest.map(({ segment }) => segment)).size;
    const size = pageBytesOf({ entries: newest.length, segments });
    const runs = await this.runs();
    const isRenewed = runs.length > 0 && await this.isToRenew();
    if (size <= limits.transfer.inlineBytesMax && !isRenewed) return undefined;
    const needed = mergeCount(runs.map(({ entries }) => entries), newest.length);
    const merged = isRenewed ? runs.length : needed;
    const sources = runs.slice(runs.length - merged).map((run) => this.#entriesOf(run));
    const pages: Cid[] = [];
    let entries = 0;
    for await (const page of pagesOf(this.#placed(mergeRuns([...sources, newest.values()])))) {
      pages.push(await this.#keepPage(page));
      entries += page.length;
    }
    assert(pages.length <= limits.transfer.runPagesMax, "a run's index fits a block");
    return this.#save({ merged, entries, pages, index: undefined });
  }

  /** Without those that were forgotten since they were written into a run. */
  async *#placed(entries: AsyncIterable<CatalogEntry>): AsyncGenerator<CatalogEntry> {
    for await (const entry of entries) if (await this.find(entry.cid) !== undefined) yield entry;
  }

  async #addIndex(building: Building): Promise<Building> {
    const places = await Promise.all(building.pages.map((cid) => this.find(cid)));
    const index = await this.#keepPage(places.filter((place) => place !== undefined));
    return this.#save({ ...building, index });
  }

  async #finish(building: Building): Promise<void> {
    const top = building.index ?? building.pages[0];
    assert(top !== undefined);
    const place = await this.find(top);
    assert(place !== undefined, "a run's blocks are placed before the run counts");
    const runs = await this.runs();
    const staying = runs.slice(0, runs.length - building.merged);
    const depth = building.index === undefined ? 0 : 1;
    const next = [...staying, { entries: building.entries, depth, place } as const];
    const fresh = await this.#takenIn(building);
    const merged = runs.slice(runs.length - building.merged);
    const pages = (await Promise.all(merged.map((run) => this.#blocksOf(run)))).flat();
    const gone = [...fresh, ...pages.flatMap((cid) => [`p/${cid}`, `c/${cid}`])];
    await this.#books.batch([
      { type: "put", key: "x/runs", value: encodeRuns(next) },
      { type: "delete", key: "x/building" },
      ...(staying.length === 0 ? [{ type: "delete", key: "x/renew" } as const] : []),
      ...gone.map((key): KeyChange => ({ type: "delete", key })),
    ]);
  }

  /** Of the newest entries those that stand in the run: a segment may have moved meanwhile. */
  async #takenIn(building: Building): Promise<string[]> {
    const newest = new Map((await this.newest()).map((entry) => [entry.cid, entry]));
    const taken: string[] = [];
    for (const cid of building.pages) {
      const sealed = await this.page(cid);
      assert(sealed !== undefined, "a page stays until its run counts");
      for (const entry of decodePageBlock(openRecord(this.#key, sealed))) {
        const { segment, offsetBytes } = newest.get(entry.cid) ?? {};
        const isSame = segment === entry.segment && offsetBytes === entry.offsetBytes;
        if (isSame) taken.push(`n/${entry.cid}`);
      }
    }
    return taken;
  }

  async #keepPage(entries: readonly CatalogEntry[]): Promise<Cid> {
    const sealed = sealRecord(this.#key, encodePageBlock(entries), this.#random);
    assert(sealed.length <= limits.dag.blockBytesMax, "a page is a block");
    const cid = cidOf(sealed);
    await this.#books.put(`p/${cid}`, sealed);
    return cid;
  }

  async *#entriesOf(run: Run): AsyncGenerator<CatalogEntry> {
    for (const page of await this.#pagesOf(run)) yield* await this.#open(page);
  }

  async #pagesOf(run: Run): Promise<readonly CatalogEntry[]> {
    return run.depth === 0 ? [run.place] : this.#open(run.place);
  }

  /** All blocks that a run is stored in. */
  async #blocksOf(run: Run): Promise<Cid[]> {
    const pages = (await this.#pagesOf(run)).map(({ cid }) => cid);
    return run.depth === 0 ? pages : [run.place.cid, ...pages];
  }

  async #open(place: CatalogEntry): Promise<CatalogEntry[]> {
    const sealed = await this.page(place.cid) ?? await this.#fetch(place);
    return decodePageBlock(openRecord(this.#key, sealed));
  }

  async #unplaced(building: Building): Promise<{ cid: Cid; lengthBytes: number }[]> {
    const cids = building.index === undefined ? building.pages : [building.index];
    const blocks = cids.map(async (cid) => {
      if (await this.find(cid) !== undefined) return [];
      const bytes = await this.page(cid);
      assert(bytes !== undefined, "a page stays until its run counts");
      return [{ cid, lengthBytes: bytes.length }];
    });
    return (await Promise.all(blocks)).flat();
  }

  async #building(): Promise<Building | undefined> {
    const value = await this.#books.get("x/building");
    if (value === undefined) return undefined;
    const reader = new Reader(value, "catalog.building");
    const [merged, entries] = [reader.varint(), reader.varint()];
    const pages = Array.from({ length: reader.varint() }, () => parseCid(reader.hex(32)));
    const index = reader.u8() === 1 ? parseCid(reader.hex(32)) : undefined;
    reader.end();
    return { merged, entries, pages, index };
  }

  async #save(building: Building): Promise<Building> {
    const writer = new Writer().varint(building.merged).varint(building.entries);
    writer.varint(building.pages.length);
    for (const cid of building.pages) writer.hex(cid);
    if (building.index === undefined) writer.u8(0);
    else writer.u8(1).hex(building.index);
    await this.#books.put("x/building", writer.finish());
    return building;
  }
}

/** How many of the newest runs a new one of this size takes in. */
export function mergeCount(runs: readonly number[], newest: number): number {
  let size = newest;
  let count = 0;
  for (const entries of [...runs].reverse()) {
    if (entries > 2 * size) break;
    size += entries;
    count++;
  }
  return count;
}

/** One sorted stream from sorted streams; of equal CIDs the last stream's entry stays. */
export async function* mergeRuns(
  sources: readonly (AsyncIterator<CatalogEntry> | Iterator<CatalogEntry>)[],
): AsyncGenerator<CatalogEntry> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let least: CatalogEntry | undefined;
    for (const head of heads) {
      if (head.done === true) continue;
      if (least === undefined || head.value.cid <= least.cid) least = head.value;
    }
    if (least === undefined) return;
    for (const [at, head] of heads.entries()) {
      const source = sources[at];
      if (head.done === true || source === undefined || head.value.cid !== least.cid) continue;
      heads[at] = await source.next();
    }
    yield least;
  }
}

/** Cuts a stream of entries into pages that fit a block. */
async function* pagesOf(entries: AsyncIterable<CatalogEntry>): AsyncGenerator<CatalogEntry[]> {
  let page: CatalogEntry[] = [];
  let segments = new Set<string>();
  for await (const entry of entries) {
    page.push(entry);
    segments.add(entry.segment);
    const size = pageBytesOf({ entries: page.length, segments: segments.size });
    if (size < limits.transfer.pageBytesMax) continue;
    yield page;
    page = [];
    segments = new Set();
  }
  if (page.length > 0) yield page;
}

function putPlaces(entries: readonly CatalogEntry[]): KeyChange[] {
  return entries.map((entry) => {
    return { type: "put", key: `c/${entry.cid}`, value: encodePlace(entry) };
  });
}

function encodePlace(entry: CatalogEntry): Uint8Array {
  const writer = new Writer(60).hex(entry.segment).hex(entry.group);
  return writer.varint(entry.offsetBytes).varint(entry.lengthBytes).finish();
}

function decodePlace(cid: Cid, value: Uint8Array): CatalogEntry {
  const reader = new Reader(value, "catalog.place");
  const segment = parseSegmentId(reader.hex(32));
  const group = parseGroupId(reader.hex(16));
  const [offsetBytes, lengthBytes] = [reader.varint(), reader.varint()];
  reader.end();
  return { cid, segment, group, offsetBytes, lengthBytes };
}
