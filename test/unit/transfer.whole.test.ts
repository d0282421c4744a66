/**
 * Real parts end to end: LevelDB cache and books, vaults on disk, and a machine that starts anew.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { cidOf } from "../../src/base/ids.ts";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Cache, openKeyValue } from "../../src/cache/cache.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type Transfer, openTransfer } from "../../src/transfer/transfer.ts";
import { handClock, temporaryCache } from "../support/temporary-cache.ts";
import { type VaultWorld, makeBlocks, makeVaultWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.whole.test.ts`;
const few = { count: 5, bytesMax: 1000 };

test("a cache drains to vaults, forgets, and reads back through them", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  await using cache = await temporaryCache();
  await using books = await temporaryBooks();
  const transfer = await openOn(world, { source: cache.store, books });
  cache.store.setFetcher(transfer);
  const blocks = makeBlocks(world.random, { count: 60, bytesMax: 250_000 });
  await write(cache.store, { root: "root 1", blocks: blocks.slice(0, 30) });
  await transfer.flush(20_000);
  t.equal(cache.store.usage().dirtyBytes, 0);
  await write(cache.store, { root: "root 2", blocks: blocks.slice(30) });
  await transfer.flush(20_000);
  await cache.store.dropClean();
  t.notOk(cache.store.has(cidOf(blocks[0] ?? Buffer.alloc(0))));
  t.strictSame(await wrongOnes(cache.store, blocks), [], replay);
});

test("another machine with the keys mounts an empty cache and has it all", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const blocks = makeBlocks(world.random, { count: 40, bytesMax: 250_000 });
  {
    await using cache = await temporaryCache();
    await using books = await temporaryBooks();
    const transfer = await openOn(world, { source: cache.store, books });
    await write(cache.store, { root: "the root", blocks });
    await transfer.flush(20_000);
  }
  for (const member of [...world.network.members.values()].slice(0, 4)) {
    member.mood = { is: "dead" };
  }
  await using cache = await temporaryCache();
  await using books = await temporaryBooks();
  const transfer = await openOn(world, { source: cache.store, books });
  const root = (await transfer.recover())?.root;
  t.equal(Buffer.from(root ?? []).toString(), "the root");
  await cache.store.commit(root ?? Buffer.alloc(0), 0);
  cache.store.setFetcher(transfer);
  t.strictSame(await wrongOnes(cache.store, blocks), [], replay);
});

test("what was just written rests, but not from a flush", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  await using cache = await temporaryCache({ clock: handClock() });
  await using books = await temporaryBooks();
  const transfer = await openOn(world, { source: cache.store, books });
  await write(cache.store, { root: "root", blocks: makeBlocks(world.random, few) });
  t.equal(await transfer.uploader.step(new AbortController().signal), "idle");
  t.equal(world.network.calls.store, 0, "the background lets it rest");
  await transfer.flush(20_000);
  t.equal(cache.store.usage().dirtyBytes, 0);
});

test("a machine that closes in the middle of a round goes on after the next start", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const clock = handClock();
  await using cache = await temporaryCache({ clock });
  await using books = await temporaryBooks();
  const blocks = makeBlocks(world.random, { count: 60, bytesMax: 250_000 });
  const before = await openOn(world, { source: cache.store, books });
  await write(cache.store, { root: "root", blocks });
  clock.pass(limits.cache.uploadRestMs);
  const stop = new AbortController();
  const stopping = before.uploader.step(stop.signal).catch(() => "stopped");
  stop.abort(new Error("closing"));
  await stopping;
  const source = await cache.reopen();
  const after = await openOn(world, { source, books });
  await after.flush(20_000);
  t.equal(source.usage().dirtyBytes, 0);
  source.setFetcher(after);
  await source.dropClean();
  t.strictSame(await wrongOnes(source, blocks), [], replay);
});

function openOn(
  world: VaultWorld, parts: { source: Cache; books: Awaited<ReturnType<typeof openKeyValue>> },
): Promise<Transfer> {
  return openTransfer({
    ...world, ...parts, coder: openCoder(), clock: systemClock, log: silentLog,
  }, { settleMs: 0 });
}

async function temporaryBooks(): Promise<Awaited<ReturnType<typeof openKeyValue>>> {
  const directory = await mkdtemp(join(tmpdir(), "hive-books-"));
  const books = await openKeyValue(directory);
  const close = books[Symbol.asyncDispose].bind(books);
  books[Symbol.asyncDispose] = async () => {
    await close();
    await rm(directory, { recursive: true });
  };
  return books;
}

async function write(
  cache: Cache, content: { readonly root: string; readonly blocks: readonly Uint8Array[] },
): Promise<void> {
  for (const bytes of content.blocks) await cache.put(cidOf(bytes), bytes);
  await cache.commit(Buffer.from(content.root), 0);
}

async function wrongOnes(cache: Cache, blocks: readonly Uint8Array[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const bytes of blocks) {
    const got = await cache.get(cidOf(bytes));
    if (!Buffer.from(got).equals(bytes)) wrong.push(cidOf(bytes));
  }
  return wrong;
}
