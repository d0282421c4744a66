/**
 * Uploads that are held back, called off half-way, or killed: they go on where they were, nothing
 * is sent twice, and nobody is thought less of for it.
 */
import { test } from "tap";
import type { Brake } from "../../src/base/brake.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PeerId } from "../../src/base/ids.ts";
import type { Requester, StoreRequest } from "../../src/base/network.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type Transfer, openTransfer } from "../../src/transfer/transfer.ts";
import { faultOf } from "../support/faults.ts";
import { HonestHost } from "../support/honest-host.ts";
import { type World, makeBlocks, makeWorld, missing } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

class TestBrake implements Brake {
  isOn = false;
  readonly why = "the test";
  #control = new AbortController();

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  on(): void {
    this.isOn = true;
    this.#control.abort(new HiveError("Interrupted", "test", "brake"));
  }

  off(): void {
    this.isOn = false;
    this.#control = new AbortController();
  }
}

/** Counts what it is given, and calls before it takes the next one. */
class CountingHost extends HonestHost {
  static given = new Map<string, number>();
  static before: () => void = () => {};

  override async store(
    from: Requester, request: StoreRequest, shard: Uint8Array,
  ): Promise<Uint8Array> {
    CountingHost.before();
    const answer = await super.store(from, request, shard);
    const name = Buffer.concat([request.record, Buffer.from([request.index])]).toString("hex");
    CountingHost.given.set(name, (CountingHost.given.get(name) ?? 0) + 1);
    return answer;
  }
}

function open(world: World, brake: Brake): Promise<Transfer> {
  const needs = { ...world, coder: openCoder(), clock: systemClock, log: silentLog, brake };
  return openTransfer(needs, { settleMs: 0 });
}

/** A drive whose upload is stopped before so many shards have arrived. */
function half(stopAfter: number, stop: () => void) {
  const world = makeWorld(6, seed, (keys) => new CountingHost(keys));
  CountingHost.given = new Map();
  const blocks = makeBlocks(world.random, { count: 120, bytesMax: 250_000 });
  world.source.commit("root", blocks);
  let arrived = 0;
  const stopped = Promise.withResolvers<void>();
  CountingHost.before = () => {
    if (++arrived !== stopAfter) return;
    stop();
    stopped.resolve();
  };
  return { world, blocks, stopped: stopped.promise };
}

/** Long enough that whatever was under way has ended. */
const aWhile = () => new Promise((later) => setTimeout(later, 100));

const sentTwice = () => [...CountingHost.given.values()].filter((count) => count > 1).length;

for (const stopAfter of [1, 8, 29]) {
  test(`held back at shard ${stopAfter}, an upload goes on where it was`, async (t) => {
    const brake = new TestBrake();
    const { world, blocks, stopped } = half(stopAfter, () => brake.on());
    const transfer = await open(world, brake);
    const verdicts = new Map<PeerId, string[]>();
    transfer.health.watch(({ peer, verdict }) => {
      verdicts.set(peer, [...verdicts.get(peer) ?? [], verdict]);
    });
    let flushed = false;
    const flushing = transfer.flush(60_000).then(() => { flushed = true; });
    await stopped;
    await aWhile();
    t.notOk(flushed, "a flush waits for the brake");
    t.equal(await faultOf(transfer.flush(10)), "TimedOut", "and tells who cannot wait");
    t.strictSame(transfer.status().waiting, { for: "traffic", why: "the test" });
    t.notOk(world.source.published, "no head names what is not placed");
    const arrived = CountingHost.given.size;
    t.ok(arrived >= 1 && arrived < 40, `${arrived} shards arrived`);
    brake.off();
    await flushing;
    t.equal(sentTwice(), 0, "nothing was sent twice");
    t.strictSame(await missing(transfer, blocks), []);
    t.strictSame(new Set([...verdicts.values()].flat()), new Set(["right"]), "nobody is blamed");
    const { total, healthy } = transfer.status().segments;
    t.equal(healthy, total);
  });

  test(`killed at shard ${stopAfter}, the next life sends only the rest`, async (t) => {
    const killed = new AbortController();
    const { world, blocks } = half(stopAfter, () => killed.abort(new Error("killed")));
    const before = await open(world, new TestBrake());
    await t.rejects(before.uploader.step(killed.signal));
    CountingHost.before = () => {};
    const after = await open(world, new TestBrake());
    await after.flush(60_000);
    t.equal(sentTwice(), 0, "nothing was sent twice");
    t.strictSame(await missing(after, blocks), []);
  });
}

test("who has it no more, or shows other bytes, is sent it again", async (t) => {
  const brake = new TestBrake();
  const { world, blocks, stopped } = half(5, () => brake.on());
  const transfer = await open(world, brake);
  const flushing = transfer.flush(60_000);
  await stopped;
  await aWhile();
  const hosts = [...world.network.members.values()].map(({ host }) => host as HonestHost);
  const kept = hosts.filter(({ shards }) => shards.size > 0);
  t.ok(kept.length >= 2, `${kept.length} have some`);
  for (const [at, { shards }] of kept.entries()) {
    if (at === 0) shards.clear();
    else for (const bytes of shards.values()) bytes.fill(0);
  }
  brake.off();
  await flushing;
  t.ok(sentTwice() >= kept.length, `${sentTwice()} were sent again`);
  t.strictSame(await missing(transfer, blocks), []);
  const { total } = transfer.status().segments;
  t.strictSame(hosts.map(({ shards }) => shards.size), Array(6).fill(total));
});
