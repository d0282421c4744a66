/**
 * A number that the store has in common with the books beside it, from one start to the next: a
 * store, or books, that were set back to a copy have an older one (transfer/life.ts).
 */
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, isFault } from "../../base/errors.ts";
import { diskFault, notOfIndex } from "../disk/faults.ts";
import { checkedValue, encodeNumber, parseNumber, withCheck } from "./records.ts";

const key = Buffer.from("life");

/** 0 where there is none that can be read. */
export async function readLife(directory: string): Promise<number> {
  try {
    const value = checkedValue(key, await readFile(fileIn(directory)));
    return value === undefined ? 0 : parseNumber(value);
  } catch (cause) {
    const fault = diskFault(cause, "cache.open", directory);
    if (codeOf(cause) === "ENOENT" || isFault(fault, "Corrupt")) return 0;
    throw fault;
  }
}

export async function writeLife(directory: string, life: number): Promise<void> {
  const fresh = `${fileIn(directory)}.new`;
  try {
    await using file = await open(fresh, "w", 0o600);
    await file.writeFile(withCheck(key, encodeNumber(life)));
    await file.datasync();
    await rename(fresh, fileIn(directory));
    // The books take it for certain next.
    await using parent = await open(directory, "r");
    await parent.sync();
  } catch (cause) {
    throw notOfIndex(cause, "cache.write", directory);
  }
}

function fileIn(directory: string): string {
  return join(directory, "life");
}
