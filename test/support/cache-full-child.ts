/**
 * Fills the small disk that it is run on, and says on stdout what happened, in one line of JSON.
 *
 * Run, on a file system of its own: node cache-full-child.ts DIRECTORY blocks|records|reserve|start
 */
import { existsSync } from "node:fs";
import { mkdir, statfs, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cache, openKeyValue } from "../../src/cache/cache.ts";
import { type Sample, attempt, records, sample } from "../contract/store.ts";
import { openIn } from "./temporary-cache.ts";

const [disk = "", what = ""] = process.argv.slice(2);
const directory = join(disk, "cache");
const ballast = join(disk, "ballast");
const reserve = join(directory, "reserve");

// LevelDB turns its log, of 4 MiB at most, into a table when it starts: so much it needs.
await writeFile(ballast, Buffer.alloc(6 * MiB));
const cache = await openIn(directory, { fullWaitMs: 300 });
// A writer that waits in vain must not be the end of this process.
const alive = setInterval(() => {}, 1000);
const acts = { blocks: fillWithBlocks, records: fillWithRecords, reserve: fillWithPlaced, start: startOnFull };
const outcome = await acts[what as keyof typeof acts](cache);
process.stdout.write(`${JSON.stringify(outcome)}\n`);
clearInterval(alive);

async function fillWithBlocks(store: Cache) {
  const kept: Sample[] = [];
  let failure: unknown;
  for (let index = 0; failure === undefined && index < 200; index++) {
    const block = sample(`full ${index}`, 256 * 1024);
    failure = await attempt(async () => {
      await store.put(block.cid, block.bytes);
      kept.push(block);
      await store.sync();
    });
  }
  const readable = await countRight(store, kept);
  await unlink(ballast);
  const healed = (await attempt(() => store.sync())) === undefined;
  await store.close();
  const again = await openIn(directory);
  const survived = await countRight(again, kept);
  await again.close();
  return { full: isFault(failure, "NoSpace"), blocks: kept.length, readable, healed, survived };
}

async function fillWithRecords(store: Cache) {
  const first = sample("first", 1000);
  await store.put(first.cid, first.bytes);
  let kept = 0;
  let failure: unknown;
  while (failure === undefined && kept < 20_000) {
    store.append(Buffer.alloc(20_000, `record ${kept}`));
    failure = await attempt(() => store.sync());
    if (failure === undefined) kept++;
  }
  const readable = await countRight(store, [first]);
  await unlink(ballast);
  await store.close();
  const again = await openIn(directory);
  const found = await records(again);
  const whole = found.every((text, index) => text.startsWith(`record ${index}`));
  await again.close();
  return { full: isFault(failure, "NoSpace"), kept, readable, found: found.length, whole };
}

/** Peers have every block, so each may go; and the reserve is given up once. */
async function fillWithPlaced(store: Cache) {
  await rest(store);
  const before = existsSync(reserve);
  for (let index = 0; index < 200; index++) {
    const { cid, bytes } = sample(`placed ${index}`, 256 * 1024);
    await store.put(cid, bytes);
    await store.sync();
    await store.placed([cid]);
    if (index === 180) await unlink(reserve);
  }
  await rest(store);
  const { usedBytes } = store.usage();
  await store.close();
  return { before, again: existsSync(reserve), usedBytes };
}

/** The store finds enough for itself, and not for a node's books, which are opened behind it. */
async function startOnFull(store: Cache) {
  await rest(store);
  await store.close();
  const books = ["agent", "ledger", "peers", "sharing", "transfer", "vault"];
  await mkdir(join(disk, "books"));
  for (const name of books) await useBooks(name);
  const { bavail, bsize } = await statfs(disk);
  await writeFile(join(disk, "filler"), Buffer.alloc(bavail * bsize - 64 * 1024));
  const before = existsSync(reserve);
  const again = await openIn(directory);
  let opened = 0;
  const failure = await attempt(async () => {
    for (const name of books) {
      await useBooks(name);
      opened++;
    }
  });
  await again.close();
  await takeAll();
  const refusal = await attempt(() => openIn(directory));
  return {
    before, opened, failure: isFault(failure) ? failure.kind : failure,
    refusal: isFault(refusal, "NoSpace") ? refusal.subject : refusal,
  };
}

async function takeAll(): Promise<void> {
  await unlink(reserve).catch(() => {});
  for (let number = 0; ; number++) {
    const { bavail, bsize } = await statfs(disk);
    if (bavail === 0) return;
    await writeFile(join(disk, `filler-${number}`), Buffer.alloc(bavail * bsize)).catch(() => {});
  }
}

async function useBooks(name: string): Promise<void> {
  await using books = await openKeyValue(join(disk, "books", name));
  await books.put("some", Buffer.alloc(20_000, "book"));
}

/** All that gives room back is done. */
async function rest(store: Cache): Promise<void> {
  const { signal } = new AbortController();
  while ((await store.step.step(signal)) === "busy");
  await store.step.step(signal);
}

async function countRight(store: Cache, blocks: readonly Sample[]): Promise<number> {
  let right = 0;
  for (const { cid, bytes } of blocks) if (bytes.equals(await store.get(cid))) right++;
  return right;
}
