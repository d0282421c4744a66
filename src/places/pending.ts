/** Changes of this room's books that wait for the next step: the newest of each key, in batches. */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { limits } from "../base/limits.ts";

export class Pending {
  readonly #books: KeyValue;
  readonly #changes = new Map<string, Uint8Array | undefined>();

  constructor(books: KeyValue) {
    this.#books = books;
  }

  /** Undefined deletes. There are never more keys than the room keeps, and once did. */
  set(key: string, value: Uint8Array | undefined): void {
    this.#changes.delete(key);
    this.#changes.set(key, value);
  }

  /** Writes some; true when there was something to write. */
  async flush(): Promise<boolean> {
    const taken = [...this.#changes].slice(0, limits.places.flushMax);
    if (taken.length === 0) return false;
    for (const [key] of taken) this.#changes.delete(key);
    await this.#books.batch(taken.map(([key, value]): KeyChange => {
      return value === undefined ? { type: "delete", key } : { type: "put", key, value };
    }));
    return true;
  }
}
