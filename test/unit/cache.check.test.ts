/**
 * The check of a cache: what is spoilt is found and isolated, and a clone keeps the original as
 * it is.
 */
import { readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Test, test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { Cid } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Cache, cloneCache } from "../../src/cache/cache.ts";
import { type Sample, sample } from "../contract/store.ts";
import { openIn, temporaryCache } from "../support/temporary-cache.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node ${process.argv[1]}`;
const root = Buffer.from("the root");
const dirty = samples("dirty");
const clean = samples("clean");
const look = { progress: () => undefined, isPlaced: async () => true };

test("a whole cache is found whole", async (t) => {
  await using made = await filled();
  const told: number[] = [];
  const found = await made.store.check({ ...look, progress: (bytes) => told.push(bytes) });
  const { blocks, forgotten, rewritten, spoilt } = found;
  t.strictSame({ blocks, forgotten, rewritten, spoilt }, {
    blocks: dirty.length + clean.length, forgotten: 0, rewritten: 0, spoilt: [],
  });
  t.ok(told.length > 0 && told.every((bytes) => bytes < found.bytes));
});

test("flips anywhere: each spoilt block is found before anybody reads it, no other", async (t) => {
  for (let round = 0; round < 30; round++) {
    const random = seededRandom(`${seed}/flip/${round}`);
    await using made = await filled();
    const store = await made.reopen(async (directory) => {
      for (const path of await blockFiles(directory)) {
        const bytes = await readFile(path);
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 + random.below(255));
        await writeFile(path, bytes);
      }
    });
    const found = await store.check(look);
    await agree(t, store, found.spoilt, `round ${round}; ${replay}`);
    t.ok(found.spoilt.length + found.forgotten + found.rewritten <= 1, replay);
    const again = await store.check(look);
    t.strictSame([again.forgotten, again.rewritten], [0, 0], `once is enough; ${replay}`);
    const later = await made.reopen();
    await agree(t, later, (await later.check(look)).spoilt, `after a new start; ${replay}`);
  }
});

test("a truncated, a missing and a torn file: every block is whole or told", async (t) => {
  const damages = [
    (path: string, at: number) => truncate(path, at),
    (path: string) => rm(path),
    async (path: string, at: number) => {
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0, at));
    },
  ];
  for (const [index, damage] of damages.entries()) {
    for (let round = 0; round < 8; round++) {
      const random = seededRandom(`${seed}/tear/${index}/${round}`);
      await using made = await filled();
      const store = await made.reopen(async (directory) => {
        for (const path of await blockFiles(directory)) {
          await damage(path, random.below((await stat(path)).size));
        }
      });
      const { spoilt } = await store.check(look);
      await agree(t, store, spoilt, `damage ${index}, round ${round}; ${replay}`);
    }
  }
});

test("a block under a spoilt header is written again, and survives the loss of the index", async (t) => {
  await using made = await filled();
  const store = await made.reopen(async (directory) => {
    const [path] = await blockFiles(directory);
    const bytes = await readFile(path as string);
    // In the first header's own check.
    bytes[60] = (bytes[60] as number) ^ 1;
    await writeFile(path as string, bytes);
  });
  t.equal((await store.check(look)).rewritten, 1);
  const rebuilt = await made.reopen((directory) => rm(join(directory, "index"), { recursive: true }));
  await agree(t, rebuilt, [], "all came back");
});

test("peers that have a spoilt block after all: it is forgotten, and fetched", async (t) => {
  const first = dirty[0] as Sample;
  const fetcher = { fetch: async () => Buffer.from(first.bytes) };
  await using made = await filled({ fetcher });
  const store = await made.reopen(async (directory) => {
    const [path] = await blockFiles(directory);
    const bytes = await readFile(path as string);
    bytes[64] = (bytes[64] as number) ^ 1;
    await writeFile(path as string, bytes);
  });
  const { spoilt } = await store.check(look);
  t.strictSame(spoilt, [first.cid]);
  await store.placed(spoilt);
  t.ok(first.bytes.equals(await store.get(first.cid)));
});

