/**
 * Figures of the cache on this disk: node test/bench/cache.ts [MIB [journal]]
 * Blocks of 256 KiB, real files in the temporary directory, group commits as the tree does them.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../src/base/bytes.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

const totalBytes = Number(process.argv[2] ?? 1024) * MiB;
const blockBytes = 256 * 1024;

await journalAgainstPlain();
if (process.argv[3] === "journal") process.exit();
await writeAndRead();
for (const callers of [1, 4, 16]) await syncs(callers);
await memory();
await churn();

async function writeAndRead(): Promise<void> {
  await using made = await temporaryCache({ limitBytes: 4096 * MiB });
  const { store } = made;
  const blocks = makeBlocks(totalBytes / blockBytes);
  const began = performance.now();
  const worst = await longestTurn(async () => {
    for (const [index, { cid, bytes }] of blocks.entries()) {
      await store.put(cid, bytes);
      if (index % 256 === 255) await store.commit(Buffer.from(`root ${index}`), 0);
    }
    await store.commit(Buffer.from("root"), 0);
  });
  report("put and commit each 64 MiB", totalBytes, began);
  print(`  longest turn of the main thread ${worst.toFixed(1)} ms`);
  for (const lanes of [1, 8]) await readAll(store, blocks.map(({ cid }) => cid), lanes);
}

async function readAll(store: Cache, cids: readonly Cid[], lanes: number): Promise<void> {
  const began = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < cids.length) await store.get(cids[next++] as Cid);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  report(`get, warm, ${lanes} at a time`, totalBytes, began);
}

async function syncs(callers: number): Promise<void> {
  await using made = await temporaryCache();
  const { store } = made;
  for (const withBlock of [false, true]) {
    let count = 0;
    const blocks = makeBlocks(callers * 400, 4096);
    const began = performance.now();
    const caller = async () => {
      for (let each = 0; each < 400; each++) {
        const block = blocks[count++];
        if (withBlock && block !== undefined) await store.put(block.cid, block.bytes);
        store.append(Buffer.alloc(200, count));
        await store.sync();
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const perSecond = (count / (performance.now() - began)) * 1000;
    const what = withBlock ? "a block of 4 KiB and a record" : "a record";
    print(`sync of ${what}, ${callers} callers: ${perSecond.toFixed(0)} a second`);
  }
}

/**
 * Group commits of one record each, against a loop that does nothing but overwrite a file that is
 * there already, and fdatasync. They take turns, so that a busy disk is busy for both.
 */
async function journalAgainstPlain(): Promise<void> {
  await using made = await temporaryCache({ limitBytes: 4096 * MiB });
  const { store, directory } = made;
  const record = Buffer.alloc(4096, "record");
  const plain = openSync(join(directory, "plain"), "w");
  writeSync(plain, Buffer.alloc(16 * MiB));
  fsyncSync(plain);
  const times = { plain: [] as number[], cache: [] as number[] };
  const timed = async (into: number[], act: () => unknown): Promise<void> => {
    const began = performance.now();
    await act();
    into.push(performance.now() - began);
  };
  let sequence = 0;
  for (let turn = 0; turn < 40; turn++) {
    for (let each = 0; each < 100; each++) {
      const at = ((turn * 100 + each) * record.length) % (16 * MiB);
      await timed(times.plain, () => {
        writeSync(plain, record, 0, record.length, at);
        fdatasyncSync(plain);
      });
    }
    for (let each = 0; each < 100; each++) {
      await timed(times.cache, () => {
        sequence = store.append(record);
        return store.sync();
      });
    }
    if (turn % 10 === 9) await store.commit(Buffer.from("root"), sequence);
  }
  closeSync(plain);
  const [own, bare] = [median(times.cache), median(times.plain)];
  print(`a group commit of 4 KiB: ${own} us; a plain overwrite and fdatasync: ${bare} us`);
  const [many, most] = [perSecond(times.cache), perSecond(times.plain)];
  print(`  ${many} and ${most} a second; medians' ratio ${(bare / own).toFixed(2)}`);
}

function median(times: readonly number[]): number {
  return Math.round((times.toSorted((a, b) => a - b)[times.length >> 1] as number) * 1000);
}

function perSecond(times: readonly number[]): number {
  return Math.round((times.length / times.reduce((sum, each) => sum + each)) * 1000);
}

async function memory(): Promise<void> {
  const count = 200_000;
  await using made = await temporaryCache({ limitBytes: 4096 * MiB });
  const { store } = made;
  const before = heapBytes();
  for (let index = 0; index < count; index++) {
    const bytes = Buffer.from(`block ${index}`);
    await store.put(cidOf(bytes), bytes);
  }
  await store.sync();
  print(`memory of an indexed block: ${((heapBytes() - before) / count).toFixed(0)} bytes`);
  const began = performance.now();
  await made.reopen();
  print(`opening with ${count} blocks: ${(performance.now() - began).toFixed(0)} ms`);
}

/** Five times the limit goes through, a tenth of it is read again and again, all is placed. */
async function churn(): Promise<void> {
  await using made = await temporaryCache({ limitBytes: 64 * MiB });
  const { store } = made;
  const signal = new AbortController().signal;
  const blocks = makeBlocks((320 * MiB) / blockBytes);
  const began = performance.now();
  for (const [index, { cid, bytes }] of blocks.entries()) {
    await store.put(cid, bytes);
    const hot = blocks[index % 24];
    if (hot !== undefined && store.has(hot.cid)) await store.get(hot.cid);
    if (index % 16 !== 15) continue;
    await store.placed(blocks.slice(Math.max(0, index - 47), index - 15).map((each) => each.cid));
    await store.step.step(signal);
  }
  report("put, placed and evicted", 320 * MiB, began);
  const { storedBytes, copiedBytes } = store.report();
  print(`  write amplification ${((storedBytes + copiedBytes) / storedBytes).toFixed(2)}`);
}

function makeBlocks(count: number, lengthBytes = blockBytes) {
  const fill = Buffer.alloc(lengthBytes, "sealed");
  return Array.from({ length: count }, (_, index) => {
    const bytes = Buffer.from(fill);
    bytes.writeUInt32LE(index);
    return { cid: cidOf(bytes), bytes };
  });
}

/** How long one turn of the event loop took at most while the act ran. */
async function longestTurn(act: () => Promise<void>): Promise<number> {
  let worst = 0;
  let last = performance.now();
  let running = true;
  const watch = () => {
    const now = performance.now();
    worst = Math.max(worst, now - last);
    last = now;
    if (running) setImmediate(watch);
  };
  setImmediate(watch);
  await act();
  running = false;
  return worst;
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function report(what: string, bytes: number, began: number): void {
  const seconds = (performance.now() - began) / 1000;
  print(`${what}: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
