/** Small reads of large chunks over the real store: what they read, and what damage they meet. */
import { readFile, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import { systemClock as clock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import { type Handle, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog as log } from "../../src/base/log.ts";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { nativeSealer } from "../../src/crypt/blocks/chunk-seal.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { attempt } from "../contract/store.ts";
import { type TemporaryOptions, temporaryCache } from "../support/temporary-cache.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node ${process.argv[1]}`;
const caller = { uid: 0, gid: 0, pid: 1 };
const { chunkBytes } = limits.tree;
const leafBytes = 4096;
/** Where the ciphertext begins behind a block's header in its file. */
const bodyOffsetBytes = 64 + 18;
const content = seededRandom(seed).bytes(4 * chunkBytes + 100_000);
const skip = nativeSealer() === undefined ? "there is no addon here" : false;

interface World extends AsyncDisposable {
  readonly store: Cache;
  readonly tree: Tree;
  readonly handle: Handle;
  /** Of whole blocks, and of parts. */
  readonly reads: { whole: number; part: number };
  readonly directory: string;
}

/** One file of a few chunks, all of them in block files and none opened. */
async function world(options: TemporaryOptions = {}): Promise<World> {
  const made = await temporaryCache(options);
  const { store, directory } = made;
  const reads = { whole: 0, part: 0 };
  const counting = new Proxy(store, {
    get(target, name) {
      if (name === "get") reads.whole++;
      if (name === "getPart") reads.part++;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const needs = { store: counting, clock, random: systemRandom, log };
  const tree = await openTree(needs, { treeSecret: Buffer.alloc(32, 1) });
  const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };
  const at = { parent: rootIno, name: parseName("large") };
  const { handle } = await tree.create(caller, at, { mode: 0o600 }, flags);
  await tree.write(handle, 0, content);
  await tree.fsync(handle);
  await tree.commit();
  tree.forgetOpened();
  Object.assign(reads, { whole: 0, part: 0 });
  const end = async () => {
    await tree.release(handle);
    await made[Symbol.asyncDispose]();
  };
  return { store, tree, handle, reads, directory, [Symbol.asyncDispose]: end };
}

async function readAt({ tree, handle }: World, range: ByteRange): Promise<Buffer> {
  const pieces = await tree.read(handle, range);
  return Buffer.concat(pieces);
}

function expected({ offsetBytes, lengthBytes }: ByteRange): Buffer {
  return content.subarray(offsetBytes, offsetBytes + lengthBytes);
}

function page(number: number): ByteRange {
  return { offsetBytes: number * leafBytes, lengthBytes: leafBytes };
}

/** Changes the only block file; `chunks` are the places of the file's ciphertexts in it. */
async function damage(
  { directory }: World, act: (bytes: Buffer, chunks: readonly number[]) => Buffer,
): Promise<void> {
  const folder = join(directory, "blocks");
  const path = join(folder, (await readdir(folder))[0] ?? "");
  const bytes = await readFile(path);
  const chunks: number[] = [];
  for (let at = 0; at + 64 < bytes.length; at += 64 + bytes.readUInt32LE(at + 8)) {
    if (bytes.readUInt32LE(at + 8) === chunkBytes + 34) chunks.push(at + bodyOffsetBytes);
  }
  const changed = act(bytes, chunks);
  if (changed.length < bytes.length) await truncate(path, changed.length);
  else await writeFile(path, changed);
}

test("small reads anywhere are what was written, and read no whole block", { skip }, async (t) => {
  await using made = await world();
  const random = seededRandom(`${seed}/ranges`);
  for (let trial = 0; trial < 200; trial++) {
    // The last chunk is a shorter one, of which less is small.
    const offsetBytes = random.below(4 * chunkBytes - 30_000);
    const range = { offsetBytes, lengthBytes: 1 + random.below(24_000) };
    t.ok((await readAt(made, range)).equals(expected(range)), `${JSON.stringify(range)} ${replay}`);
    made.tree.forgetOpened();
  }
  t.ok(made.reads.part > 180, `${made.reads.part} parts`);
  t.ok(made.reads.whole <= 20, `${made.reads.whole} wholes, for reads that went on by chance`);
});

test("reads at and across the end of the file, and all at once", { skip }, async (t) => {
  await using made = await world();
  const random = seededRandom(`${seed}/at once`);
  const ranges = Array.from({ length: 300 }, () => {
    const offsetBytes = random.below(content.length + 5000);
    return { offsetBytes, lengthBytes: 1 + random.below(12_000) };
  });
  const found = await Promise.all(ranges.map((range) => readAt(made, range)));
  for (const [at, range] of ranges.entries()) t.ok(found[at]?.equals(expected(range)), replay);
});

test("a read that goes on where the last one ended takes the whole chunk", { skip }, async (t) => {
  await using made = await world();
  for (let at = 5; at < 64; at++) t.ok((await readAt(made, page(at))).equals(expected(page(at))));
  t.strictSame(made.reads, { whole: 1, part: 1 });
});

test("a chunk that was opened whole is known from then on", { skip }, async (t) => {
  await using made = await world();
  const { store, reads } = made;
  const needs = { store, clock, random: systemRandom, log };
  const again = await openTree(needs, { treeSecret: Buffer.alloc(32, 1), readOnly: true });
  const { ino } = await again.lookup({ parent: rootIno, name: parseName("large") });
  const flags = { read: true, write: false, append: false, truncate: false };
  const other = { ...made, tree: again, handle: await again.open(caller, ino, flags) };
  t.ok((await readAt(other, page(9))).equals(expected(page(9))), "whole, by its seal");
  again.forgetOpened();
  await damage(made, (bytes, [first = 0]) => flip(bytes, first + 30 * leafBytes + 5));
  t.ok((await readAt(other, page(9))).equals(expected(page(9))), "by its tag");
  t.strictSame(reads, { whole: 0, part: 0 }, "none of it by the first tree");
});

test("a flipped bit is never answered: counted, and an error where nobody else has it",
  { skip }, async (t) => {
    await using made = await world();
    await damage(made, (bytes, [first = 0]) => flip(bytes, first + 7 * leafBytes + 1000));
    t.ok((await readAt(made, page(20))).equals(expected(page(20))), "another leaf is right");
    t.equal(made.store.report().corruptBlocks, 0);
    t.ok(isFault(await attempt(() => readAt(made, page(7))), "Corrupt"));
    t.equal(made.store.report().corruptBlocks, 1);
    t.ok(isFault(await attempt(() => readAt(made, page(7))), "Corrupt"), "and again");
    t.equal(made.store.report().corruptBlocks, 1, "counted once");
    t.ok((await readAt(made, page(64))).equals(expected(page(64))), "the next chunk is right");
  });

test("a flipped bit in what peers have as well is mended from them", { skip }, async (t) => {
  const far = new Map<string, Buffer>();
  const fetch = async (cid: string) => Buffer.from(far.get(cid) ?? []);
  await using made = await world({ fetcher: { fetch } });
  const round = await made.store.beginRound();
  for (const { cid } of round?.blocks ?? []) far.set(cid, Buffer.from(await made.store.read(cid)));
  await made.store.placed((round?.blocks ?? []).map(({ cid }) => cid));
  await damage(made, (bytes, [first = 0]) => flip(bytes, first + 7 * leafBytes));
  t.ok((await readAt(made, page(7))).equals(expected(page(7))));
  t.equal(made.store.report().corruptBlocks, 1);
  made.tree.forgetOpened();
  t.ok((await readAt(made, page(12))).equals(expected(page(12))), "and then parts of it again");
});

test("a leaf of another place or another block is not taken for the right one",
  { skip }, async (t) => {
    await using made = await world();
    await damage(made, (bytes, chunks) => {
      const [first = 0, second = 0] = chunks;
      const leaf = (start: number, at: number) =>
        Buffer.from(bytes.subarray(start + at * leafBytes, start + (at + 1) * leafBytes));
      leaf(second, 3).copy(bytes, first + 3 * leafBytes);
      leaf(second, 9).copy(bytes, second + 8 * leafBytes);
      return bytes;
    });
    t.ok(isFault(await attempt(() => readAt(made, page(3))), "Corrupt"));
    t.ok(isFault(await attempt(() => readAt(made, page(64 + 8))), "Corrupt"));
    t.equal(made.store.report().corruptBlocks, 2);
  });

test("a block file cut short loses what lay behind, and no more", { skip }, async (t) => {
  await using made = await world();
  await damage(made, (bytes, chunks) => bytes.subarray(0, (chunks[1] ?? 0) + 10 * leafBytes + 50));
  t.ok((await readAt(made, page(2))).equals(expected(page(2))));
  t.ok((await readAt(made, page(64 + 9))).equals(expected(page(64 + 9))), "before the cut");
  t.ok(isFault(await attempt(() => readAt(made, page(64 + 20))), "Corrupt"), "behind it");
  t.equal(made.store.report().corruptBlocks, 1);
});

test("what was written over is never read from the chunk before", { skip }, async (t) => {
  await using made = await world();
  const { tree, handle } = made;
  t.ok((await readAt(made, page(33))).equals(expected(page(33))));
  const fresh = Buffer.alloc(leafBytes, 9);
  await tree.write(handle, 33 * leafBytes, fresh);
  t.ok((await readAt(made, page(33))).equals(fresh), "unsealed");
  await tree.commit();
  tree.forgetOpened();
  t.ok((await readAt(made, page(33))).equals(fresh), "sealed");
  t.ok((await readAt(made, page(40))).equals(expected(page(40))));
});

function flip(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8((bytes[at] ?? 0) ^ 16, at);
  return bytes;
}
