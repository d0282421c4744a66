/** A disk that does not give back, or does not take, some bytes of a block file: no more is lost. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { attempt, sample } from "../contract/store.ts";
import { openIn, temporaryCache } from "../support/temporary-cache.ts";

const first = sample("first", 30_000);
const lost = sample("lost", 30_000);
const last = sample("last", 30_000);

/** The cache as a crash leaves it: of what came behind the root the index knows nothing. */
async function crashed(t: Test): Promise<string> {
  await using made = await temporaryCache();
  await made.store.put(first.cid, first.bytes);
  await made.store.commit(Buffer.from("root"), 0);
  for (const { cid, bytes } of [lost, last]) await made.store.put(cid, bytes);
  await made.store.sync();
  const directory = mkdtempSync(join(tmpdir(), "hive-sector-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  cpSync(made.directory, directory, { recursive: true });
  return directory;
}

function inputOutputError(): Error {
  return Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
}

/** As a bad sector has it: whoever wants this byte hears of an error, whatever else he wants. */
function spoil(t: Test, badByte: number): () => void {
  const { read } = fs;
  const heal = (): void => {
    Object.assign(fs, { read });
    syncBuiltinESMExports();
  };
  t.teardown(heal);
  const reading = (...asked: unknown[]): void => {
    const [, , , lengthBytes, offsetBytes, done] = asked as [0, 0, 0, number, number, Done];
    const isBad = offsetBytes <= badByte && badByte < offsetBytes + lengthBytes;
    if (isBad) setImmediate(() => done(inputOutputError()));
    else Reflect.apply(read, fs, asked);
  };
  Object.assign(fs, { read: reading });
  syncBuiltinESMExports();
  return heal;
}

type Done = (error: Error | null) => void;

function placeOf(bytes: Buffer, directory: string): number {
  const [file = ""] = readdirSync(join(directory, "blocks"));
  return readFileSync(join(directory, "blocks", file)).indexOf(bytes);
}

for (const index of ["there", "gone"] as const) {
  test(`a bad sector costs its block at a start, with the index ${index}`, async (t) => {
    const directory = await crashed(t);
    if (index === "gone") rmSync(join(directory, "index"), { recursive: true });
    spoil(t, placeOf(lost.bytes, directory) + 10_000);
    await using store = await openIn(directory);
    t.equal(store.root()?.toString(), "root");
    for (const { cid, bytes } of [first, last]) t.same(await store.get(cid), bytes);
    t.notOk(store.has(lost.cid));
    t.strictSame(readdirSync(directory).filter((name) => name.includes("damaged")), []);
    const check = await store.check({ progress: () => {}, isPlaced: async () => false });
    t.equal(check.blocks, 2, "and a check gets past it");
  });
}

test("block files that take nothing at a start are no reason to begin the index anew", async (t) => {
  const directory = await crashed(t);
  const { open } = promises;
  promises.open = async (...asked) => {
    const handle = await open(...asked);
    const isBlocks = String(asked[0]).endsWith(".blocks");
    if (isBlocks) handle.datasync = async () => { throw inputOutputError(); };
    return handle;
  };
  syncBuiltinESMExports();
  const fault = await attempt(() => openIn(directory));
  promises.open = open;
  syncBuiltinESMExports();
  t.ok(isFault(fault, "Unavailable"), String(fault));
  await using store = await openIn(directory);
  t.equal(store.report().mending, "none");
  for (const { cid, bytes } of [first, lost, last]) t.same(await store.get(cid), bytes);
});

for (const [name, kind] of [["closed", undefined], ["pins", "Unavailable"]] as const) {
  test(`a file "${name}" that cannot be read is no reason to begin the index anew`, async (t) => {
    await using made = await temporaryCache();
    await made.store.put(first.cid, first.bytes);
    await made.store.commit(Buffer.from("root"), 0);
    await made.store.pins.save(Buffer.from("a list"));
    await made.store.close();
    const { readFile } = promises;
    const reading = async (...asked: Parameters<typeof readFile>) => {
      if (String(asked[0]).endsWith(`/${name}`)) throw inputOutputError();
      return readFile(...asked);
    };
    Object.assign(promises, { readFile: reading });
    syncBuiltinESMExports();
    const opened = await openIn(made.directory).catch((error: unknown) => error);
    Object.assign(promises, { readFile });
    syncBuiltinESMExports();
    if (kind === undefined) await (opened as Cache).close();
    else t.ok(isFault(opened, kind), String(opened));
    const store = await made.reopen();
    t.equal(store.report().mending, "none");
    t.strictSame(readdirSync(made.directory).filter((one) => one.includes("damaged")), []);
    t.same(await store.get(first.cid), first.bytes);
  });
}

for (const [call, ending] of [
  ["readdir", "/blocks"], ["readdir", "/journal"], ["stat", ".blocks"], ["writeFile", "/pid"], ["rm", "/closed"],
] as const) {
  test(`${call} of ${ending} that fails is no reason to begin the index anew`, async (t) => {
    await using made = await temporaryCache();
    await made.store.put(first.cid, first.bytes);
    await made.store.commit(Buffer.from("root"), 0);
    await made.store.close();
    const openFiles = readdirSync("/proc/self/fd").length;
    const right = promises[call];
    const failing = async (...asked: unknown[]): Promise<unknown> => {
      if (String(asked[0]).endsWith(ending)) throw inputOutputError();
      return Reflect.apply(right, promises, asked);
    };
    Object.assign(promises, { [call]: failing });
    syncBuiltinESMExports();
    const fault = await attempt(() => openIn(made.directory));
    Object.assign(promises, { [call]: right });
    syncBuiltinESMExports();
    t.ok(isFault(fault, "Unavailable"), String(fault));
    t.equal(readdirSync("/proc/self/fd").length, openFiles, "no file stays open");
    t.strictSame(readdirSync(made.directory).filter((one) => one.includes("damaged")), []);
    const store = await made.reopen();
    t.match(store.report(), { mending: "none", rebuiltBlocks: 0 });
    t.same(await store.get(first.cid), first.bytes);
  });
}

for (const isPutAgain of [false, true]) {
  const how = isPutAgain ? "is put again" : "the disk comes to itself";
  test(`what no peer has and the disk does not give is here again once ${how}`, async (t) => {
    await using made = await temporaryCache();
    const { store, directory } = made;
    for (const { cid, bytes } of [first, lost]) await store.put(cid, bytes);
    await store.commit(Buffer.from("root"), 0);
    const heal = spoil(t, placeOf(lost.bytes, directory) + 10_000);
    t.ok(isFault(await attempt(() => store.get(lost.cid)), "Corrupt"));
    // The rest of the file is dead: it would be given back.
    store.discard(first.cid);
    await store.commit(Buffer.from("next"), 0);
    await store.dropClean();
    const never = new AbortController().signal;
    for (let turn = 0; turn < 5; turn++) await store.step.step(never);
    t.ok(isFault(await attempt(() => store.get(lost.cid)), "Corrupt"));
    if (isPutAgain) await store.put(lost.cid, lost.bytes);
    else heal();
    t.same(await store.get(lost.cid), lost.bytes);
    await store.sync();
    heal();
    t.same(await (await made.reopen()).get(lost.cid), lost.bytes);
  });
}
