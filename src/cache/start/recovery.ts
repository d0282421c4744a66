/**
 * The start: from what lies on disk to a catalog in memory. Usually the index says it all; when
 * LevelDB's files were damaged, what the index has lost is found again in the block files, where
 * each frame says what it is. It never trusts an index entry beyond its file's end.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { HiveError } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import { notOfIndex } from "../disk/faults.ts";
import { BlockFile } from "../files/block-file.ts";
import { fileName, parseFileName } from "../files/block-log.ts";
import { BlockEntry, marks } from "../files/entry.ts";
import { type Frame, headerBytes } from "../files/frame.ts";
import { scanFile } from "../files/scan.ts";
import { Catalog } from "../index/catalog.ts";
import type { LevelTable } from "../index/level.ts";
import {
  type Books, type CommitRecord, type Place, blockKeys, booksKey, checkedValue, formatKey,
  formatNumber, parseBlockKey, parseBooks, parseCommit, parseNumber, parsePlace, publishedKey,
  rootKey,
} from "../index/records.ts";
import type { Report } from "../report.ts";
import { readTail } from "./tail.ts";

export interface Recovered {
  readonly catalog: Catalog;
  readonly files: ReadonlyMap<number, BlockFile>;
  readonly committed: CommitRecord | undefined;
  /** Of a commit whose root lies in the block files, and that was not taken up, or of this one. */
  readonly numberSeen: number;
  /** Number of the newest commit that was published. */
  readonly published: number;
  /** What LevelDB says of itself; compared with what the last close left beside it. */
  readonly books: Books | undefined;
}

interface Needs {
  readonly table: LevelTable;
  readonly report: Report;
  readonly log: Log;
  /** By their numbers, as `listFiles` found them. */
  readonly files: ReadonlyMap<number, BlockFile>;
}

export async function recover(needs: Needs): Promise<Recovered> {
  const { files } = needs;
  const catalog = new Catalog();
  // Before anything is taken for damaged that a later program wrote.
  const format = await checkedGet(needs, formatKey);
  if (format !== undefined && (format[0] ?? 0) > formatNumber) {
    throw new HiveError("Unsupported", "cache.format", `a local store of format ${format[0]}`);
  }
  const complete = await loadIndex(needs, { catalog, files });
  const root = await checkedGet(needs, rootKey);
  const published = await checkedGet(needs, publishedKey);
  const stored = await checkedGet(needs, booksKey);
  const indexed = root === undefined ? undefined : parseCommit(root);
  const books = stored === undefined ? undefined : parseBooks(stored);
  const agrees = books?.blocks === catalog.indexed && books.commit === (indexed?.number ?? 0);
  const whole = complete && agrees && format !== undefined && needs.report.mending === "none";
  const found = whole || files.size === 0 ? undefined : await rebuild(needs, { catalog, files });
  const tables = { catalog, files };
  const forward = whole ? await rollForward(needs, tables, { indexed, books }) : undefined;
  const committed = newer(indexed, found ?? forward?.commit);
  needs.report.rootLost = committed === undefined && (books?.commit ?? catalog.count) > 0;
  catalog.sequenceSeen(Math.max(committed?.blockSequence ?? 0, books?.blockSequence ?? 0));
  catalog.promise();
  return {
    catalog,
    files,
    committed,
    numberSeen: Math.max(committed?.number ?? 0, forward?.numberSeen ?? 0),
    published: published === undefined ? 0 : parseNumber(published),
    books,
  };
}

function newer(
  one: CommitRecord | undefined,
  other: CommitRecord | undefined,
): CommitRecord | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.number > one.number ? other : one;
}

/** The block files of a directory: whoever has them reads some, and closes them. */
export async function listFiles(directory: string): Promise<Map<number, BlockFile>> {
  const files = new Map<number, BlockFile>();
  try {
    for (const name of (await readdir(directory)).sort()) {
      const number = parseFileName(name);
      if (number === undefined) continue;
      const path = join(directory, fileName(number));
      files.set(number, new BlockFile({ number, path, sizeBytes: (await stat(path)).size }));
    }
  } catch (cause) {
    throw notOfIndex(cause, "cache.open", directory);
  }
  return files;
}

interface Tables {
  readonly catalog: Catalog;
  readonly files: ReadonlyMap<number, BlockFile>;
}

/** True when every entry was whole. */
async function loadIndex(needs: Needs, tables: Tables): Promise<boolean> {
  const strange: Buffer[] = [];
  for await (const [key, stored] of needs.table.range(blockKeys.from, blockKeys.to)) {
    const cid = parseBlockKey(key);
    const value = checkedValue(key, stored);
    if (cid === undefined) strange.push(key);
    else tables.catalog.indexHas(cid, { useful: value !== undefined });
    if (cid !== undefined && value !== undefined) load(needs, tables, cid, parsePlace(value));
    else needs.report.corruptRecords++;
  }
  if (strange.length > 0) {
    await needs.table.batch(strange.map((key) => ({ type: "del", key })), { sync: true });
  }
  const { corruptRecords: corrupt, lostBlocks } = needs.report;
  if (corrupt > 0) needs.log.error("cache.index-corrupt", { entries: corrupt });
  // By number: a file has thousands.
  if (lostBlocks > 0) needs.log.error("cache.blocks-lost", { blocks: lostBlocks });
  return corrupt === 0;
}

