/** Commits of a store that fills while they run: the room that writers wait for is theirs to make. */
import { test } from "tap";
import type { PutOptions } from "../../src/base/blocks.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Cid, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Maybe } from "../../src/base/step.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { flags } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const treeSecret = Buffer.alloc(32, 7);
const { chunkBytes } = limits.tree;
const { signal } = new AbortController();
const roomBytes = 4.5 * chunkBytes;
/** So many chunks are written to each file: the room holds four. */
const chunks = 9;

/** Has room for four chunks that are not on peers; what is committed goes up at once. */
class SmallStore extends MemoryStore {
  shiftMs = 0;
  /** Whoever syncs, or puts a page, waits for it. */
  holdsSyncs: Promise<void> | undefined;
  holdsPages: Promise<void> | undefined;
  #takenBytes = 0;
  readonly #waiting: (() => void)[] = [];
  readonly clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + this.shiftMs };

  override put(cid: Cid, sealed: Uint8Array, options?: PutOptions): Maybe<void> {
    if (sealed.length <= limits.cache.smallBlockBytesMax) {
      return this.holdsPages?.then(() => super.put(cid, sealed, options))
        ?? super.put(cid, sealed, options);
    }
    const enter = (): Maybe<void> => {
      this.#takenBytes += sealed.length;
      return super.put(cid, sealed, options);
    };
    if (this.#waiting.length === 0 && this.#hasRoom()) return enter();
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(enter);
  }

  override async sync(): Promise<void> {
    await this.holdsSyncs;
    await super.sync();
  }

  override async commit(...words: Parameters<MemoryStore["commit"]>): Promise<void> {
    await super.commit(...words);
    this.#takenBytes = 0;
    for (let free = 4; free > 0; free--) this.#waiting.shift()?.();
  }

  override usage(): ReturnType<MemoryStore["usage"]> {
    return { ...super.usage(), dirtyBytes: this.#takenBytes, dirtyBytesMax: roomBytes };
  }

  get waiters(): number {
    return this.#waiting.length;
  }

  #hasRoom(): boolean {
    return this.#takenBytes + chunkBytes <= roomBytes;
  }
}

function openOn(store: MemoryStore, clock = systemClock): Promise<Tree> {
  return openTree({ store, clock, random: seededRandom(`room ${seed}`), log }, { treeSecret });
}

/** A file with one committed chunk, and 4 KiB over it that rest in memory or, synced, beside it. */
async function restingFile(store: SmallStore, { synced }: { readonly synced: boolean }) {
  const tree = await openOn(store, store.clock);
  const { handle } = await tree.create(nobody, place("db"), { mode: 0o644 }, flags);
  const bytes = Buffer.from(seededRandom(`bytes ${seed}`).bytes(chunks * chunkBytes));
  const writeChunk = (at: number) => {
    const from = at * chunkBytes;
    return tree.write(handle, from, bytes.subarray(from, from + chunkBytes));
  };
  await writeChunk(0);
  await tree.commit();
  bytes.fill(5, 4096, 8192);
  await tree.write(handle, 4096, bytes.subarray(4096, 8192));
  if (synced) await tree.fsync(handle);
  await tree.mkdir(nobody, place("folder"), { mode: 0o755 });
  store.shiftMs += limits.tree.commitAfterMs + 1;
  return { tree, handle, bytes, writeChunk };
}

test("a commit does not wait for chunks that found no room since it began", async (t) => {
  const store = new SmallStore();
  const { tree, bytes, writeChunk } = await restingFile(store, { synced: false });
  await writeChunk(1);
  const held = Promise.withResolvers<void>();
  store.holdsSyncs = held.promise;
  const commits = store.commits;
  const step = tree.committer.step(signal);
  await new Promise(setImmediate);
  const writing = Array.from({ length: chunks - 2 }, (_, at) => writeChunk(at + 2));
  await until(() => store.waiters > 0);
  store.holdsSyncs = undefined;
  held.resolve();
  await step;
  t.ok(store.commits > commits, "it has made room");
  await finish(tree, store, writing);
  t.ok((await fileOf(store.crash())).equals(bytes));
});

test("what was synced stays through a commit while its file waits for room", async (t) => {
  const store = new SmallStore();
  const { tree, bytes, writeChunk } = await restingFile(store, { synced: true });
  const held = Promise.withResolvers<void>();
  store.holdsPages = held.promise;
  const step = tree.committer.step(signal);
  await new Promise(setImmediate);
  const writing = Array.from({ length: chunks - 1 }, (_, at) => writeChunk(at + 1));
  await until(() => store.waiters > 0);
  store.holdsPages = undefined;
  held.resolve();
  await step;
  const early = await fileOf(store.crash());
  t.ok(early.subarray(0, chunkBytes).equals(bytes.subarray(0, chunkBytes)), "after a crash, too");
  t.ok(early.equals(bytes.subarray(0, early.length)), "and nothing that was not written");
  await finish(tree, store, writing);
  t.ok((await fileOf(store.crash())).equals(bytes));
});

/** Commits by and by until all writers were let in, and then whatever is left. */
async function finish(
  tree: Tree, store: SmallStore, writing: readonly Maybe<number>[],
): Promise<void> {
  let isWritten = false;
  void Promise.all(writing).then(() => (isWritten = true));
  while (!isWritten) {
    store.shiftMs += limits.tree.commitAfterMs + 1;
    await tree.committer.step(signal);
    await new Promise(setImmediate);
  }
  await tree.commit();
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function fileOf(store: MemoryStore): Promise<Buffer> {
  const tree = await openOn(store);
  const { ino } = await tree.lookup(place("db"));
  return await readFile(tree, ino);
}

function place(name: string) {
  return { parent: rootIno, name: parseName(name) };
}
