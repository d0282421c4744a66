/** Small durable values by key, for rooms that keep their own books. It never seals anything. */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Change, type LevelTable, type Mending, openLevel } from "./level.ts";

export interface OpenKeyValue extends KeyValue, AsyncDisposable {
  /** What had to be done to its files: if not "none", something may be missing. */
  readonly mending: Mending;
}

/** Another process that has it open makes this fail as Busy. */
export async function openKeyValue(directory: string): Promise<OpenKeyValue> {
  const { table, mending } = await openLevel(directory);
  return new LevelKeyValue(table, mending);
}

class LevelKeyValue implements OpenKeyValue {
  readonly #table: LevelTable;
  readonly mending: Mending;

  constructor(table: LevelTable, mending: Mending) {
    this.#table = table;
    this.mending = mending;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#table.get(keyBytes(key));
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.batch([{ type: "put", key, value }]);
  }

  async delete(key: string): Promise<void> {
    await this.batch([{ type: "delete", key }]);
  }

  async batch(changes: readonly KeyChange[]): Promise<void> {
    if (changes.length === 0) return;
    await this.#table.batch(changes.map(changeOf), { sync: true });
  }

  async *list(
    prefix: string,
    { after = "" }: { readonly after?: string } = {},
  ): AsyncGenerator<readonly [key: string, value: Uint8Array]> {
    const start = Buffer.from(prefix, "latin1");
    // No ASCII key has a byte above 0x7f, so this is past all that start with the prefix.
    const to = Buffer.concat([start, Buffer.from([0xff])]);
    // The least key behind another is that key and a zero byte.
    const from = after < prefix ? start : Buffer.from(`${after}\0`, "latin1");
    for await (const [key, value] of this.#table.range(from, to)) {
      yield [asBuffer(key).toString("latin1"), value];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#table.close();
  }
}

function changeOf(change: KeyChange): Change {
  const key = keyBytes(change.key);
  if (change.type === "delete") return { type: "del", key };
  const fits = change.value.length <= limits.cache.valueBytesMax;
  if (fits) return { type: "put", key, value: change.value };
  throw new HiveError("TooLarge", "cache.batch", change.key);
}

function keyBytes(key: string): Buffer {
  const right = key.length <= limits.cache.keyBytesMax && /^[\x20-\x7e]+$/.test(key);
  if (right) return Buffer.from(key, "latin1");
  throw new HiveError("Invalid", "cache.key", JSON.stringify(key.slice(0, 80)));
}
