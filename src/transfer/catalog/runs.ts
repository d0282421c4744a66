/**
 * How the catalog becomes runs: when its newest entries are too many for a head they move into a
 * sorted run of pages, and runs merge. It makes the pages and keeps them in the books; `upload`
 * places them, and only then does the run count.
 *
 * Runs merge when an older one is at most twice as large as the next: there are at most as many
 * as the number of entries has binary digits, and an entry is written again as often at most.
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { assert, isFault } from "../../base/errors.ts";
import { type Cid, cidOf, parseCid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { openRecord, sealRecord } from "../../crypt/ciphers/aead.ts";
import type { Doubt } from "../doubt.ts";
import { type CatalogEntry, type Run, decodePageBlock } from "./catalog-page.ts";
import { encodePageBlock, encodeRuns, pageBytesOf } from "./catalog-page.ts";

/** A run on its way to the peers: its pages are in the books, their places come one by one. */
interface Building {
  /** How many of the newest runs it takes in. */
  readonly merged: number;
  readonly entries: number;
  readonly pages: readonly Cid[];
  readonly index: Cid | undefined;
}

/** What the catalog says as it is now. */
interface Entries {
  find(cid: Cid): Promise<CatalogEntry | undefined>;
  newest(): Promise<CatalogEntry[]>;
  runs(): Promise<readonly Run[]>;
  isToRenew(): Promise<boolean>;
  page(cid: Cid): Promise<Uint8Array | undefined>;
  pages(): Promise<ReadonlySet<Cid>>;
  entries(): AsyncGenerator<CatalogEntry>;
  entriesOf(run: Run): AsyncGenerator<CatalogEntry>;
  blocksOf(run: Run): Promise<Cid[]>;
}

export class RunBuilder {
  readonly #books: KeyValue;
  readonly #key: Uint8Array;
  readonly #random: Random;
  readonly #catalog: Entries;
  readonly #doubt: Pick<Doubt, "isOn">;

  constructor(
    needs: {
      readonly books: KeyValue; readonly random: Random; readonly catalogKey: Uint8Array;
      readonly doubt?: Pick<Doubt, "isOn">;
    },
    catalog: Entries,
  ) {
    this.#books = needs.books;
    this.#random = needs.random;
    this.#key = needs.catalogKey;
    this.#catalog = catalog;
    this.#doubt = needs.doubt ?? { isOn: false };
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

  /** The pages of a run that does not count yet. */
  async underWay(): Promise<readonly Cid[]> {
    const { pages = [], index } = await this.#building() ?? {};
    return index === undefined ? pages : [...pages, index];
  }

  async forgetUnderWay(): Promise<void> {
    const pages = await this.underWay();
    const keys = [transferKeys.runUnderWay, ...pages.map((cid) => transferKeys.catalogPage + cid)];
    await this.#books.batch(keys.map((key): KeyChange => ({ type: "delete", key })));
  }

  async #begin(): Promise<Building | undefined> {
    const newest = await this.#catalog.newest();
    const segments = new Set(newest.map(({ segment }) => segment)).size;
    const size = pageBytesOf({ entries: newest.length, segments });
    const runs = await this.#catalog.runs();
    const mayRenew = runs.length > 0 && !this.#doubt.isOn;
    const isRenewed = mayRenew && await this.#catalog.isToRenew();
    if (size <= limits.transfer.inlineBytesMax && !isRenewed) return undefined;
    const needed = mergeCount(runs.map(({ entries }) => entries), newest.length);
    const merged = isRenewed ? runs.length : needed;
    const sources = runs.slice(runs.length - merged).map((run) => this.#catalog.entriesOf(run));
    try {
      return await this.#write(this.#placed(mergeRuns([...sources, newest.values()])), merged);
    } catch (error) {
      if (!isFault(error, "Unavailable", "NotFound", "Corrupt")) throw error;
      if (this.#doubt.isOn) return await this.#write(mergeRuns([newest.values()]), 0);
      // A page that nobody gives now, and perhaps never: these books have all that it told.
      return await this.#write(this.#all(), runs.length);
    }
  }

  async #write(all: AsyncGenerator<CatalogEntry>, merged: number): Promise<Building> {
    const pages: Cid[] = [];
    let entries = 0;
    for await (const page of pagesOf(all)) {
      pages.push(await this.#keepPage(page));
      entries += page.length;
    }
    assert(pages.length <= limits.transfer.runPagesMax, "a run's index fits a block");
    return this.#save({ merged, entries, pages, index: undefined });
  }

  /** Whatever has a place, but for pages. */
  async *#all(): AsyncGenerator<CatalogEntry> {
    const pages = await this.#catalog.pages();
    for await (const entry of this.#catalog.entries()) {
      const isPage = pages.has(entry.cid) || await this.#catalog.page(entry.cid) !== undefined;
      if (!isPage) yield entry;
    }
  }

  /** Without those that were forgotten since they were written into a run. */
  async *#placed(entries: AsyncIterable<CatalogEntry>): AsyncGenerator<CatalogEntry> {
    for await (const entry of entries) {
      // What the books have lost is not forgotten.
      const isPlaced = this.#doubt.isOn || await this.#catalog.find(entry.cid) !== undefined;
      if (isPlaced) yield entry;
    }
  }

