/** The cache is killed at random moments, again and again, and must have kept its word. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { type Model, blockOf, encodeRoot, readModel, slotOf } from "../support/cache-model.ts";
import { openIn } from "../support/temporary-cache.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const lives = Number(process.env["HIVE_LIVES"] ?? "4");
const killsEach = 5;
const child = fileURLToPath(new URL("../support/cache-crash-child.ts", import.meta.url));

interface Promises {
  /** Number of the newest record that a sync covered. */
  synced: number;
  /** Blocks that may be clean, and so may be gone. */
  readonly placed: Set<number>;
}

for (let life = 1; life <= lives; life++) {
  test(`what was synced survives ${killsEach} kills (life ${life})`, async (t) => {
    const random = seededRandom(`${seed}/${life}`);
    const replay = `replay: HIVE_SEED=${seed} HIVE_LIVES=${lives} node ${process.argv[1]}`;
    const directory = await mkdtemp(join(tmpdir(), "hive-cache-crash-"));
    const promises: Promises = { synced: 0, placed: new Set() };
    try {
      for (let kill = 0; kill < killsEach; kill++) {
        const before = promises.synced;
        await liveAndDie(directory, { random, promises, run: `${seed}/${life}/${kill}` }, kill);
        t.ok(promises.synced > before, "it got something done");
        const isLast = kill === killsEach - 1;
        t.strictSame(await broken(directory, promises, { isLast }), [], replay);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}

async function liveAndDie(
  directory: string,
  life: { random: Random; promises: Promises; run: string },
  kill: number,
): Promise<void> {
  const args = [child, directory, life.run, String(1 + kill * 1_000_000)];
  const running = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise((resolve) => running.once("exit", resolve));
  const delayMs = 20 + life.random.below(400);
  await listen(running, life.promises, async (firstSync) => {
    // On a busy machine nothing may be promised yet, and a kill would prove nothing.
    await Promise.all([systemClock.delay(delayMs), firstSync]);
    running.kill("SIGKILL");
  });
  await exited;
}

async function listen(
  running: ChildProcess,
  promises: Promises,
  onReady: (firstSync: Promise<void>) => Promise<void>,
): Promise<void> {
  if (running.stdout === null) throw new Error("no stdout");
  const before = promises.synced;
  const firstSync = Promise.withResolvers<void>();
  for await (const line of createInterface({ input: running.stdout })) {
    const [word, ...numbers] = line.split(" ");
    if (word === "ready") void onReady(firstSync.promise);
    if (word === "synced") promises.synced = Math.max(promises.synced, Number(numbers[0]));
    if (promises.synced > before) firstSync.resolve();
    if (word === "placing") for (const id of numbers) promises.placed.add(Number(id));
  }
}

/** What the cache did not keep of its promises. */
async function broken(
  directory: string, promises: Promises, { isLast }: { readonly isLast: boolean },
): Promise<string[]> {
  await using cache = await openIn(directory, { limitBytes: 6 * MiB });
  const wrong: string[] = [];
  const model = await readModel(cache);
  if (model.number < promises.synced) wrong.push(`record ${model.number} of ${promises.synced}`);
  for (const id of model.live) {
    const { cid, bytes } = blockOf(id);
    if (!cache.has(cid)) {
      if (!promises.placed.has(id)) wrong.push(`block ${id} is gone`);
      continue;
    }
    if (!bytes.equals(await cache.get(cid))) wrong.push(`block ${id} is another`);
  }
  const { corruptBlocks, lostBlocks, corruptRecords, cutOffRecords, mending } = cache.report();
  const counts = { corruptBlocks, lostBlocks, corruptRecords, cutOffRecords };
  for (const [name, count] of Object.entries(counts)) if (count > 0) wrong.push(`${name} ${count}`);
  if (mending !== "none") wrong.push(mending);
  // Before that it would take what the next life has to recover.
  if (isLast) await cache.commit(encodeRoot(model), model.number);
  return [...wrong, ...await strangers(cache, model)];
}

/** Blocks that would go up under another policy than they were put under. */
async function strangers(cache: Cache, model: Model): Promise<string[]> {
  const slots = new Map([...model.live].map((id) => [blockOf(id).cid, slotOf(id)]));
  const round = await cache.beginRound();
  const wrong = (round?.blocks ?? []).filter(({ cid, slot = 0 }) => {
    return slot !== (slots.get(cid) ?? slot);
  });
  return wrong.map(({ cid, slot }) => `block ${cid} has slot ${slot}`);
}
