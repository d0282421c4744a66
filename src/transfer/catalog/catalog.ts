/**
 * Where every block lies. Lookups are answered from the books on this disk; for a machine that
 * lost them, the same entries stand in sealed, sorted runs among the peers, which the head names.
 * The newest few entries stand in the head itself. Runs are made in runs.ts.
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import { type Cid, parseCid, parseGroupId, parseSegmentId } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import { openRecord } from "../../crypt/ciphers/aead.ts";
import type { Doubt } from "../doubt.ts";
import { type CatalogEntry, type HeadPayload, type Run, decodePageBlock, decodeRuns, encodeRuns }
  from "./catalog-page.ts";
import { PlacedSince } from "./placed-since.ts";
import { RunBuilder } from "./runs.ts";

/** Where these books, transfer's own, say that the block lies; for whoever has nothing but them. */
export async function placeIn(books: KeyValue, cid: Cid): Promise<CatalogEntry | undefined> {
  const value = await books.get(transferKeys.place + cid);
  return value === undefined ? undefined : decodePlace(cid, value);
}

/** True when the books tell of any block at all. */
export async function tellsOfBlocks(books: KeyValue): Promise<boolean> {
  for await (const _pair of books.list(transferKeys.place)) return true;
  return false;
}

/** Whether the place that another device tells of a block is to be taken for the one known here. */
export type IsBetter = (told: CatalogEntry, known: CatalogEntry) => Promise<boolean>;

export class Catalog {
  readonly since = new PlacedSince();
  readonly #books: KeyValue;
  readonly #key: Uint8Array;
  readonly #runs: RunBuilder;
  /** Pages that are not on this disk come from the peers. */
  readonly #fetch: (place: CatalogEntry) => Promise<Uint8Array>;

  constructor(
    needs: {
      readonly books: KeyValue; readonly random: Random; readonly catalogKey: Uint8Array;
      readonly doubt?: Pick<Doubt, "isOn">;
    },
    fetch: (place: CatalogEntry) => Promise<Uint8Array>,
  ) {
    this.#books = needs.books;
    this.#key = needs.catalogKey;
    this.#runs = new RunBuilder(needs, this);
    this.#fetch = fetch;
  }

