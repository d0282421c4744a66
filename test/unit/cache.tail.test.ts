/** LevelDB that lost the end of its own log and says nothing: the newest root is taken up again. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { type Sample, sample } from "../contract/store.ts";
import { openIn, temporaryCache } from "../support/temporary-cache.ts";

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

async function committed() {
  const made = await temporaryCache();
  for (const [index, { cid, bytes }] of (blocks as Sample[]).entries()) {
    await made.store.put(cid, bytes);
    await made.store.commit(Buffer.from(`root ${index}`), 0);
  }
  return made;
}

function cutLog(directory: string, share: number): void {
  const index = join(directory, "index");
  const [name] = readdirSync(index).filter((each) => /^\d+\.log$/.test(each));
  const path = join(index, name as string);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, Math.floor(bytes.length * share)));
}
