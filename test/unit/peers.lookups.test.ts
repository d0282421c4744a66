/**
 * Lookups among real nodes of which a third lie, and of which a third then die; a slot's offers
 * found by place; and a node that was off for a day, whose friends have moved meanwhile.
 */
import { test } from "tap";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { headKey } from "../../src/peers/dht/dht-records.ts";
import { publishOffer, publishRecord, resolveHead, resolveOffer, searchOffers }
  from "../../src/peers/dht/dht.ts";
import { DhtWorld, type Member, patiently } from "../support/dht-world.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { type TestNode, openTestNode } from "../support/peer-nodes.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

test(`a third of liars, and then a third of dead, hide no head (HIVE_SEED=${seed})`, async (t) => {
  await using world = await DhtWorld.open({ honest: 6, liars: 3, seed });
  const drive = world.drive();
  const [first, second, third] = world.honest as [Member, Member, Member];
  const [old, next] = [world.head(drive, 1), world.head(drive, 2)];
  await patiently(() => publishRecord(first.node, old, undefined));
  await patiently(() => publishRecord(second.node, next, undefined));
  for (const { node } of [third, ...world.honest.slice(5)]) {
    const found = await patiently(() => resolveHead(node, drive.owner, undefined));
    t.equal(found?.sequence, 2, "the liars tell of the old one, and nobody believes that it is new");
  }
  // An honest node takes no stale record, though its signature is right.
  await publishRecord(third.node, old, undefined).catch(() => {});
  t.equal((await resolveHead(first.node, drive.owner, undefined))?.sequence, 2);
  await world.kill(world.honest.slice(0, 3));
  const left = world.honest[1] as Member;
  t.equal((await resolveHead(left.node, drive.owner, undefined))?.sequence, 2, "a third is dead");
});

test("peers of a place are found by their slots, and a peer by its name", async (t) => {
  await using world = await DhtWorld.open({ honest: 6, seed: `${seed}/slots` });
  const places = ["CH", "DE", undefined];
  for (const [at, { node, keys }] of world.members.entries()) {
    const country = places[at % places.length];
    await patiently(() => publishOffer(node, world.offer(keys, country), undefined));
  }
  const from = world.members[4] as Member;
  const found = async (country: string | undefined) => {
    const told = await searchOffers(from.node, world.random, { country, count: 20 });
    return new Set(told.map(({ offer }) => offer.peer));
  };
  const of = (country: number) => world.members.filter((_, at) => at % 3 === country);
  t.strictSame(await found("CH"), new Set(of(0).map(({ keys }) => keys.peer)));
  t.strictSame(await found("DE"), new Set(of(1).map(({ keys }) => keys.peer)));
  t.equal((await found("JP")).size, 0);
  t.equal((await found(undefined)).size, world.members.length);
  const sought = world.members[5] as Member;
  const offer = await resolveOffer(from.node, sought.keys.peer, undefined);
  t.equal(offer?.peer, sought.keys.peer);
  const nobody = world.drive().owner;
  t.equal(await resolveHead(from.node, nobody, undefined), undefined);
  t.ok(headKey(nobody).length > 0);
});

/** Real time, moved on by the test between two steps. */
class MovedClock implements Clock {
  shiftMs = 0;
  now = () => systemClock.now() + this.shiftMs;
  monotonicMs = () => systemClock.monotonicMs() + this.shiftMs;
  nowNs = () => BigInt(this.now()) * 1_000_000n;
  delay = systemClock.delay;
  after = systemClock.after;
}

test("a node that was off for a day finds friends who have moved, by the one who stayed", async (t) => {
  const clock = new MovedClock();
  const { signal } = new AbortController();
  await using stack = new AsyncDisposableStack();
  const stayed = stack.use(await openTestNode({ clock }));
  const movers = [1, 2].map((number) => {
    return { seed: Buffer.alloc(32, `mover ${number}`), books: new MemoryKeyValue() };
  });
  const before: TestNode[] = [];
  for (const mover of movers) before.push(await openTestNode({ ...mover, clock }));
  const own = { seed: Buffer.alloc(32, "sleeper"), books: new MemoryKeyValue(), clock };
  {
    await using sleeper = await openTestNode(own);
    for (const friend of [stayed, ...before]) await sleeper.peers.connect(friend.address);
    while (await sleeper.peers.step.step(signal) === "busy");
    t.equal(sleeper.peers.peers().length, 3);
  }
  const moved: TestNode[] = [];
  for (const [at, mover] of movers.entries()) {
    await before[at]?.[Symbol.asyncDispose]();
    const again = stack.use(await openTestNode({ ...mover, clock }));
    t.not(again.address, before[at]?.address, "at another port");
    await again.peers.connect(stayed.address);
    moved.push(again);
  }
  clock.shiftMs += 24 * 3_600_000;
  // Each in its turn: what is due after the start, they publish.
  clock.shiftMs += 2 * limits.dht.publishAfterMs;
  for (const node of moved) while (await node.peers.step.step(signal) === "busy");

  const awake = stack.use(await openTestNode(own));
  const online = () => awake.peers.peers().filter((peer) => peer.online).length;
  t.equal(awake.peers.peers().length, 3, "its books as of then");
  let steps = 0;
  for (; steps < 60 && online() < 3; steps++) {
    clock.shiftMs += 20_000;
    await awake.peers.step.step(signal);
  }
  t.equal(online(), 3, `after ${steps} steps`);
});
