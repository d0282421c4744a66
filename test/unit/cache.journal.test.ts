/**
 * The journal's files: what was synced is replayed, whatever a crash or a disk did behind it; what
 * is lost is told; and nothing that an earlier use of a file left there is ever taken for new.
 */
import {
  cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { openLevel } from "../../src/cache/index/level.ts";
import { formatKey, journalKeys, withCheck } from "../../src/cache/index/records.ts";
import type { GroupRecord } from "../../src/cache/journal/journal-file.ts";
import { JournalFiles } from "../../src/cache/journal/journal-files.ts";
import { encodeFileHeader, encodeRecordHeader } from "../../src/cache/journal/journal-frame.ts";
import { judge } from "../../src/cache/journal/journal-judge.ts";
import { type FileScan, scanJournalFile } from "../../src/cache/journal/journal-scan.ts";
import { attempt, records, sample } from "../contract/store.ts";
import { type JournalBytes, journalFiles } from "../support/journal-bytes.ts";
import { handClock, openIn, temporaryCache } from "../support/temporary-cache.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node ${process.argv[1]}`;
const signal = new AbortController().signal;
const volumes = new URL("../volumes/", import.meta.url).pathname;
const vectors = new URL("../vectors/", import.meta.url).pathname;

test("the bytes of a header and a record are frozen", (t) => {
  const vector = JSON.parse(readFileSync(join(vectors, "cache.journal.json"), "utf8"));
  const { generation, sequence, before, behind } = vector;
  const record = Buffer.from(vector.record, "hex");
  const header = { generation, sequence, before, behind, lengthBytes: record.length };
  const file = encodeFileHeader({ generation, first: sequence - before });
  t.equal(file.toString("hex"), vector.fileHeader);
  t.equal(encodeRecordHeader(header, record).toString("hex"), vector.recordHeader);
  t.end();
});

for (const state of ["killed", "closed"]) {
  test(`a store of format 1 that was ${state} opens with all it had, and goes on`, async (t) => {
    const directory = copyOf(t, join(volumes, `cache-1-${state}`));
    const store = await openIn(directory);
    t.equal(store.root()?.toString(), "the root");
    t.strictSame(await records(store), ["after 0", "after 1", "after 2"]);
    for (const index of [0, 1, 2, 3, 4]) await isHere(t, store, `volume ${index}`, 1000 + index);
    await isHere(t, store, "volume late", 1500);
    t.match(store.report(), { indexStale: false, cutOffRecords: 0, rebuiltBlocks: 0 });
    t.equal(store.append(Buffer.from("new")), 9);
    await store.sync();
    await store.close();
    const again = await openIn(directory);
    t.strictSame(await records(again), ["after 0", "after 1", "after 2", "new"], "one journal");
    await again.commit(Buffer.from("next"), 9);
    while ((await again.step.step(signal)) === "busy");
    t.strictSame(await records(again), []);
    await again.close();
    const { table } = await openLevel(join(directory, "index"));
    for await (const [key] of table.range(journalKeys.from, journalKeys.to)) t.fail(String(key));
    await table.close();
  });
}

test("a store of format 2 opens with all it had, and all of it goes by the default", async (t) => {
  const directory = copyOf(t, join(volumes, "cache-2-killed"));
  const store = await openIn(directory);
  t.equal(store.root()?.toString(), "the root");
  t.strictSame(await records(store), ["after 0", "after 1", "after 2"]);
  for (const index of [0, 1, 2, 3, 4]) await isHere(t, store, `volume ${index}`, 1000 + index);
  await isHere(t, store, "volume late", 1500);
  t.match(store.report(), { indexStale: false, cutOffRecords: 0, rebuiltBlocks: 0 });
  await store.commit(Buffer.from("next"), 0);
  const round = await store.beginRound();
  const waiting = [2, 3, 4].map((index) => sample(`volume ${index}`, 1000 + index));
  const cids = [...waiting, sample("volume late", 1500)].map(({ cid }) => cid);
  t.strictSame(round?.blocks.map(({ cid }) => cid), cids);
  t.ok(round?.blocks.every(({ slot }) => slot === undefined));
  await store.close();
});

test("a store of a format to come is refused, and left as it is", async (t) => {
  await using made = await temporaryCache();
  await made.store.close();
  const write = async (format: number): Promise<void> => {
    const { table } = await openLevel(join(made.directory, "index"));
    const value = withCheck(formatKey, Buffer.from([format]));
    await table.batch([{ type: "put", key: formatKey, value }], { sync: true });
    await table.close();
  };
  await write(4);
  t.ok(isFault(await attempt(() => openIn(made.directory)), "Unsupported"));
  await write(3);
  await made.reopen();
});

test("a group that was never finished goes whole, and nobody is told of a loss", async (t) => {
  await using made = await temporaryCache();
  await sync(made.store, ["a", "b"]);
  const before = lastOf(made.directory).scan.endBytes;
  await sync(made.store, ["c", "d", "e"]);
  for (const cut of [1, 37, 60, 100]) {
    const directory = copyOf(t, made.directory);
    const { path } = lastOf(directory);
    spoil(path, before + cut, 512);
    const store = await openIn(directory);
    t.strictSame(await records(store), ["a", "b"], `from byte ${cut} on`);
    t.match(store.report(), { cutOffRecords: 0, corruptRecords: 0 });
    await sync(store, ["f"]);
    await store.close();
    const again = await openIn(directory);
    t.strictSame(await records(again), ["a", "b", "f"], "what is left of it stays dead");
    await again.close();
  }
});

test("a flipped bit in the middle is told, once, and nothing behind it is replayed", async (t) => {
  await using made = await temporaryCache();
  for (const word of ["a", "b", "c", "d"]) await sync(made.store, [word]);
  const directory = copyOf(t, made.directory);
  const { path, scan } = lastOf(directory);
  spoil(path, (scan.records[1]?.offsetBytes ?? 0) + 36, 1);
  const store = await openIn(directory);
  t.strictSame(await records(store), ["a"]);
  t.match(store.report(), { corruptRecords: 1, cutOffRecords: 3 });
  await sync(store, ["e"]);
  await store.close();
  const again = await openIn(directory);
  t.strictSame(await records(again), ["a", "e"]);
  t.match(again.report(), { corruptRecords: 0, cutOffRecords: 0 }, "once");
  await again.close();
});

test("after a clean end, damage to the very last record is told too", async (t) => {
  await using made = await temporaryCache();
  for (const word of ["a", "b", "c"]) await sync(made.store, [word]);
  const store = await made.reopen((directory) => {
    const { path, scan } = lastOf(directory);
    spoil(path, scan.endBytes - 1, 1);
  });
  t.strictSame(await records(store), ["a", "b"]);
  t.equal(store.report().cutOffRecords, 1);
});

test("a missing file is told, be it the first, one between, or all", async (t) => {
  await using made = await temporaryCache();
  for (let index = 0; index < 30; index++) await sync(made.store, [`${index} `.padEnd(100_000)]);
  await made.store.close();
  const names = journalFiles(made.directory).map(({ path }) => path.split("/").at(-1) as string);
  t.ok(names.length >= 3, `${names.length} files`);
  for (const missing of [names.slice(0, 1), names.slice(1, 2), names.slice(-1), names]) {
    const directory = copyOf(t, made.directory);
    for (const name of missing) rmSync(join(directory, "journal", name));
    const store = await openIn(directory);
    const found = (await records(store)).map((text) => Number(text.split(" ")[0]));
    t.strictSame(found, found.map((_, index) => index));
    t.equal(store.report().cutOffRecords, 30 - found.length, `${found.length} are left`);
    await store.close();
  }
  await made.reopen();
});

test("blocks that a sync promised survive an index that never heard of them", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const first = sample("first", 3000);
  await store.put(first.cid, first.bytes);
  await store.commit(Buffer.from("the root"), 0);
  const directory = copyOf(t, made.directory);
  const late = [1, 2, 3].map((each) => sample(`late ${each}`, 1000 * each));
  for (const { cid, bytes } of late) {
    await store.put(cid, bytes);
    store.append(Buffer.from(cid));
    await store.sync();
  }
  // A discarded one that a record may name is kept until a commit, too.
  store.discard((late[0] as { cid: typeof first.cid }).cid);
  await sync(store, ["discarded"]);
  for (const part of ["blocks", "journal"]) {
    cpSync(join(made.directory, part), join(directory, part), { recursive: true });
  }
  const after = await openIn(directory);
  t.equal(after.root()?.toString(), "the root");
  t.equal((await records(after)).length, 4);
  for (const index of [1, 2, 3]) await isHere(t, after, `late ${index}`, 1000 * index);
  t.match(after.report(), { mending: "none", indexStale: false, cutOffRecords: 0, lostBlocks: 0 });
  await after.close();
  const again = await openIn(directory);
  for (const index of [1, 2, 3]) await isHere(t, again, `late ${index}`, 1000 * index);
  await again.close();
});

