/**
 * Where another's blocks lie, by what the newest head says of his catalogue. The newest places
 * stand in the head; of the runs only the pages that a look-up needs are read: names are hashes,
 * so the place of one among sorted pages can be guessed. It holds the key of the catalogue, which
 * tells names and places of sealed blocks, and opens none of them.
 */
import { LRUCache } from "lru-cache";
import { assert } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { openRecord } from "../../crypt/ciphers/aead.ts";
import { type CatalogEntry, type Run, decodePageBlock } from "../catalog/catalog-page.ts";

/** Of a head: what it says of places, and the key of what it does not hold itself. */
export interface BorrowedHead {
  readonly newest: readonly CatalogEntry[];
  readonly runs: readonly Run[];
  readonly catalogKey: Uint8Array;
}

export class BorrowedPlaces {
  /** A page by its name, from wherever blocks come from: it asks here where the page lies. */
  readonly #read: (cid: Cid) => Promise<Uint8Array>;
  readonly #opened = new LRUCache<Cid, readonly CatalogEntry[]>({ max: limits.sharing.pagesMax });
  /** Of the head, and of the pages of its runs. */
  #known = new Map<Cid, CatalogEntry>();
  #head: BorrowedHead | undefined;

  constructor(read: (cid: Cid) => Promise<Uint8Array>) {
    this.#read = read;
  }

  adopt(head: BorrowedHead): void {
    const places = [...head.runs.map(({ place }) => place), ...head.newest];
    this.#known = new Map(places.map((entry) => [entry.cid, entry]));
    this.#head = head;
  }

  /** Undefined when the catalogue does not name it. */
  async find(cid: Cid): Promise<CatalogEntry | undefined> {
    const known = this.#known.get(cid);
    if (known !== undefined) return known;
    // Of two entries for one block the later is right.
    for (const run of [...(this.#head?.runs ?? [])].reverse()) {
      const found = await this.#findIn(await this.#pagesOf(run), cid);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #pagesOf(run: Run): Promise<readonly CatalogEntry[]> {
    if (run.depth === 0) return [run.place];
    const pages = await this.#open(run.place.cid);
    for (const page of pages) this.#known.set(page.cid, page);
    return pages;
  }

  async #findIn(pages: readonly CatalogEntry[], cid: Cid): Promise<CatalogEntry | undefined> {
    let [low, high] = [0, pages.length - 1];
    let [from, to] = [0, 1];
    while (low <= high) {
      const at = guess({ low, high }, (fraction(cid) - from) / (to - from));
      const page = pages[at];
      assert(page !== undefined);
      const entries = await this.#open(page.cid);
      const [first, last] = [entries[0], entries.at(-1)];
      if (first === undefined || last === undefined) return undefined;
      if (cid < first.cid) [high, to] = [at - 1, fraction(first.cid)];
      else if (cid > last.cid) [low, from] = [at + 1, fraction(last.cid)];
      else return entries.find((entry) => entry.cid === cid);
    }
    return undefined;
  }

  async #open(cid: Cid): Promise<readonly CatalogEntry[]> {
    const opened = this.#opened.get(cid);
    if (opened !== undefined) return opened;
    const key = this.#head?.catalogKey;
    assert(key !== undefined, "runs come with their key");
    const entries = decodePageBlock(openRecord(key, await this.#read(cid)));
    this.#opened.set(cid, entries);
    return entries;
  }
}

/** How far along all names this one is, from 0 to 1. */
function fraction(cid: Cid): number {
  return Number.parseInt(cid.slice(0, 13), 16) / 2 ** 52;
}

function guess({ low, high }: { readonly low: number; readonly high: number }, share: number) {
  const at = low + Math.floor(share * (high - low + 1));
  return Math.min(high, Math.max(low, Number.isFinite(at) ? at : low));
}
