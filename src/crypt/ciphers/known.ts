/**
 * Remembers what was parsed lately, by its bytes: all peers tell of the same few others, in lists,
 * slots and greetings, and each check of a signature costs as much as a hundred look-ups. Nothing
 * is remembered of what was refused, and who floods it with new ones has all checked, as before.
 */
import { asBuffer } from "../../base/bytes.ts";

/** For a parser that depends on nothing but the bytes, and whose records nobody changes. */
export function knowing<T>(
  parse: (bytes: Uint8Array) => T, { countMax }: { readonly countMax: number },
): (bytes: Uint8Array) => T {
  const known = new Map<string, T>();
  return (bytes) => {
    const text = asBuffer(bytes).toString("latin1");
    const record = known.get(text) ?? parse(bytes);
    known.delete(text);
    known.set(text, record);
    // A Map keeps the order of insertion, so the first one was not asked for longest.
    const [oldest] = known.keys();
    if (known.size > countMax && oldest !== undefined) known.delete(oldest);
    return record;
  };
}