test("a block that was dropped for good does not come back with a new start", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const gone = sample("gone", 3000);
  await store.put(gone.cid, gone.bytes);
  await store.sync();
  store.discard(gone.cid);
  await store.commit(Buffer.from("the root"), 0);
  const killed = await openIn(copyOf(t, made.directory));
  t.equal(killed.has(gone.cid), false, "after a kill");
  await killed.close();
  t.equal((await made.reopen()).has(gone.cid), false, "after a clean end");
});

test("no sync claims to have kept what went to a journal that somebody deleted", async (t) => {
  await using made = await temporaryCache();
  await sync(made.store, ["a"]);
  rmSync(join(made.directory, "journal"), { recursive: true });
  made.store.append(Buffer.from("b"));
  t.ok(isFault(await attempt(() => made.store.sync()), "Stale"));
  t.ok(isFault(await attempt(() => made.store.sync()), "Stale"), "nor what was kept before");
  t.ok(isFault(await attempt(() => made.store.append(Buffer.from("c"))), "Stale"));
  t.match(made.store.trouble(), /was deleted/);
});

test("a directory that was moved away is noticed within a bounded time", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ clock });
  await sync(made.store, ["a"]);
  renameSync(made.directory, `${made.directory}-moved`);
  clock.pass(limits.cache.placeCheckMs);
  made.store.append(Buffer.from("b"));
  t.ok(isFault(await attempt(() => made.store.sync()), "Stale"));
  renameSync(`${made.directory}-moved`, made.directory);
});