  find(cid: Cid): Promise<CatalogEntry | undefined> {
    return placeIn(this.#books, cid);
  }

  /** Every block that has a place, the catalog's own pages among them. */
  async *entries(): AsyncGenerator<CatalogEntry> {
    for await (const [key, value] of this.#books.list(transferKeys.place)) {
      yield decodePlace(parseCid(key.slice(transferKeys.place.length)), value);
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
      return [
        { type: "delete", key: transferKeys.place + cid },
        { type: "delete", key: transferKeys.newPlace + cid },
      ];
    }));
  }

  async count(): Promise<number> {
    let blocks = 0;
    for await (const _pair of this.#books.list(transferKeys.place)) blocks++;
    return blocks;
  }

  /** The blocks that the runs are stored in, and one that is on its way: an index tells where. */
  async pages(): Promise<ReadonlySet<Cid>> {
    const runs = await this.runs();
    const stored = (await Promise.all(runs.map((run) => this.blocksOf(run)))).flat();
    return new Set([...stored, ...await this.#runs.underWay()]);
  }

  /** All runs are to be written anew, as one: where their pages lie now is not to be used. */
  async renew(): Promise<void> {
    await this.#books.put(transferKeys.runsToRenew, Buffer.alloc(0));
  }

  async isToRenew(): Promise<boolean> {
    return await this.#books.get(transferKeys.runsToRenew) !== undefined;
  }

  /** The bytes of a page that this catalog made itself. */
  async page(cid: Cid): Promise<Uint8Array | undefined> {
    return this.#books.get(transferKeys.catalogPage + cid);
  }

  /** What to write when these blocks are placed. A page's own place is in no run. */
  async changesFor(entries: readonly CatalogEntry[]): Promise<KeyChange[]> {
    this.since.note(entries.map(({ cid }) => cid));
    const changes = entries.map(async (entry): Promise<KeyChange[]> => {
      const value = encodePlace(entry);
      const found: KeyChange = { type: "put", key: transferKeys.place + entry.cid, value };
      if (await this.page(entry.cid) !== undefined) return [found];
      return [found, { type: "put", key: transferKeys.newPlace + entry.cid, value }];
    });
    return (await Promise.all(changes)).flat();
  }

  async newest(): Promise<CatalogEntry[]> {
    const entries: CatalogEntry[] = [];
    for await (const [key, value] of this.#books.list(transferKeys.newPlace)) {
      entries.push(decodePlace(parseCid(key.slice(transferKeys.newPlace.length)), value));
    }
    return entries;
  }

  async runs(): Promise<readonly Run[]> {
    const value = await this.#books.get(transferKeys.runs);
    return value === undefined ? [] : decodeRuns(value);
  }

  /**
   * Makes what is newest fit the head. Answers the blocks that must be placed before it is called
   * again; nothing when the head may be published.
   */
  settle(): Promise<readonly { cid: Cid; lengthBytes: number }[]> {
    return this.#runs.settle();
  }

  /**
   * Takes over what a head says, on a machine that has nothing. Entries are not kept yet. Answers
   * how many pages nobody gives: what they said has to be found otherwise, and written anew.
   */
  async adopt(newest: readonly CatalogEntry[], runs: readonly Run[]): Promise<number> {
    const changes = newest.flatMap((entry): KeyChange[] => {
      const value = encodePlace(entry);
      return [
        { type: "put", key: transferKeys.place + entry.cid, value },
        { type: "put", key: transferKeys.newPlace + entry.cid, value },
      ];
    });
    const places = runs.map(({ place }) => place);
    await this.#books.batch([...changes, ...putPlaces(places)]);
    let lost = 0;
    for (const run of runs) lost += await this.#adoptRun(run);
    await this.#books.put(transferKeys.runs, encodeRuns(runs));
    // The head's own entries are newer than any run's.
    await this.#books.batch(putPlaces(newest));
    return lost;
  }

  /** A run that is on its way is begun anew: these books may not have all of it any more. */
  forgetUnderWay(): Promise<void> {
    return this.#runs.forgetUnderWay();
  }

  /**
   * In books that may have lost it: what the last head named, every later one names as well. What
   * was forgotten since is back by that, until the next census.
   */
  async restore({ newest, runs }: Pick<HeadPayload, "newest" | "runs">): Promise<void> {
    const known = await this.runs();
    const cids = new Set(known.map(({ place }) => place.cid));
    const lost = runs.filter(({ place }) => !cids.has(place.cid));
    await this.#books.put(transferKeys.runs, encodeRuns([...lost, ...known]));
    const own = await this.newest();
    const isOwn = new Set(own.map(({ cid }) => cid));
    const told = newest.filter(({ cid }) => !isOwn.has(cid));
    for (const entry of [...own, ...told]) {
      await this.#books.batch(await this.changesFor([await this.find(entry.cid) ?? entry]));
    }
  }

  /**
   * What another device's head says beside what is known here; its entries go into later heads of
   * this one as well. Where both know a place, `isBetter` says whether that device's is. Answers
   * one entry for each segment that something was found in.
   */
  async learn(
    { newest, runs }: { readonly newest: readonly CatalogEntry[]; readonly runs: readonly Run[] },
    isBetter: IsBetter,
  ): Promise<readonly CatalogEntry[]> {
    const segments = new Map<string, CatalogEntry>();
    const learn = async (entries: readonly CatalogEntry[]): Promise<void> => {
      const fresh = await this.#newsIn(entries, isBetter);
      for (const entry of fresh) segments.set(entry.segment, entry);
      if (fresh.length > 0) await this.#books.batch(await this.changesFor(fresh));
    };
    for (const run of runs) {
      if (await this.#books.get(transferKeys.learnedRun + run.place.cid) !== undefined) continue;
      for (const page of await this.#pagesOf(run)) await learn(await this.#open(page));
      await this.#books.put(transferKeys.learnedRun + run.place.cid, Buffer.alloc(0));
    }
    await learn(newest);
    return [...segments.values()];
  }

  /**
   * Of one page of a run, counted from 0: a place for each block that has none which is there.
   * False when the run has no such page.
   */
  async relearn(
    run: Run, page: number, isThere: (place: CatalogEntry) => Promise<boolean>,
  ): Promise<boolean> {
    const pages = await this.#pagesOf(run);
    await this.#placeAnew([run.place, ...pages], isThere);
    const place = pages[page];
    if (place === undefined) return false;
    await this.#placeAnew(await this.#open(place), isThere);
    return true;
  }

  async #placeAnew(
    entries: readonly CatalogEntry[], isThere: (place: CatalogEntry) => Promise<boolean>,
  ): Promise<void> {
    const places = await Promise.all(entries.map(({ cid }) => this.find(cid)));
    const fresh: CatalogEntry[] = [];
    for (const [at, told] of entries.entries()) {
      const known = places[at];
      const isKnown = known !== undefined && await isThere(known);
      if (!isKnown && await isThere(told)) fresh.push(told);
    }
    const old = fresh.map(({ cid }): KeyChange => {
      return { type: "delete", key: transferKeys.newPlace + cid };
    });
    await this.#books.batch([...putPlaces(fresh), ...old]);
  }

  async #newsIn(
    entries: readonly CatalogEntry[], isBetter: IsBetter,
  ): Promise<readonly CatalogEntry[]> {
    const places = await Promise.all(entries.map(({ cid }) => this.find(cid)));
    const fresh: CatalogEntry[] = [];
    for (const [at, told] of entries.entries()) {
      const known = places[at];
      const isOther = known !== undefined && known.segment !== told.segment;
      if (known === undefined || (isOther && await isBetter(told, known))) fresh.push(told);
    }
    return fresh;
  }

  async #adoptRun(run: Run): Promise<number> {
    const pages = await unlessLost(this.#pagesOf(run));
    if (pages === undefined) return 1;
    await this.#books.batch(putPlaces(pages));
    let lost = 0;
    for (const page of pages) {
      const entries = await unlessLost(this.#open(page));
      if (entries === undefined) lost++;
      else await this.#books.batch(putPlaces(entries));
    }
    return lost;
  }

  async *entriesOf(run: Run): AsyncGenerator<CatalogEntry> {
    for (const page of await this.#pagesOf(run)) yield* await this.#open(page);
  }

  async #pagesOf(run: Run): Promise<readonly CatalogEntry[]> {
    return run.depth === 0 ? [run.place] : this.#open(run.place);
  }

  /** All blocks that a run is stored in, as far as that can be known. */
  async blocksOf(run: Run): Promise<Cid[]> {
    const pages = (await unlessLost(this.#pagesOf(run)) ?? []).map(({ cid }) => cid);
    return run.depth === 0 ? pages : [run.place.cid, ...pages];
  }

  async #open(place: CatalogEntry): Promise<CatalogEntry[]> {
    const sealed = await this.page(place.cid) ?? await this.#fetch(place);
    return decodePageBlock(openRecord(this.#key, sealed));
  }
}

/** Undefined for what no peer gives. */
async function unlessLost<T>(found: T | Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (!isFault(error, "Unavailable", "NotFound", "Corrupt")) throw error;
    return undefined;
  }
}

function putPlaces(entries: readonly CatalogEntry[]): KeyChange[] {
  return entries.map((entry) => {
    return { type: "put", key: transferKeys.place + entry.cid, value: encodePlace(entry) };
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
