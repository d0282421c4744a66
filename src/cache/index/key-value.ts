/**
 * Small durable values by key, for rooms that keep their own books. Each carries a check, as those
 * of the index do: what is answered is what was put, or Corrupt. It never seals anything.
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Change, type LevelTable, type Mending, openLevel, untilMended } from "./level.ts";
import { markMending } from "./mending.ts";
import { checkedValue, withCheck } from "./records.ts";

/** What the format is now: the first one had values without a check, and no number. */
const formatNumber = 2;
/** Behind all keys of the rooms, and in no list. */
const stateKey = Buffer.from([0xff]);

export interface OpenKeyValue extends KeyValue, AsyncDisposable {
  /** What had to be done to its files: if not "none", something may be missing. */
  readonly mending: Mending;
  /** Whoever has to know that does, on the disk: until then each opening tells of it again. */
  mended(): Promise<void>;
}

/** Another process that has it open makes this fail as Busy. */
export function openKeyValue(directory: string): Promise<OpenKeyValue> {
  return untilMended((least) => openOnce(directory, least));
}

async function openOnce(directory: string, least: Mending): Promise<OpenKeyValue> {
  const { table, mending } = await openLevel(directory, least);
  try {
    const state = await stateOf(table);
    // Its repair takes what it finds in its log without a look.
    const isSure = state === "checked" && mending === "none";
    const dropped = isSure ? 0 : await lookThrough(table, state, () => markMending(directory));
    return new LevelKeyValue(table, dropped > 0 && mending === "none" ? "repaired" : mending);
  } catch (cause) {
    await table.close();
    throw cause;
  }
}

/** Of values without checks; with checks; the same, and one was damaged when it was read. */
type State = "plain" | "checked" | "doubtful";

async function stateOf(table: LevelTable): Promise<State> {
  const stored = await table.get(stateKey);
  if (stored === undefined) return "plain";
  const value = checkedValue(stateKey, stored);
  if (value === undefined) return "doubtful";
  const reader = new Reader(value, "cache.books");
  const number = reader.varint();
  if (number > formatNumber) {
    throw new HiveError("Unsupported", "cache.format", `books of format ${number}`);
  }
  return reader.u8() === 0 ? "checked" : "doubtful";
}

function changeTo(state: "checked" | "doubtful"): Change {
  const value = new Writer(2).varint(formatNumber).u8(state === "checked" ? 0 : 1).finish();
  return checked(stateKey, value);
}

/**
 * A value that is damaged goes, or whoever lists its neighbours would never get past it. Books of
 * the first format get their checks; those that have one keep it, should that have been begun
 * before and not ended.
 */
async function lookThrough(
  table: LevelTable, state: State, mark: () => Promise<void>,
): Promise<number> {
  let dropped = 0;
  let changes: Change[] = [];
  for await (const [key, stored] of table.range(Buffer.alloc(0), stateKey)) {
    if (checkedValue(key, stored) !== undefined) continue;
    if (state !== "plain" && dropped++ === 0) await mark();
    changes.push(state === "plain" ? checked(key, stored) : { type: "del", key });
    if (changes.length < limits.cache.batchChangesMax) continue;
    await table.batch(changes, { sync: true });
    changes = [];
  }
  await table.batch([...changes, changeTo("checked")], { sync: true });
  return dropped;
}

class LevelKeyValue implements OpenKeyValue {
  readonly #table: LevelTable;
  readonly mending: Mending;

  constructor(table: LevelTable, mending: Mending) {
    this.#table = table;
    this.mending = mending;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const name = keyBytes(key);
    const stored = await this.#table.get(name);
    return stored && this.#whole(name, stored);
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
    for await (const [key, stored] of this.#table.range(from, to)) {
      yield [asBuffer(key).toString("latin1"), this.#whole(key, stored)];
    }
  }

  async mended(): Promise<void> {
    await this.#table.mended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#table.close();
  }

  #whole(key: Buffer, stored: Uint8Array): Uint8Array {
    const value = checkedValue(key, stored);
    if (value !== undefined) return value;
    // For the next start to look; if it cannot be written now, it is found again.
    this.#table.batch([changeTo("doubtful")], { sync: true }).catch(() => undefined);
    throw new HiveError("Corrupt", "cache.read", `books, ${key.toString("latin1")}`);
  }
}

function changeOf(change: KeyChange): Change {
  const key = keyBytes(change.key);
  if (change.type === "delete") return { type: "del", key };
  const fits = change.value.length <= limits.cache.valueBytesMax;
  if (fits) return checked(key, change.value);
  throw new HiveError("TooLarge", "cache.batch", change.key);
}

function checked(key: Buffer, value: Uint8Array): Change {
  return { type: "put", key, value: withCheck(key, value) };
}

function keyBytes(key: string): Buffer {
  const right = key.length <= limits.cache.keyBytesMax && /^[\x20-\x7e]+$/.test(key);
  if (right) return Buffer.from(key, "latin1");
  throw new HiveError("Invalid", "cache.key", JSON.stringify(key.slice(0, 80)));
}
