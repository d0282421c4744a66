/**
 * Writes, syncs, commits, uploads and discards without end, until somebody kills it. It says on
 * stdout what it was promised, before it goes on: `synced N`, `placing ID ...`.
 *
 * Run: node cache-crash-child.ts DIRECTORY SEED FIRST-BLOCK-ID
 */
import { writeSync } from "node:fs";
import { MiB } from "../../src/base/bytes.ts";
import type { Cid } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { apply, blockOf, encodeRecord, encodeRoot, readModel, slotOf } from "./cache-model.ts";
import { openIn } from "./temporary-cache.ts";

const [directory = "", seed = "", first = "1"] = process.argv.slice(2);
const random = seededRandom(`child/${seed}`);
let nextId = Number(first);
const cache = await openIn(directory, { limitBytes: 6 * MiB, fullWaitMs: 100_000 });
const model = await readModel(cache);
const idOf = new Map<Cid, number>();
for (const id of model.live) idOf.set(blockOf(id).cid, id);
say("ready");
await Promise.all([write(1), write(2), write(3), commitOften(), uploadOften(), clean()]);

async function write(_lane: number): Promise<void> {
  while (true) {
    const put: number[] = [];
    for (let count = random.below(4); count >= 0; count--) put.push(await putOne());
    await logAndDrop(cache, put);
    if (random.below(3) > 0) continue;
    const { number } = model;
    await cache.sync();
    say(`synced ${number}`);
  }
}

async function putOne(): Promise<number> {
  const id = nextId++;
  const { cid, bytes } = blockOf(id);
  idOf.set(cid, id);
  await cache.put(cid, bytes, { slot: slotOf(id) });
  return id;
}

async function logAndDrop(store: Cache, put: readonly number[]): Promise<void> {
  const excess = Math.max(0, model.live.size - 60);
  const drop = [...model.live].slice(0, random.below(2) === 0 ? excess : Math.min(2, excess));
  const record = { number: model.number + 1, put, drop };
  apply(model, record);
  store.append(encodeRecord(record));
  for (const id of drop) store.discard(blockOf(id).cid);
}

async function commitOften(): Promise<void> {
  while (true) {
    for (let count = random.below(6); count >= 0; count--) await cache.sync();
    const { number } = model;
    // The sequence of a record is its number: both begin at 1 and grow by one.
    await cache.commit(encodeRoot(model), number);
    say(`synced ${number}`);
    await turn();
  }
}

async function uploadOften(): Promise<void> {
  while (true) {
    await turn();
    const round = await cache.beginRound();
    if (round === undefined) continue;
    for (const { cid, slot = 0 } of round.blocks) {
      // What an earlier life put and nobody was promised is not in the model.
      const id = idOf.get(cid);
      if (id !== undefined && slot !== slotOf(id)) throw new Error("another slot");
      const bytes = await cache.read(cid);
      if (bytes.length === 0) throw new Error("an empty block");
      if (random.below(3) > 0) continue;
      say(`placing ${idOf.get(cid)}`);
      await cache.placed([cid]);
    }
    const rest = round.blocks.map(({ cid }) => cid);
    say(`placing ${rest.map((cid) => idOf.get(cid)).join(" ")}`);
    await cache.placed(rest);
    await cache.endRound(round.root);
  }
}

async function clean(): Promise<void> {
  const signal = new AbortController().signal;
  while (true) {
    await cache.step.step(signal);
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
