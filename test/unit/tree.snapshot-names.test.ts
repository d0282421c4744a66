/**
 * The names of snapshots: each leads to the moment that it was given for, whatever else was made in
 * the same second, by this process or by the one before it.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { KeepRule } from "../../src/base/snapshots.ts";
import { type ChunkLink, type SealedChunk, openChunk, sealChunks } from "../../src/dag/chunks.ts";
import { type KeptRoot, encodeKept, parseKept, placeMax } from "../../src/dag/kept.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot, sealRoot } from "../../src/dag/root.ts";
import { newRoot } from "../../src/tree/commit/new-root.ts";
import { allApart } from "../../src/tree/commit/places.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { fileIn, flags, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.snapshot-names.test.ts`;
const treeSecret = Buffer.alloc(32, 9);
const rule: KeepRule = [{ everyMs: 2000, forMs: 3_600_000 }];
const startMs = Date.UTC(2026, 10, 27, 7, 42, 40, 100);

/** A drive of one file, of which every content is another, and a clock that stands still. */
class Drive {
  readonly time: { nowMs: number };
  readonly random = seededRandom(`snapshot names ${seed}`);
  store: MemoryStore;
  tree: Tree;

  private constructor(time: { nowMs: number }, store: MemoryStore, tree: Tree) {
    this.time = time;
    this.store = store;
    this.tree = tree;
  }

  static async make(): Promise<Drive> {
    const [time, store] = [{ nowMs: startMs }, new MemoryStore()];
    const drive = new Drive(time, store, await open(store, time));
    await fileIn(drive.tree, rootIno, "file", Buffer.from("content 0"));
    await drive.tree.commit();
    return drive;
  }

  /** Another process goes on, as after a power cut. */
  async begin(store = this.store.crash()): Promise<void> {
    this.store = store;
    this.tree = await open(store, this.time);
  }

  async write(content: string): Promise<void> {
    const { tree } = this;
    const { ino } = await tree.lookup(place(rootIno, "file"));
    const handle = await tree.open(nobody, ino, { ...flags, truncate: true });
    await tree.write(handle, 0, Buffer.from(content));
    await tree.release(handle);
  }

  async contentOf(name: string): Promise<string> {
    const { files } = await this.tree.past.open(name);
    const { ino } = await files.lookup(place(rootIno, "file"));
    return String(await readFile(files, ino));
  }

  async names(): Promise<readonly string[]> {
    return (await this.tree.past.list()).map(({ name }) => name);
  }
}

async function open(store: MemoryStore, time: { readonly nowMs: number }): Promise<Tree> {
  const nowNs = (): bigint => BigInt(time.nowMs) * 1_000_000n;
  const clock = { ...systemClock, now: () => time.nowMs, nowNs };
  const needs = { store, clock, random: seededRandom(`tree ${seed}`), log: silentLog };
  return await openTree(needs, { treeSecret, keep: rule });
}

test("what a new process keeps of the last one's second has a name of its own", async (t) => {
  const drive = await Drive.make();
  drive.time.nowMs += 1000;
  await drive.write("content 2");
  const name = await drive.tree.past.create();
  t.equal(name, "2026-11-27T07:42:41Z");
  drive.time.nowMs += 300;
  await drive.write("content 4");
  await drive.tree.close();
  await drive.begin(drive.store);
  drive.time.nowMs += 10_000;
  await drive.write("content 5");
  await drive.tree.commit();
  t.equal(await drive.contentOf(name), "content 2");
  t.equal(await drive.contentOf(`${name}.1`), "content 4", "kept by the rule");
});

test("every name leads to what was there, through restarts and clocks set back", async (t) => {
  const drive = await Drive.make();
  const { random } = drive;
  const contents = new Map<string, string>();
  for (let step = 1; step <= 100; step++) {
    drive.time.nowMs += random.below(6) === 0 ? -random.below(1500) : random.below(500);
    await drive.write(`content ${step}`);
    const what = random.below(10);
    if (what < 4) await drive.tree.commit();
    else if (what < 6) await drive.begin();
    else if (what < 8) {
      const name = await drive.tree.past.create();
      if (contents.has(name)) t.fail(`${name} was given twice, at ${step}; ${replay}`);
      contents.set(name, `content ${step}`);
    }
  }
  const names = await drive.names();
  t.equal(new Set(names).size, names.length, `no name twice; ${replay}`);
  for (const [name, content] of contents) {
    const found = await drive.contentOf(name);
    if (found !== content) t.fail(`${name} has ${found} and not ${content}; ${replay}`);
  }
  t.ok(contents.size > 8, `${contents.size} were made; ${replay}`);
});

test("a list in which an older version gave one name twice shows both", async (t) => {
  const drive = await Drive.make();
  drive.time.nowMs += 1000;
  await drive.write("content 1");
  const name = await drive.tree.past.create();
  await drive.write("content 2");
  const other = await drive.tree.past.create();
  t.not(other, name);
  await drive.begin(await withTwins(drive));
  t.strictSame(await drive.names(), [name, `${name}.1`]);
  t.equal(await drive.contentOf(name), "content 1", "the older one keeps it");
  t.equal(await drive.contentOf(`${name}.1`), "content 2");
  await drive.tree.past.remove(name);
  await drive.begin();
  t.strictSame(await drive.names(), [`${name}.1`], "and the other its own, for good");
});

/** The drive's store, in which all that is kept is at the first place of its second. */
async function withTwins({ store, random }: Drive): Promise<MemoryStore> {
  const keys = treeKeys(treeSecret);
  const record = openRoot(keys, store.root() as Uint8Array);
  const list = record.kept as ChunkLink;
  const kept = parseKept(openChunk(list, await store.get(list.cid)).plain);
  const twins = encodeKept(kept.map((one) => ({ ...one, place: 0 })));
  const { link, sealed } = sealChunks(keys.chunksOf({ slot: 0 }, 0), [twins])[0] as SealedChunk;
  await store.put(link.cid, Buffer.from(sealed));
  await store.commit(sealRoot(keys, { ...record, kept: link }, random), Infinity);
  return store.crash();
}

test("however many roots are kept of one second, each has a place of its own", (t) => {
  const root = newRoot(systemClock, {});
  const kept = Array.from({ length: placeMax + 1 }, (_, at): KeptRoot => {
    return { root, untilMs: 0, why: "asked", place: at % 3 === 0 ? placeMax : 0 };
  });
  const places = allApart(kept).map(({ place }) => place);
  t.equal(new Set(places).size, kept.length);
  t.ok(places.every((place) => place <= placeMax));
  t.end();
});