function load(needs: Needs, { catalog, files }: Tables, cid: Cid, place: Place): void {
  const file = files.get(place.file);
  const end = place.offsetBytes + headerBytes + place.lengthBytes;
  const entry = new BlockEntry({
    cid,
    lengthBytes: place.lengthBytes,
    sequence: place.sequence,
    slot: place.slot,
    marks: marks.logged | (place.dirty ? marks.dirty : 0),
  });
  if (file !== undefined && end <= file.sizeBytes) {
    catalog.add(entry, file, place.offsetBytes);
    return;
  }
  catalog.add(entry, undefined, 0);
  if (place.dirty) countLost(needs, entry);
  else catalog.remove(entry);
}

/** It stays in the books, so that whoever asks hears of it, until peers or a put bring it back. */
function countLost({ report }: Needs, entry: BlockEntry): void {
  entry.marks |= marks.broken;
  report.lostBlocks++;
}

async function checkedGet(needs: Needs, key: Buffer): Promise<Buffer | undefined> {
  const stored = await needs.table.get(key);
  if (stored === undefined) return undefined;
  const value = checkedValue(key, stored);
  if (value !== undefined) return value;
  needs.report.corruptRecords++;
  return undefined;
}

/** Adds what the index does not have, as dirty: nobody knows any more what was placed. */
async function rebuild(needs: Needs, tables: Tables): Promise<CommitRecord | undefined> {
  const { catalog, files } = tables;
  let newest: CommitRecord | undefined;
  for (const file of files.values()) {
    for await (const found of scanFile(file)) {
      if (found.frame.kind === "root") newest = newer(newest, parseCommit(found.body));
      else if (addFound(catalog, file, found)) needs.report.rebuiltBlocks++;
    }
  }
  const { rebuiltBlocks, mending } = needs.report;
  needs.log.error("cache.rebuilt", { rebuiltBlocks, mending, root: newest !== undefined });
  return newest;
}

/** What was synced since the index was settled, and what the newest root needs besides. */
async function rollForward(
  needs: Needs,
  tables: Tables,
  known: { readonly indexed: CommitRecord | undefined; readonly books: Books | undefined },
): Promise<{ readonly commit: CommitRecord | undefined; readonly numberSeen: number }> {
  const { catalog, files } = tables;
  const { blocks, tail, numberSeen } = await readTail(files, known.indexed?.number ?? 0);
  const since = known.books?.blockSequence;
  // The first format told the index of each block before anything could promise it.
  const isWhole = since === undefined || tail?.isStale === true;
  const needed = new Set(isWhole ? tail?.blocks : []);
  const wanted = blocks.filter((block) => {
    // What the index knew once and knows no more was wanted no more.
    const { cid, sequence } = block.frame;
    return needed.has(block) || (since !== undefined && (sequence > since || !!catalog.get(cid)));
  });
  needs.report.indexStale = tail?.isStale ?? false;
  for (const { frame, file, offsetBytes } of wanted) {
    const known = catalog.get(frame.cid);
    if (known === undefined) addFound(catalog, file, { frame, offsetBytes });
    else takeTo(catalog, known, { file, offsetBytes });
  }
  if (wanted.length > 0 || tail !== undefined) {
    needs.log.info("cache.rolled-forward", { blocks: wanted.length, commit: tail?.commit.number });
  }
  return { commit: tail?.commit, numberSeen };
}

function addFound(
  catalog: Catalog,
  file: BlockFile,
  found: { readonly frame: Frame; readonly offsetBytes: number },
): boolean {
  const { cid, sequence, lengthBytes, slot } = found.frame;
  const known = catalog.get(cid);
  if (known !== undefined && !known.is(marks.broken)) return false;
  if (known !== undefined) {
    takeTo(catalog, known, { file, offsetBytes: found.offsetBytes });
    return true;
  }
  const entry = new BlockEntry({ cid, sequence, lengthBytes, slot, marks: marks.dirty });
  catalog.add(entry, file, found.offsetBytes);
  catalog.change(entry);
  // What a dead process wrote may not be on the disk yet.
  file.unsynced = true;
  return true;
}

/** A later frame of the same block, found whole. */
function takeTo(
  catalog: Catalog,
  known: BlockEntry,
  { file, offsetBytes }: { readonly file: BlockFile; readonly offsetBytes: number },
): void {
  known.marks &= ~marks.broken;
  catalog.move(known, file, offsetBytes);
  file.unsynced = true;
}
