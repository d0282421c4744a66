/** What an agent remembers of holders that answer too late, and who is to blame for it. */
import { test } from "tap";
import { Conduct } from "../../src/agent/conduct/conduct.ts";
import { Writer } from "../../src/base/bytes.ts";
import { limits } from "../../src/base/limits.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { MemoryBooks } from "../support/transfer-world.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const slow = loopbackKeys("slow").peer;
const quick = loopbackKeys("quick").peer;
const third = loopbackKeys("third").peer;
const all = [slow, quick, third] as const;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const never = { deadAfterMs: 365 * dayMs };

type Verdict = "right" | "late" | "offline";

/** Every hour of so many days, each of them is asked for a proof. */
async function live(
  conduct: Conduct, clock: VirtualClock, days: number, verdictOf: (peer: string) => Verdict,
): Promise<void> {
  for (let hour = 0; hour < days * 24; hour++) {
    await clock.pass(hourMs);
    for (const peer of all) conduct.saw({ peer, verdict: verdictOf(peer), act: "prove" });
    conduct.look(all, () => true);
  }
  await conduct.save();
}

test("who answers for days and never in time loses its seats, restart or not", async (t) => {
  const [clock, books] = [new VirtualClock(), new MemoryBooks()];
  const conduct = new Conduct({ books, clock }, never);
  await live(conduct, clock, 1, () => "right");
  await live(conduct, clock, 2.9, (peer) => (peer === slow ? "late" : "right"));
  t.notOk(conduct.isUnfit(slow), "not three days yet");
  const again = new Conduct({ books, clock }, never);
  await again.open();
  await live(again, clock, 0.5, (peer) => (peer === slow ? "late" : "right"));
  t.ok(again.isUnfit(slow));
  t.strictSame(again.all().filter(({ isTardy }) => isTardy).map(({ peer }) => peer), [slow]);
  await live(again, clock, 0.1, () => "right");
  t.notOk(again.isUnfit(slow), "one answer in time, and it is forgiven");
});

test("one answer in time a day is enough, and silence is not lateness", async (t) => {
  const clock = new VirtualClock();
  const conduct = new Conduct({ books: new MemoryBooks(), clock }, never);
  let hour = 0;
  await live(conduct, clock, 10, (peer) => {
    if (peer === quick) hour++;
    if (peer === slow) return hour % 24 === 0 ? "right" : "late";
    return peer === third && hour % 24 > 0 ? "offline" : "right";
  });
  t.strictSame(all.filter((peer) => conduct.isUnfit(peer)), []);
});

test("where most are late for days, it is our own line", async (t) => {
  const clock = new VirtualClock();
  const conduct = new Conduct({ books: new MemoryBooks(), clock }, never);
  await live(conduct, clock, 6, (peer) => (peer === quick ? "right" : "late"));
  t.strictSame(all.filter((peer) => conduct.isUnfit(peer)), []);
});

test("a machine that comes back from the dead was late with nothing", async (t) => {
  const clock = new VirtualClock();
  const conduct = new Conduct({ books: new MemoryBooks(), clock }, { deadAfterMs: hourMs });
  for (let day = 0; day < 2 * limits.proofs.latesMax; day++) {
    conduct.saw({ peer: slow, verdict: "offline", act: "prove" });
    conduct.look([], () => true);
    for (let minutes = 0; minutes < 24 * 60; minutes += 5) {
      await clock.pass(5 * 60_000);
      conduct.look([quick], () => true);
    }
    conduct.cameBack(slow);
    conduct.look([], () => true);
  }
  t.equal(conduct.all().find(({ peer }) => peer === slow)?.isTardy, false);
});

test("books of older versions are read", async (t) => {
  for (const version of [1, 2]) {
    const books = new MemoryBooks();
    const writer = new Writer(64).u8(version).varint(5).varint(9).varint(1).varint(9).u8(0);
    if (version === 2) writer.varint(1).varint(70_000);
    await books.put(`h/${slow}`, writer.finish());
    const conduct = new Conduct({ books, clock: new VirtualClock() }, never);
    await conduct.open();
    t.match(conduct.all(), [{ peer: slow, score: { right: 1 }, isTardy: false }]);
  }
});

test("fellows that somebody makes up push out nobody who is asked for proofs", async (t) => {
  const [clock, books] = [new VirtualClock(), new MemoryBooks()];
  const conduct = new Conduct({ books, clock }, never);
  const { historiesMax } = limits.agent;
  conduct.saw({ peer: slow, verdict: "right", act: "prove" });
  for (let made = 0; made < 2 * historiesMax; made++) {
    conduct.saw({ peer: `made up ${made}` as typeof slow, verdict: "offline", act: "prove" });
    if (made % 1024 === 0) conduct.saw({ peer: quick, verdict: "right", act: "prove" });
    if (made % 4096 === 0) await conduct.save();
  }
  await conduct.save();
  t.equal(conduct.all().length, historiesMax);
  t.equal([...books.pairs.keys()].filter((key) => key.startsWith("h/")).length, historiesMax);
  t.equal(conduct.liveness(quick), "alive");
  t.equal(conduct.liveness(slow), "away", "nothing was heard of it since");
});