test("blocks that the books of peers do not know are dirty again, and are uploaded", async (t) => {
  await using made = await filled();
  const { store } = made;
  const known = new Set(clean.slice(0, 5).map(({ cid }) => cid));
  const { reclaimed } = await store.check({ ...look, isPlaced: async (cid) => known.has(cid) });
  t.equal(reclaimed, clean.length - known.size);
  const again = await made.reopen();
  await again.commit(root, 0);
  const { blocks = [] } = (await again.beginRound()) ?? {};
  t.equal(blocks.length, dirty.length + clean.length - known.size);
  await again.dropClean();
  t.equal(clean.filter(({ cid }) => again.has(cid)).length, clean.length - known.size);
});

test("a clone is checked, mended and written to, and the original stays byte for byte", async (t) => {
  for (const harm of [() => {}, (directory: string) => rm(join(directory, "index", "CURRENT"))]) {
    await using made = await filled();
    await made.store.close();
    await harm(made.directory);
    const before = await fingerprint(made.directory);
    {
      await using clone = await cloneCache(made.directory);
      await using store = await openIn(clone.directory);
      await store.check(look);
      t.ok(root.equals(store.root() ?? Buffer.alloc(0)));
      const more = sample("more", 5000);
      await store.put(more.cid, more.bytes);
      await store.commit(Buffer.from("another root"), 0);
      await store.dropClean();
    }
    t.strictSame(await fingerprint(made.directory), before);
    await made.reopen();
  }
});

test("while a clone is open nobody opens the original, and the other way round", async (t) => {
  await using made = await filled();
  await using early = await cloneCache(made.directory);
  const refused = await answer(() => otherProcess(early.directory));
  t.match(refused, /Busy/);
  await made.store.close();
  const store = await openIn(early.directory);
  t.match(await answer(() => otherProcess(made.directory)), /Busy/);
  await store.close();
  t.match(await answer(() => otherProcess(made.directory)), /opened/);
  const left = (await readdir(made.directory)).filter((name) => name.startsWith("check-"));
  t.strictSame(left, [], "and it took the stale clone away");
  await made.reopen();
});

/** LevelDB's lock keeps other processes out, so another one must try. */
async function otherProcess(directory: string): Promise<string> {
  const { run } = await import("../support/cli.ts");
  const code = `import { openIn } from "./test/support/temporary-cache.ts";
    openIn(${JSON.stringify(directory)}).then((c) => (console.log("opened"), c.close()),
      (e) => console.log(e.kind));`;
  const ran = await run(process.execPath, ["--input-type=module", "-e", code], {
    cwd: join(import.meta.dirname, "../.."),
  });
  return ran.out + ran.error;
}

function samples(word: string): Sample[] {
  return Array.from({ length: 20 }, (_, index) => sample(`${word} ${index}`, 900 + index * 50));
}

async function filled(options: Parameters<typeof temporaryCache>[0] = {}) {
  const made = await temporaryCache(options);
  for (const { cid, bytes } of [...dirty, ...clean]) await made.store.put(cid, bytes);
  await made.store.commit(root, 0);
  await made.store.placed(clean.map(({ cid }) => cid));
  await made.store.sync();
  return made;
}

/** Dirty blocks are whole or among the spoilt; clean ones are whole or not here any more. */
async function agree(
  t: Test, store: Cache, spoilt: readonly Cid[], message: string,
): Promise<void> {
  for (const { cid, bytes } of dirty) {
    const got = await answer(() => store.get(cid));
    const right = spoilt.includes(cid)
      ? isFault(got, "Corrupt")
      : Buffer.isBuffer(got) && bytes.equals(got);
    if (!right) t.fail(`dirty block; ${message}`);
  }
  for (const { cid, bytes } of clean) {
    if (!store.has(cid)) continue;
    const got = await answer(() => store.get(cid));
    if (!(Buffer.isBuffer(got) && bytes.equals(got))) t.fail(`clean block; ${message}`);
  }
  t.ok(root.equals(store.root() ?? Buffer.alloc(0)), message);
}

async function blockFiles(directory: string): Promise<string[]> {
  const blocks = join(directory, "blocks");
  return (await readdir(blocks)).sort().map((name) => join(blocks, name));
}

async function fingerprint(directory: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const part of ["index", "blocks", "journal"]) {
    for (const name of (await readdir(join(directory, part))).sort()) {
      const bytes = await readFile(join(directory, part, name));
      lines.push(`${part}/${name} ${bytes.toString("base64")}`);
    }
  }
  return lines;
}

/** What it gives, or why it gives nothing. */
async function answer<T>(act: () => T | Promise<T>): Promise<T | unknown> {
  try {
    return await act();
  } catch (error) {
    return error;
  }
}
