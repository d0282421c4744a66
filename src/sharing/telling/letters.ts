/**
 * Letters of one kind, each under the id of what it is about, and the book of their numbers: so
 * that no number is signed twice, and a letter that was begun is ended, whatever came between.
 *
 *   PREFIX ID  varint sequence of the last record that was signed, or was about to be
 */
import type { KeyValue } from "../../base/blocks.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import type { ShareId } from "../../base/ids.ts";
import { Letter, type LetterNeeds } from "./letter.ts";

export interface LettersNeeds extends LetterNeeds {
  readonly books: KeyValue;
}

export interface LettersParts<Id extends string> {
  readonly prefix: string;
  readonly parse: (text: string) => Id;
  /** The record that it is. */
  readonly shareOf: (id: Id) => ShareId;
}

export class Letters<Id extends string> {
  readonly #needs: LettersNeeds;
  readonly #parts: LettersParts<Id>;
  readonly #letters = new Map<Id, Letter>();

  constructor(needs: LettersNeeds, parts: LettersParts<Id>) {
    this.#needs = needs;
    this.#parts = parts;
  }

  async open(): Promise<void> {
    const { prefix, parse } = this.#parts;
    for await (const [key, value] of this.#needs.books.list(prefix)) {
      const reader = new Reader(asBuffer(value), "sharing.letter");
      const sequence = reader.varint();
      reader.end();
      this.#add(parse(key.slice(prefix.length)), sequence);
    }
  }

  get size(): number {
    return this.#letters.size;
  }

  has(id: Id): boolean {
    return this.#letters.has(id);
  }

  all(): ReadonlyMap<Id, Letter> {
    return this.#letters;
  }

  /** The one that there is, or else a new one, of which nothing is written before it is told. */
  begin(id: Id): Letter {
    return this.#letters.get(id) ?? this.#add(id, 0);
  }

  /** As `begin`, and written down: it counts from here on. */
  async keep(id: Id): Promise<void> {
    await this.#note(id, 0);
    this.begin(id);
  }

  async end(id: Id): Promise<void> {
    await this.#needs.books.delete(this.#parts.prefix + id);
    this.#letters.delete(id);
  }

  #add(id: Id, sequence: number): Letter {
    const letter = new Letter(this.#needs, {
      share: this.#parts.shareOf(id), sequence, keep: (next) => this.#note(id, next),
    });
    this.#letters.set(id, letter);
    return letter;
  }

  async #note(id: Id, sequence: number): Promise<void> {
    const bytes = new Writer(8).varint(sequence).finish();
    await this.#needs.books.put(this.#parts.prefix + id, bytes);
  }
}
