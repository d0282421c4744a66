/** Clocks that are set, or days off: nobody loses a seat by that, and nobody keeps one that he left. */
import { test } from "tap";
import { openAgent } from "../../src/agent/agent.ts";
import { Conduct } from "../../src/agent/conduct/conduct.ts";
import { parseGroupId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { Notices } from "../../src/guard/notices.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { policyOf } from "../support/policies.ts";
import { MemoryBooks, ShiftedClock, makeBlocks, makeWorld, openWorld }
  from "../support/transfer-world.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const { signal } = new AbortController();
const dayMs = 24 * 3_600_000;
const [peer, other] = [loopbackKeys("one").peer, loopbackKeys("other").peer];

/** Of which the wall time is set by hand. */
class SetClock extends VirtualClock {
  setMs = 0;

  override now(): number {
    return super.now() + this.setMs;
  }
}

test("who answers just after the clock was set back is not silent since long before", async (t) => {
  const clock = new SetClock();
  const conduct = new Conduct({ books: new MemoryBooks(), clock }, { deadAfterMs: 10 * dayMs });
  const look = (): void => conduct.look([peer, other], () => true);
  for (const each of [peer, other]) conduct.saw({ peer: each, verdict: "right", act: "prove" });
  look();
  clock.setMs -= 20 * dayMs;
  conduct.saw({ peer, verdict: "right", act: "prove" });
  await clock.pass(60_000);
  look();
  for (const each of [peer, other]) conduct.saw({ peer: each, verdict: "offline", act: "prove" });
  look();
  t.strictSame([peer, other].map((each) => conduct.liveness(each)), ["away", "away"]);
});

test("a clock that is put right after a start makes no doubt old", async (t) => {
  const world = makeWorld(9, "doubts");
  const clock = new ShiftedClock();
  const policy = policyOf("protect class tiny; require rtt(me) <= 30 ms;");
  const transfer = await openWorld(world, { clock, policy });
  const needs = { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog };
  const agent = await openAgent(needs, { auditIntervalMs: dayMs });
  world.source.commit("root", makeBlocks(world.random, { count: 2, bytesMax: 1_000 }));
  await transfer.flush(20_000);
  const [manifest] = transfer.health.groups();
  const peers = world.network.peers.bind(world.network);
  const members = manifest?.peers.slice(0, 2) ?? [];
  // Of these nothing is measured yet.
  world.network.peers = () => peers().map((known) => {
    return members.includes(known.offer.peer) ? { ...known, roundTripMs: undefined } : known;
  });
  const step = agent.steps.find(({ name }) => name === "policy");
  await step?.step(signal);
  clock.shiftMs += dayMs;
  await step?.step(signal);
  t.strictSame(transfer.health.groups(), [manifest]);
});

test("a notice is heard whatever the giver's clock says, and ours may be set", (t) => {
  let nowMs = Date.UTC(2026, 0, 1);
  const notices = new Notices(() => nowMs);
  const group = parseGroupId("ef".repeat(16));
  const behindMs = Date.UTC(2020, 0, 1) + limits.leave.noticeHoldsMs;
  notices.hear(peer, { untilMs: behindMs, groups: undefined });
  nowMs += limits.leave.noticeEveryMs;
  t.ok(notices.has(peer, group));
  nowMs += limits.leave.noticeHoldsMs;
  t.notOk(notices.has(peer, group), "and holds no longer than it is told");
  t.end();
});
