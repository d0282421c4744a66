/**
 * Looks at every table of a LevelDB before LevelDB does, which would take a flipped bit for what
 * was written, or stop the process over it. A block whose sum is wrong is given a kind that there
 * is not: LevelDB then calls it damaged, and its repair leaves out what stood there, no more.
 * Tables are written once and may be linked elsewhere: what is changed is a copy. Ten megabytes,
 * the index of some 100,000 blocks, take 50 ms.
 */
import { type FileHandle, open, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, isFault } from "../../base/errors.ts";
import { diskFault } from "../disk/faults.ts";
import { type TableDamage, damageIn, kindAt } from "./format.ts";

const noKind = 0xff;
/** What a disk gives or does not give is at least so much. */
const pageBytes = 4096;

/** The names of tables that lack something which stood in them. Nobody else has them open. */
export function condemnDamaged(location: string): Promise<readonly string[]> {
  return tablesIn(location, async (path) => {
    const { bytes, damage } = await damageAt(path);
    if (condemn(bytes, damage)) await replace(path, bytes);
    return damage.isHeadless || damage.data.length > 0;
  });
}

/** Whether there is anything to condemn. Of one that somebody just writes there seems to be. */
export async function isAnyDamaged(location: string): Promise<boolean> {
  const damaged = await tablesIn(location, async (path) => {
    const { damage: { isHeadless, data, aside } } = await damageAt(path);
    return isHeadless || data.length + aside.length > 0;
  });
  return damaged.length > 0;
}

async function tablesIn(
  location: string, isOne: (path: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir(location)) {
    if (!name.endsWith(".ldb")) continue;
    const path = join(location, name);
    try {
      if (await isOne(path)) found.push(name);
    } catch (cause) {
      // Whoever has it open may just have put another in its place.
      if (codeOf(cause) !== "ENOENT") throw diskFault(cause, "cache.open", path);
    }
  }
  return found;
}

async function damageAt(
  path: string,
): Promise<{ readonly bytes: Buffer; readonly damage: TableDamage }> {
  const bytes = await readTable(path);
  return { bytes, damage: damageIn(bytes) };
}

/** True when that changed anything. */
function condemn(bytes: Buffer, { isHeadless, data, aside }: TableDamage): boolean {
  // Without its last bytes it is no table.
  const ends = isHeadless ? [bytes.length - 1] : [...data, ...aside].map(kindAt);
  const fresh = ends.filter((at) => at >= 0 && at < bytes.length && bytes[at] !== noKind);
  for (const at of fresh) bytes[at] = noKind;
  return fresh.length > 0;
}

async function replace(path: string, bytes: Buffer): Promise<void> {
  const beside = join(path, "..", "checked.tmp");
  await writeFile(beside, bytes, { mode: 0o600, flush: true });
  await rename(beside, path);
}

/** One bad sector must not cost all that lies beside it: in its place there are zeros. */
async function readTable(path: string): Promise<Buffer> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const bytes = Buffer.alloc(size);
  if (await isGiven(file, bytes, 0)) return bytes;
  for (let at = 0; at < size; at += pageBytes) {
    const page = bytes.subarray(at, at + pageBytes);
    if (!await isGiven(file, page, at)) page.fill(0);
  }
  return bytes;
}

async function isGiven(file: FileHandle, into: Buffer, offsetBytes: number): Promise<boolean> {
  try {
    await file.read(into, 0, into.length, offsetBytes);
    return true;
  } catch (cause) {
    const fault = diskFault(cause, "cache.read", "a table");
    if (!isFault(fault, "Corrupt")) throw fault;
    return false;
  }
}
