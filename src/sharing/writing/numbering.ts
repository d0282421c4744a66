/**
 * The numbers of the records that are signed by one right: each is written down before it is used,
 * so that whatever crashes in between none is used twice. After the loss of these books the clock
 * goes on, since holders would refuse a number below the last one.
 *
 *   o/WRITER/sequence  varint: of the last record that was signed here, or was about to be
 */
import type { KeyValue } from "../../base/blocks.ts";
import { guestKeys, sharingKeys } from "../../base/book-keys.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";

/** Where all that is remembered of what is written by a right stands. */
export function writtenPrefix({ keys }: Pick<WriteRight, "keys">): string {
  return `${sharingKeys.guest}${keys.owner}/`;
}

export interface NumberingNeeds {
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly right: WriteRight;
}

export class Numbering {
  readonly #needs: NumberingNeeds;

  constructor(needs: NumberingNeeds) {
    this.#needs = needs;
  }

  /** 0 before the first. */
  async last(): Promise<number> {
    const last = await this.#needs.books.get(this.#key);
    return last === undefined ? 0 : new Reader(asBuffer(last), "sharing.numbering").varint();
  }

  /** More than the last one, and than any that is known of besides. */
  async next(known = 0): Promise<number> {
    const { books, clock } = this.#needs;
    const sequence = Math.max(await this.last() + 1, known + 1, clock.now());
    await books.put(this.#key, new Writer(8).varint(sequence).finish());
    return sequence;
  }

  get #key(): string {
    return `${writtenPrefix(this.#needs.right)}${guestKeys.sequence}`;
  }
}