test("a burst larger than any file is one group, and its files are used again", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const burst = Array.from({ length: 24 }, (_, index) => Buffer.alloc(400_000, `burst ${index}`));
  let last = 0;
  for (const record of burst) last = store.append(record);
  await store.sync();
  const found = await openIn(copyOf(t, made.directory));
  t.strictSame(await records(found), burst.map(String));
  await found.close();
  for (let round = 0; round < 8; round++) {
    await store.commit(Buffer.from(`root ${round}`), last);
    while ((await store.step.step(signal)) === "busy");
    for (const record of burst) last = store.append(record);
    await store.sync();
  }
  await store.commit(Buffer.from("the root"), last);
  while ((await store.step.step(signal)) === "busy");
  const left = readdirSync(join(made.directory, "journal"));
  t.ok(left.length <= 3, `${left.length} files`);
});

test("a write that failed half-way is made again with what came since, in its place", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-journal-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const needs = { directory, log: silentLog, roomBytes: () => 0, spend: () => undefined };
  const files = new JournalFiles(needs, { generation: 0, full: [], spare: [] });
  await files.write(group(1, 10));
  // The next file cannot be made: its name is taken.
  writeFileSync(join(directory, "00000002.journal"), "");
  t.ok(isFault(await attempt(() => files.write(group(11, 40)))), "it fails");
  await files.write(group(11, 9));
  await files.write(group(20, 50));
  await files.close();
  const scans = readdirSync(directory).map((name) => {
    return scanJournalFile(readFileSync(join(directory, name)));
  }).sort((one, other) => one.generation - other.generation);
  t.match(judge(scans, { through: 0, last: 0 }), { last: 69, lost: 0, corrupt: 0, isCut: false });
});

test("files that are written over, cut and torn: a prefix, never less than was synced", {
  timeout: 120_000,
}, async (t) => {
  for (let round = 0; round < 12; round++) {
    const random = seededRandom(`${seed}/over/${round}`);
    await using made = await temporaryCache({ limitBytes: 8 * MiB });
    const model = new Model(made.store);
    for (let turn = 0; turn < 120; turn++) await model.play(random);
    const directory = copyOf(t, made.directory);
    const { path, scan } = lastOf(directory);
    const from = scan.endBytes;
    // Another group is just on its way, and is torn, or its bytes are what was there before.
    await model.burst(random);
    const now = journalFiles(made.directory).find(({ scan: { generation } }) => {
      return generation === scan.generation;
    });
    if (now !== undefined && random.below(4) > 0) mix(path, now, { from, random });
    const store = await openIn(directory);
    t.strictSame(wrongIn(await records(store), model), [], `round ${round}; ${replay}`);
    t.match(store.report(), { cutOffRecords: 0, corruptRecords: 0 }, `round ${round}; ${replay}`);
    await store.close();
  }
});

