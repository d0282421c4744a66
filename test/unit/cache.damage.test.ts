/** A disk that lies: every damage is noticed, told, kept to what it hit, and never served. */
import { readFile, readdir, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { type Sample, attempt, records, sample } from "../contract/store.ts";
import { type TemporaryCache, temporaryCache } from "../support/temporary-cache.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const root = Buffer.from("the root");
const blocks = Array.from({ length: 30 }, (_, index) => sample(`damage ${index}`, 900 + index * 50));

test("a flipped byte costs its block only: Corrupt when dirty, and a new put mends it", async (t) => {
  await using made = await filled();
  const store = await made.reopen(flipIn(sequenceOf(3)));
  const { cid, bytes } = blocks[3] as Sample;
  t.ok(isFault(await attempt(() => store.get(cid)), "Corrupt"));
  t.ok(isFault(await attempt(() => store.get(cid)), "Corrupt"), "and again");
  t.equal(store.report().corruptBlocks, 1, "counted once");
  t.strictSame(await wrongOnes(store), [3]);
  t.equal(store.has(cid), false);
  await store.put(cid, bytes);
  t.strictSame(await wrongOnes(store), []);
  const again = await made.reopen();
  t.strictSame(await wrongOnes(again), []);
  t.equal((await again.beginRound())?.blocks.length, blocks.length);
});

test("a flipped byte in a clean block is mended from the peers", async (t) => {
  const { cid, bytes } = blocks[3] as Sample;
  let fetches = 0;
  const fetcher = { fetch: async () => (fetches++, Buffer.from(bytes)) };
  await using made = await filled({ fetcher });
  await made.store.placed([cid]);
  const store = await made.reopen(flipIn(sequenceOf(3)));
  t.ok(bytes.equals(await store.get(cid)));
  t.ok(bytes.equals(await store.get(cid)));
  t.equal(fetches, 1);
  t.equal(store.report().corruptBlocks, 1);
});

test("a truncated block file loses its tail only, and says so", async (t) => {
  await using made = await filled();
  const store = await made.reopen(async (directory) => {
    const { path, size } = await blockFile(directory);
    await truncate(path, size - 5000);
  });
  const wrong = await wrongOnes(store);
  t.ok(wrong.length >= 1 && wrong.length <= 5, wrong.join());
  t.equal(wrong.at(-1), blocks.length - 1);
  t.equal(store.report().lostBlocks, wrong.length);
  t.ok(root.equals(store.root() ?? Buffer.alloc(0)));
});

test("a block whose last bytes alone are cut off is lost, and told, too", async (t) => {
  await using made = await temporaryCache();
  const { cid, bytes } = blocks[0] as Sample;
  await made.store.put(cid, bytes);
  const store = await made.reopen(async (directory) => {
    const { path, size } = await blockFile(directory);
    await truncate(path, size - 10);
  });
  t.equal(store.report().lostBlocks, 1);
  t.ok(isFault(await attempt(() => store.get(cid)), "Corrupt"));
});

test("garbage behind the last frame, as a crash leaves it, disturbs nobody", async (t) => {
  await using made = await filled();
  const store = await made.reopen(async (directory) => {
    const { path } = await blockFile(directory);
    await writeFile(path, seededRandom(seed).bytes(3000), { flag: "a" });
  });
  t.strictSame(await wrongOnes(store), []);
  const more = sample("more", 4000);
  await store.put(more.cid, more.bytes);
  const again = await made.reopen();
  t.ok(more.bytes.equals(await again.get(more.cid)));
  t.equal(again.report().lostBlocks, 0);
});

test("a missing block file is told, block by block", async (t) => {
  await using made = await filled();
  const store = await made.reopen(async (directory) => unlink((await blockFile(directory)).path));
  t.equal(store.report().lostBlocks, blocks.length);
  for (const { cid } of blocks) t.ok(isFault(await attempt(() => store.get(cid)), "Corrupt"));
  const more = sample("more", 4000);
  await store.put(more.cid, more.bytes);
  await store.sync();
  t.ok(more.bytes.equals(await store.get(more.cid)));
});

test("without LevelDB's files, blocks, root and journal come back from their own files", async (t) => {
  await using made = await filled();
  await made.store.placed([(blocks[0] as Sample).cid]);
  const store = await made.reopen((directory) => rm(join(directory, "index"), { recursive: true }));
  t.strictSame(await wrongOnes(store), []);
  t.ok(root.equals(store.root() ?? Buffer.alloc(0)), "the root too");
  t.equal(store.report().rebuiltBlocks, blocks.length);
  t.equal((await store.beginRound())?.blocks.length, blocks.length, "all count as dirty again");
  t.strictSame(await records(store), ["after 1", "after 2", "after 3"], "and the journal");
  const again = await made.reopen();
  t.equal(again.report().rebuiltBlocks, 0, "once is enough");
  t.strictSame(await wrongOnes(again), []);
  t.ok(root.equals(again.root() ?? Buffer.alloc(0)), "and the root stays");
});

test("any one of LevelDB's files may go, and no block or root goes with it", async (t) => {
  const kinds = [/^CURRENT$/, /^MANIFEST/, /\.log$/, /\.ldb$/];
  for (const kind of kinds) {
    await using made = await filled();
    // A second start turns LevelDB's log into a table.
    await made.reopen();
    let removed = 0;
    const store = await made.reopen(async (directory) => {
      for (const name of await readdir(join(directory, "index"))) {
        if (!kind.test(name)) continue;
        await unlink(join(directory, "index", name));
        removed++;
      }
    });
    t.ok(removed > 0, `${kind} was there`);
    t.strictSame(await wrongOnes(store), [], String(kind));
    t.ok(root.equals(store.root() ?? Buffer.alloc(0)), `${kind}: root`);
    t.not(store.report().mending, "none", `${kind} is told`);
  }
});

test("random bytes flipped in LevelDB's files never make a wrong answer", async (t) => {
  for (let round = 0; round < 25; round++) {
    const random = seededRandom(`${seed}/level/${round}`);
    const replay = `round ${round}; replay: HIVE_SEED=${seed} node ${process.argv[1]}`;
    await using made = await filled();
    await made.reopen();
    const store = await made.reopen(async (directory) => {
      const names = (await readdir(join(directory, "index"))).filter((each) => /\d/.test(each));
      const path = join(directory, "index", names[random.below(names.length)] ?? "");
      const bytes = await readFile(path);
      if (bytes.length === 0) return;
      for (let flips = 0; flips < 3; flips++) bytes[random.below(bytes.length)] = random.below(256);
      await writeFile(path, bytes);
    });
    t.strictSame(await wrongOnes(store), [], replay);
    const left = await records(store);
    t.strictSame(left, ["after 1", "after 2", "after 3"].slice(0, left.length), replay);
    t.ok(root.equals(store.root() ?? Buffer.alloc(0)), replay);
  }
});

test("random bytes flipped in block files are found, and only those blocks are hit", async (t) => {
  for (let round = 0; round < 10; round++) {
    const random = seededRandom(`${seed}/blocks/${round}`);
    await using made = await filled();
    const store = await made.reopen(async (directory) => {
      const { path, size } = await blockFile(directory);
      const bytes = await readFile(path);
      const at = random.below(size);
      bytes[at] = (bytes[at] ?? 0) ^ (1 + random.below(255));
      await writeFile(path, bytes);
      // The index is gone too: headers and bodies are all there is.
      if (round % 2 === 0) await rm(join(directory, "index"), { recursive: true });
    });
    const wrong = await wrongOnes(store);
    t.ok(wrong.length <= 1, `${wrong.join()} in round ${round}; seed ${seed}`);
  }
});

/** Thirty committed blocks, and three records after the commit. */
async function filled(options = {}): Promise<TemporaryCache> {
  const made = await temporaryCache(options);
  for (const { cid, bytes } of blocks) await made.store.put(cid, bytes);
  made.store.append(Buffer.from("before"));
  await made.store.commit(root, 1);
  for (const each of [1, 2, 3]) made.store.append(Buffer.from(`after ${each}`));
  await made.store.sync();
  return made;
}

/** Which blocks do not come back as they were; one that comes back wrong throws. */
async function wrongOnes(store: Cache): Promise<number[]> {
  const wrong: number[] = [];
  for (const [index, { cid, bytes }] of blocks.entries()) {
    const found = await attempt(() => store.get(cid));
    if (found !== undefined) wrong.push(index);
    else if (!bytes.equals(await store.get(cid))) throw new Error(`block ${index} is another`);
  }
  return wrong;
}

function sequenceOf(index: number): Buffer {
  return (blocks[index] as Sample).bytes.subarray(0, 40);
}

/** Flips one byte behind the place where these bytes lie. */
function flipIn(start: Buffer): (directory: string) => Promise<void> {
  return async (directory) => {
    const { path } = await blockFile(directory);
    const bytes = await readFile(path);
    const at = bytes.indexOf(start);
    bytes[at + 20] = (bytes[at + 20] ?? 0) ^ 1;
    await writeFile(path, bytes);
  };
}

async function blockFile(directory: string): Promise<{ path: string; size: number }> {
  const [name = ""] = await readdir(join(directory, "blocks"));
  const path = join(directory, "blocks", name);
  return { path, size: (await readFile(path)).length };
}