  async #addIndex(building: Building): Promise<Building> {
    const places = await Promise.all(building.pages.map((cid) => this.#catalog.find(cid)));
    const index = await this.#keepPage(places.filter((place) => place !== undefined));
    return this.#save({ ...building, index });
  }

  async #finish(building: Building): Promise<void> {
    const top = building.index ?? building.pages[0];
    assert(top !== undefined);
    const place = await this.#catalog.find(top);
    assert(place !== undefined, "a run's blocks are placed before the run counts");
    const runs = await this.#catalog.runs();
    const staying = runs.slice(0, runs.length - building.merged);
    const depth = building.index === undefined ? 0 : 1;
    const next = [...staying, { entries: building.entries, depth, place } as const];
    const fresh = await this.#takenIn(building);
    const merged = runs.slice(runs.length - building.merged);
    const pages = (await Promise.all(merged.map((run) => this.#catalog.blocksOf(run)))).flat();
    const { catalogPage, place: placed } = transferKeys;
    const gone = [...fresh, ...pages.flatMap((cid) => [catalogPage + cid, placed + cid])];
    await this.#books.batch([
      { type: "put", key: transferKeys.runs, value: encodeRuns(next) },
      { type: "delete", key: transferKeys.runUnderWay },
      ...(staying.length === 0 ? [{ type: "delete", key: transferKeys.runsToRenew } as const] : []),
      ...gone.map((key): KeyChange => ({ type: "delete", key })),
    ]);
  }

  /** Of the newest entries those that stand in the run: a segment may have moved meanwhile. */
  async #takenIn(building: Building): Promise<string[]> {
    const newest = new Map((await this.#catalog.newest()).map((entry) => [entry.cid, entry]));
    const taken: string[] = [];
    for (const cid of building.pages) {
      const sealed = await this.#catalog.page(cid);
      assert(sealed !== undefined, "a page stays until its run counts");
      for (const entry of decodePageBlock(openRecord(this.#key, sealed))) {
        const { segment, offsetBytes } = newest.get(entry.cid) ?? {};
        const isSame = segment === entry.segment && offsetBytes === entry.offsetBytes;
        if (isSame) taken.push(transferKeys.newPlace + entry.cid);
      }
    }
    return taken;
  }

  async #keepPage(entries: readonly CatalogEntry[]): Promise<Cid> {
    const sealed = sealRecord(this.#key, encodePageBlock(entries), this.#random);
    assert(sealed.length <= limits.dag.blockBytesMax, "a page is a block");
    const cid = cidOf(sealed);
    await this.#books.put(transferKeys.catalogPage + cid, sealed);
    return cid;
  }

  async #unplaced(building: Building): Promise<{ cid: Cid; lengthBytes: number }[]> {
    const cids = building.index === undefined ? building.pages : [building.index];
    const blocks = cids.map(async (cid) => {
      if (await this.#catalog.find(cid) !== undefined) return [];
      const bytes = await this.#catalog.page(cid);
      assert(bytes !== undefined, "a page stays until its run counts");
      return [{ cid, lengthBytes: bytes.length }];
    });
    return (await Promise.all(blocks)).flat();
  }

  async #building(): Promise<Building | undefined> {
    const value = await this.#books.get(transferKeys.runUnderWay);
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
    await this.#books.put(transferKeys.runUnderWay, writer.finish());
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
