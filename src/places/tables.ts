/**
 * Country and AS number of an address, from two tables that lie on disk (the packages
 * @ip-location-db/asn-country and @ip-location-db/asn; their licences are named in the README).
 * A table is a sorted text, searched where it lies: about twenty small reads and half a millisecond
 * a look, no memory, and nothing at all before the first; as a tree in memory the two would cost
 * every daemon 8 MB and more. Whoever has left the packages out knows neither.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import type { Address } from "../base/address.ts";
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/** What an address says; another implementation is a test's. */
export interface AddressTables {
  countryOf(address: Address): string | undefined;
  asnOf(address: Address): number | undefined;
}

export function openTables(): AddressTables & Disposable {
  const country = tablesOf("@ip-location-db/asn-country", "asn-country");
  const asn = tablesOf("@ip-location-db/asn", "asn");
  return {
    countryOf(address) {
      const code = country[address.family].find(address.value);
      return code !== undefined && /^[A-Z]{2}$/.test(code) ? code : undefined;
    },
    asnOf(address) {
      const number = Number(asn[address.family].find(address.value));
      return Number.isSafeInteger(number) && number > 0 ? number : undefined;
    },
    [Symbol.dispose]() {
      for (const { 4: old, 6: young } of [country, asn]) {
        old[Symbol.dispose]();
        young[Symbol.dispose]();
      }
    },
  };
}

function tablesOf(packageName: string, name: string): Readonly<Record<4 | 6, RangeTable>> {
  const file = (family: 4 | 6) => `${packageName}/${name}-ipv${family}-num.csv`;
  return { 4: new RangeTable(() => found(file(4))), 6: new RangeTable(() => found(file(6))) };
}

function found(file: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(file);
  } catch {
    // An optional package that is not here: what it would tell stays unknown.
    return undefined;
  }
}

interface Row {
  readonly first: bigint;
  readonly last: bigint;
  readonly value: string;
}

/** Lines `first,last,value,...` in rising order, both ends decimal and inside. */
export class RangeTable implements Disposable {
  readonly #locate: () => string | undefined;
  readonly #window = Buffer.alloc(windowBytes);
  #file: { readonly descriptor: number; readonly sizeBytes: number } | undefined;
  #state: "unopened" | "open" | "absent" = "unopened";

  constructor(locate: () => string | undefined) {
    this.#locate = locate;
  }

  /** The value of the line that the number lies in. Corrupt when the file is no such table. */
  find(wanted: bigint): string | undefined {
    const file = this.#open();
    if (file === undefined) return undefined;
    // The line, if there is one, begins at `low` or between it and `high`; one begins at `low`.
    let [low, high] = [0, file.sizeBytes];
    while (high - low > lineBytesMax) {
      const middle = (low + high) >>> 1;
      const start = this.#lineAfter(file.descriptor, middle);
      const isBehind = start >= high || this.#rowAt(file.descriptor, start).first > wanted;
      if (isBehind) high = middle + 1;
      else low = start;
    }
    return this.#scan(file.descriptor, { low, high, wanted });
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file.descriptor);
    this.#file = undefined;
    this.#state = "absent";
  }

  #open() {
    if (this.#state !== "unopened") return this.#file;
    const path = this.#locate();
    this.#state = path === undefined ? "absent" : "open";
    if (path === undefined) return undefined;
    const descriptor = openSync(path, "r");
    this.#file = { descriptor, sizeBytes: fstatSync(descriptor).size };
    return this.#file;
  }

  /** Where the first line begins behind this byte. */
  #lineAfter(descriptor: number, offset: number): number {
    const end = this.#read(descriptor, offset).indexOf(newLine);
    if (end < 0) throw corrupt("a line without end");
    return offset + end + 1;
  }

  #rowAt(descriptor: number, offset: number): Row {
    return rowOf(this.#read(descriptor, offset));
  }

  #scan(
    descriptor: number,
    { low, high, wanted }: { readonly low: number; readonly high: number; readonly wanted: bigint },
  ): string | undefined {
    let best: Row | undefined;
    for (let at = low; at < high; at = this.#lineAfter(descriptor, at)) {
      const row = this.#rowAt(descriptor, at);
      if (row.first > wanted) break;
      best = row;
    }
    return best !== undefined && best.last >= wanted ? best.value : undefined;
  }

  #read(descriptor: number, offset: number): Buffer {
    const length = readSync(descriptor, this.#window, 0, windowBytes, offset);
    return this.#window.subarray(0, length);
  }
}

const lineBytesMax = limits.places.tableLineBytesMax;
const windowBytes = lineBytesMax;
const newLine = 0x0a;
const rowShape = /^(\d{1,39}),(\d{1,39}),([^,\r\n]{1,16})/;

function rowOf(bytes: Buffer): Row {
  const match = rowShape.exec(bytes.toString("latin1", 0, 128));
  if (match === null) throw corrupt("a line that is none");
  const [, first = "", last = "", value = ""] = match;
  return { first: BigInt(first), last: BigInt(last), value };
}

function corrupt(why: string): HiveError {
  return new HiveError("Corrupt", "places.table", why);
}
