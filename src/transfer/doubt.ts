/**
 * Books that were damaged, and mended as far as LevelDB can, may lack what they had, or have again
 * what was taken out of them. A block without a place would count as garbage, its segment as empty,
 * and a head would name less than the last one. So a mark stands in such books, for as long as it
 * is not known again what they lacked: while it does, nothing is given back, forgotten or moved.
 * heads/relearn.ts learns it, and waits for whoever may know; a user who does not want to wait has
 * them begun anew. Keys of the KeyValue:
 *
 *   x/doubt  there: these books were mended, and may lack something; u8 1: they were begun anew,
 *            and what nobody gives is done without
 */
import type { KeyValue } from "../base/blocks.ts";
import { guestKeys, sharingKeys, transferKeys } from "../base/book-keys.ts";
import { HiveError } from "../base/errors.ts";

/** What is refused because of it is refused by this operation. */
export const doubtedOp = "transfer.doubt";

const key = transferKeys.doubt;
const none = Buffer.alloc(0);
const givenUp = 1;

export class Doubt {
  readonly #books: KeyValue;
  #isOn = false;
  #mayTell = false;
  #isGivenUp = false;
  /** What is in the way of knowing it again, in words. */
  waitsFor: string | undefined;

  constructor(books: KeyValue) {
    this.#books = books;
  }

  async open(): Promise<void> {
    const mark = await this.#books.get(key);
    this.#isOn = mark !== undefined;
    this.#mayTell = !this.#isOn;
    this.#isGivenUp = mark?.[0] === givenUp;
  }

  /** The user does not want to wait for what nobody gives. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether a head of these books names all that the last one did. */
  get mayTell(): boolean {
    return this.#mayTell;
  }

  restored(): void {
    this.#mayTell = true;
  }

  /** Nothing is lacking any more. */
  async end(): Promise<void> {
    await this.#books.delete(key);
    this.#isOn = false;
    this.#mayTell = true;
    this.waitsFor = undefined;
  }

  /** For what could cost data that these books have forgotten. */
  refuse(): void {
    if (!this.#isOn) return;
    const why = "the books of what peers have were damaged: not all that they lost is known again";
    throw new HiveError("Unavailable", doubtedOp, why);
  }
}

/** To be called by whoever opened these books and had to mend them, before anybody goes by them. */
export async function doubtBooks(books: KeyValue, whose: "drive" | "guests"): Promise<void> {
  const prefixes = whose === "drive" ? [""] : await guestPrefixes(books);
  await books.batch(prefixes.map((prefix) => ({ type: "put", key: prefix + key, value: none })));
}

export async function isInDoubt(books: KeyValue): Promise<boolean> {
  return await books.get(key) !== undefined;
}

/** What nobody gives of what these books lack is done without from now on. */
export async function giveUpDoubt(books: KeyValue): Promise<void> {
  await books.put(key, Buffer.of(givenUp));
}

/** Of the books of transfer that stand among those of sharing, one for each right to write. */
async function guestPrefixes(books: KeyValue): Promise<readonly string[]> {
  const writers = new Set<string>();
  for await (const [found] of books.list(sharingKeys.guest)) {
    writers.add(found.slice(sharingKeys.guest.length).split("/", 1)[0] as string);
  }
  return [...writers].map((writer) => `${sharingKeys.guest}${writer}/${guestKeys.transfer}`);
}