test("whatever lies there, what is judged the journal has no gap and is no older", (t) => {
  for (let round = 0; round < 500; round++) {
    const random = seededRandom(`${seed}/judge/${round}`);
    const scans = randomScans(random);
    const through = random.below(10);
    const known = { through, last: random.below(30) };
    const { last, lost, runs } = judge(scans, known);
    const found = runs.flatMap((run) => run.records.map(({ sequence }) => sequence));
    const wanted = Array.from({ length: last - through }, (_, index) => through + 1 + index);
    t.strictSame([...new Set(found)], wanted, `round ${round}; ${replay}`);
    t.ok(last + lost >= known.last, `what the books tell is there or told; ${replay}`);
  }
  t.end();
});

function randomScans(random: Random): FileScan[] {
  return Array.from({ length: 1 + random.below(4) }, (_, index) => {
    const first = 1 + random.below(20);
    const count = random.below(8);
    const all = Array.from({ length: count }, (_each, at) => {
      const sequence = first + at;
      return { sequence, offsetBytes: 0, groupFirst: sequence, groupLast: sequence };
    });
    const records = all.filter(() => random.below(6) > 0);
    return { generation: index + 1, first, records, endBytes: 0 };
  });
}

/** Records of 60 kB: 16 to a file. */
function group(first: number, count: number): GroupRecord[] {
  return Array.from({ length: count }, (_, before) => {
    const record = Buffer.alloc(60_000, String(first + before));
    return { sequence: first + before, record, before, behind: count - 1 - before };
  });
}

/** Records with numbers; what was synced, and what a root has. */
class Model {
  readonly #store: Cache;
  number = 0;
  synced = 0;
  through = 0;

  constructor(store: Cache) {
    this.#store = store;
  }

  async play(random: Random): Promise<void> {
    await this.burst(random);
    this.synced = this.number;
    if (random.below(12) > 0) return;
    await this.#store.commit(Buffer.from(`root ${this.number}`), this.number);
    this.through = this.number;
    if (random.below(2) === 0) await this.#store.step.step(signal);
  }

  async burst(random: Random): Promise<void> {
    for (let count = random.below(4); count >= 0; count--) {
      const lengthBytes = random.below(5) === 0 ? random.below(200_000) : random.below(3000);
      this.number = this.#store.append(Buffer.from(`${this.number + 1} `.padEnd(lengthBytes, "x")));
    }
    await this.#store.sync();
  }
}

function wrongIn(found: readonly string[], model: Model): string[] {
  const numbers = found.map((text) => Number(text.split(" ")[0]));
  const wrong = numbers.filter((number, index) => number !== model.through + 1 + index);
  const last = model.through + numbers.length;
  if (last < model.synced) wrong.push(last);
  return wrong.map((number) => `record ${number}; synced ${model.synced}`);
}

/** Sectors of a later state of the file, some here and some not. */
function mix(path: string, later: JournalBytes, { from, random }: {
  readonly from: number;
  readonly random: Random;
}): void {
  const bytes = readFileSync(path);
  const newer = readFileSync(later.path);
  let at = from;
  while (at < Math.min(later.scan.endBytes, bytes.length)) {
    const end = Math.min(at - (at % 512) + 512, bytes.length, newer.length);
    if (random.below(2) === 0) newer.copy(bytes, at, at, end);
    at = end;
  }
  writeFileSync(path, bytes);
}

async function sync(store: Cache, words: readonly string[]): Promise<void> {
  for (const word of words) store.append(Buffer.from(word));
  await store.sync();
}

async function isHere(t: Test, store: Cache, name: string, lengthBytes: number): Promise<void> {
  const { cid, bytes } = sample(name, lengthBytes);
  t.ok(bytes.equals(await store.get(cid)), name);
}

function lastOf(directory: string): JournalBytes {
  return journalFiles(directory).at(-1) as JournalBytes;
}

function spoil(path: string, at: number, lengthBytes: number): void {
  const bytes = readFileSync(path);
  for (let each = at; each < at + lengthBytes; each++) bytes[each] = (bytes[each] ?? 0) ^ 0x5a;
  writeFileSync(path, bytes);
}

/** As a kill leaves it. */
function copyOf(t: Test, from: string): string {
  const directory = mkdtempSync(join(tmpdir(), "hive-journal-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  cpSync(from, directory, { recursive: true });
  return directory;
}
