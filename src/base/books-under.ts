/** A part of a KeyValue as if it were one of its own: every key stands behind a prefix. */
import type { KeyChange, KeyValue } from "./blocks.ts";

export function booksUnder(books: KeyValue, prefix: string): KeyValue {
  const under = (key: string): string => prefix + key;
  return {
    get: (key) => books.get(under(key)),
    put: (key, value) => books.put(under(key), value),
    delete: (key) => books.delete(under(key)),
    batch: (changes) => books.batch(changes.map((change): KeyChange => {
      return { ...change, key: under(change.key) };
    })),
    async *list(start, options = {}) {
      const from = options.after === undefined ? {} : { after: under(options.after) };
      for await (const [key, value] of books.list(under(start), from)) {
        yield [key.slice(prefix.length), value];
      }
    },
  };
}
