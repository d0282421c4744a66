/** What the address book costs a node that has nothing to do: writes, and others' words. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Offer } from "../../src/base/records.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { Book } from "../../src/peers/acquaintance/book.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const self = loopbackKeys("self").peer;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function world() {
  const clock = new VirtualClock();
  const books = new MemoryKeyValue();
  const needs = { clock, books, random: seededRandom(1), log: silentLog };
  const open = () => new Book(needs, { self });
  return { clock, open, book: open() };
}

function offerOf(clock: VirtualClock, name: string, port = 1): Offer {
  const claims = { household: name, country: "CH", addresses: [`/ip4/127.0.0.1/tcp/${port}`] };
  const space = { quotaBytes: 1, freeBytes: 1 };
  return signOffer(loopbackKeys(name), { atMs: clock.now(), ...claims, ...space });
}

test("peers that answer every minute, as they were, are written once an hour", async (t) => {
  const { clock, book } = world();
  const names = ["ann", "ben", "eve"];
  for (const name of names) book.accept(offerOf(clock, name));
  for (const name of names) book.met(loopbackKeys(name).peer);
  t.ok(await book.flush(), "whom it met is written at once");
  let writes = 0;
  for (let minute = 1; minute <= 180; minute++) {
    await clock.pass(minuteMs);
    for (const name of names) {
      if (minute % 10 === 0) book.accept(offerOf(clock, name));
      book.answered(loopbackKeys(name).peer, 1);
    }
    if (await book.flush()) writes++;
  }
  t.ok(writes >= 2 && writes <= 180 * minuteMs / limits.peers.bookEveryMs, `${writes} writes`);
});

test("whoever moved, or is met at last, is written at once", async (t) => {
  const { clock, book, open } = world();
  book.accept(offerOf(clock, "ann"));
  await book.flush();
  await clock.pass(minuteMs);
  book.met(loopbackKeys("ann").peer);
  t.ok(await book.flush(), "met");
  await clock.pass(minuteMs);
  book.accept(offerOf(clock, "ann", 2));
  t.ok(await book.flush(), "moved");
  const again = open();
  await again.load();
  t.strictSame(again.offerOf(loopbackKeys("ann").peer)?.addresses, ["/ip4/127.0.0.1/tcp/2"]);
  t.ok((again.peers()[0]?.lastSeenMs ?? 0) > 0, "and known as met");
});

test("the end writes what waited", async (t) => {
  const { clock, book, open } = world();
  book.accept(offerOf(clock, "ann"));
  book.met(loopbackKeys("ann").peer);
  await book.flush();
  await clock.pass(minuteMs);
  book.met(loopbackKeys("ann").peer);
  t.notOk(await book.flush());
  t.ok(await book.flush({ isEnd: true }));
  const again = open();
  await again.load();
  t.equal(again.peers()[0]?.lastSeenMs, clock.now());
});

test("however many peers are there, a few are asked for offers, all in turn", async (t) => {
  const { clock, book } = world();
  const names = Array.from({ length: 60 }, (_, at) => `peer ${at}`);
  for (const name of names) book.accept(offerOf(clock, name));
  for (const name of names) book.met(loopbackKeys(name).peer);
  const asked = new Set<string>();
  for (let minute = 0; minute < 60; minute++) {
    let count = 0;
    for (let peer = book.dueAsk(); peer !== undefined; peer = book.dueAsk()) {
      asked.add(peer);
      count++;
    }
    const isTime = minute * minuteMs % limits.peers.offerRefreshMs === 0;
    t.equal(count, isTime ? limits.peers.offerAsksMax : 0, `minute ${minute}`);
    await clock.pass(minuteMs);
  }
  t.equal(asked.size, names.length, "within an hour");
  t.ok(hourMs >= names.length / limits.peers.offerAsksMax * limits.peers.offerRefreshMs);
});
