/**
 * All folders of others that are taken up on this device, and what is remembered of each. No two
 * have one name or one place. Which there are to be is another's to say (taken.ts).
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type Cid, type Name, nameFromText, nameToText } from "../../base/ids.ts";
import type { Opener } from "../records/opened.ts";
import type { Tied } from "../ties/tied.ts";
import { encodeTaken, encodeThrough } from "./taken-books.ts";
import { takenKey } from "./taken-ties.ts";
import { Taking, type TakingNeeds, type TakingParts } from "./taking.ts";

export interface TakenFoldersNeeds extends TakingNeeds {
  readonly tied: Tied;
}

export class TakenFolders {
  readonly #needs: TakenFoldersNeeds;
  /** The one that a block was found in last first. */
  #all: readonly Taking[] = [];

  constructor(needs: TakenFoldersNeeds) {
    this.#needs = needs;
  }

  get all(): readonly Taking[] {
    return this.#all;
  }

  at(place: string): Taking | undefined {
    return this.#all.find(({ held }) => placeOf(held) === place);
  }

  named(name: Name): Taking | undefined {
    return this.#all.find((taking) => taking.name === name);
  }

  /** Nobody is there to choose another one. */
  freeName(wanted: string): Name {
    const base = wanted === "." || wanted === ".." ? "folder" : wanted.replaceAll("/", "_");
    for (let number = 1; ; number++) {
      const name = nameFromText(number === 1 ? base : `${base} ${number}`);
      if (this.named(name) === undefined) return name;
    }
  }

  begin(parts: TakingParts): Taking {
    const taking = new Taking(this.#needs, parts);
    this.#all = [...this.#all, taking];
    return taking;
  }

  /** One that was left meanwhile stays so. */
  async keep(taking: Taking): Promise<void> {
    const { own, record, held } = taking;
    if (!this.#all.includes(taking)) return;
    const { books } = this.#needs;
    const [place, name] = [placeOf(held), nameToText(taking.name)];
    const through = sharingKeys.takenThrough + place;
    if (own === undefined) return await books.put(through, encodeThrough({ name, record }));
    await books.put(sharingKeys.taken + place, encodeTaken({ name, record, offered: own }));
    await books.delete(through);
  }

  /** It is not taken up any more, on no device. */
  async leave(taking: Taking): Promise<void> {
    const { books, tied } = this.#needs;
    const { own, held } = taking;
    this.#all = this.#all.filter((one) => one !== taking);
    await books.delete(sharingKeys.taken + placeOf(held));
    await books.delete(sharingKeys.takenThrough + placeOf(held));
    if (own !== undefined) await tied.put([[takenKey(own.grant), undefined]]);
    await end(taking);
  }

  /** It is not at work any more; what is remembered stays, for one that takes its place. */
  async drop(taking: Taking): Promise<void> {
    this.#all = this.#all.filter((one) => one !== taking);
    await end(taking);
  }

  /** At once nothing of any of them is to be seen. */
  async close(): Promise<void> {
    const all = this.#all;
    this.#all = [];
    for (const taking of all) await end(taking);
  }

  /** NotFound when none of them names it. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    for (const taking of this.#all) {
      try {
        const bytes = await taking.fetch(cid, options);
        this.#all = this.#all.toSorted((a, b) => Number(b === taking) - Number(a === taking));
        return bytes;
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    }
    throw new HiveError("NotFound", "sharing.fetch", cid);
  }
}

/** Where a folder is: whose, and which share. */
export function placeOf({ grant: { owner, share } }: Pick<Opener, "grant">): string {
  return `${owner}/${share}`;
}

async function end(taking: Taking): Promise<void> {
  await taking.leave();
  await taking.hand?.end();
}
