/** LevelDB that lost the end of its own log and says nothing: the newest root is taken up again. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import type { Cid } from "../../src/base/ids.ts";
import { type Sample, attempt, sample } from "../contract/store.ts";
import { type TemporaryOptions, openIn, temporaryCache } from "../support/temporary-cache.ts";

const commits = 6;
const blocks = Array.from({ length: commits }, (_, index) => sample(`tail ${index}`, 3000 + index));

for (const share of [0, 0.2, 0.5, 0.9]) {
  for (const state of ["closed", "killed"] as const) {
    test(`a cache that was ${state}, with ${share} of LevelDB's log left`, async (t) => {
      await using made = await committed();
      const directory = mkdtempSync(join(tmpdir(), "hive-tail-"));
      t.teardown(() => rmSync(directory, { recursive: true }));
      if (state === "closed") await made.store.close();
      cpSync(made.directory, directory, { recursive: true });
      if (state === "closed") await made.reopen();
      cutLog(directory, share);
      const store = await openIn(directory);
      t.equal(store.root()?.toString(), `root ${commits - 1}`);
      for (const { cid, bytes } of blocks) t.same(await store.get(cid), bytes);
      const { indexStale, mending, rebuiltBlocks } = store.report();
      const isTold = indexStale || mending !== "none" || rebuiltBlocks > 0;
      t.ok(isTold || share === 0.9, "it was told");
      await store.close();
      const again = await openIn(directory);
      t.equal(again.root()?.toString(), `root ${commits - 1}`);
      t.equal(again.report().indexStale, false, "once");
      await again.close();
    });
  }
}

test("what was placed and evicted since is with peers, though LevelDB has forgotten it", async (t) => {
  const peers = new Map(blocks.slice(1).map(({ cid, bytes }) => [cid, bytes]));
  const fetcher = {
    async fetch(cid: Cid) {
      const bytes = peers.get(cid);
      if (bytes !== undefined) return Buffer.from(bytes);
      throw new HiveError("NotFound", "test.fetch", cid);
    },
  };
  await using made = await committed({ fetcher });
  const logBytes = readFileSync(logIn(made.directory)).length;
  await made.store.placed(blocks.map(({ cid }) => cid));
  await made.store.endRound(made.store.root() as Uint8Array);
  await made.store.dropClean();
  const store = await made.reopen((directory) => truncateSync(logIn(directory), logBytes));
  t.equal(store.report().lostBlocks, commits, "dirty, and their file is gone");
  for (const { cid, bytes } of blocks.slice(1)) t.same(await store.get(cid), bytes);
  const [never, ...placed] = blocks as [Sample, ...Sample[]];
  t.ok(isFault(await attempt(() => store.get(never.cid)), "Corrupt"), "no peer has this one");
  t.equal((await store.beginRound())?.blocks.length, commits, "all are looked up by the next round");
  for (const { cid, bytes } of placed) t.same(await store.read(cid), bytes, "and here again, should it need them");
  await store.placed(blocks.map(({ cid }) => cid));
  const again = await made.reopen();
  t.equal(again.report().lostBlocks, 0);
  for (const { cid, bytes } of placed) t.same(await again.get(cid), bytes);
});

test("a torn newest commit is left alone: the one before it has its journal", async (t) => {
  await using made = await committed();
  const directory = mkdtempSync(join(tmpdir(), "hive-tail-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const before = join(directory, "before");
  cpSync(made.directory, before, { recursive: true });
  const { cid, bytes } = sample("under way", 9000);
  await made.store.put(cid, bytes);
  await made.store.commit(Buffer.from("under way"), 0);
  // The blocks of the commit without the index that would tell of it; one of them is torn.
  cpSync(join(made.directory, "blocks"), join(before, "blocks"), { recursive: true });
  const [file] = readdirSync(join(before, "blocks"));
  const path = join(before, "blocks", file as string);
  const whole = readFileSync(path);
  const store = await openIn(before);
  t.equal(store.root()?.toString(), "under way", "whole, it is taken up");
  t.equal(store.report().indexStale, false, "and nothing was lost");
  await store.close();

  const at = whole.indexOf(bytes.subarray(0, 32));
  const torn = Buffer.from(whole);
  torn.fill(0, at + 100, at + 200);
  const second = join(directory, "second");
  await using other = await committed();
  cpSync(other.directory, second, { recursive: true });
  writeFileSync(join(second, "blocks", file as string), torn);
  const left = await openIn(second);
  t.equal(left.root()?.toString(), `root ${commits - 1}`, "torn, it is not");
  // Its root is still there, and must stay dead when all of LevelDB is made again.
  left.append(Buffer.from("what came after"));
  await left.sync();
  await left.close();
  rmSync(join(second, "index"), { recursive: true });
  const rebuilt = await openIn(second);
  t.equal(rebuilt.root()?.toString(), `root ${commits - 1}`, "nor from the block files alone");
  await rebuilt.close();
});

async function committed(options: TemporaryOptions = {}) {
  const made = await temporaryCache(options);
  for (const [index, { cid, bytes }] of (blocks as Sample[]).entries()) {
    await made.store.put(cid, bytes);
    await made.store.commit(Buffer.from(`root ${index}`), 0);
  }
  return made;
}

function logIn(directory: string): string {
  const index = join(directory, "index");
  const [name] = readdirSync(index).filter((each) => /^\d+\.log$/.test(each));
  return join(index, name as string);
}

function cutLog(directory: string, share: number): void {
  const path = logIn(directory);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, Math.floor(bytes.length * share)));
}
