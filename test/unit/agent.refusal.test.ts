/** When a policy that refuses is past all hope, and what the tree is told of it. */
import { test } from "tap";
import { Refusal, type Refusals } from "../../src/agent/policy/refusal.ts";
import { policyReportOf } from "../../src/agent/telling/explain.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { nowMs, randomFacts } from "../support/policies.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** Six in Germany, all of them offline, full, and not heard of for a year. */
const known: readonly KnownPeer[] = Array.from({ length: 6 }, (_, at) => {
  const told = { household: `house ${at}`, country: "DE", freeBytes: 0, atMs: nowMs - 366 * 86400e3 };
  const { offer } = randomFacts(seededRandom("refusal"), at, told);
  return { offer, online: false, roundTripMs: undefined, lastSeenMs: nowMs };
});

function hopeless(clauses: string): string | null {
  const asked = { text: `policy p { protect class tiny; ${clauses} }`, peer: null };
  return policyReportOf(asked, { known, groups: [], nowMs }).hopeless;
}

test("whom one may wait for is hope; whom a clause bars for good is none", (t) => {
  t.equal(hopeless("require country in DE;"), null, "offline, full and old offers come back");
  t.equal(hopeless("require rtt(me) <= 1 ms;"), null, "a round trip is not known yet");
  t.equal(hopeless("forbid rtt(me) <= 1000 ms;"), null);
  t.equal(hopeless("require country in FR;"),
    "6 are known, 0 after require country in [FR]; 6 are needed");
  t.equal(hopeless("spread at least 2 country;"), "1 of 2 by spread at least 2 country");
  t.equal(hopeless("evidence location >= rtt; require country in DE;"),
    "6 are known, 0 after require country in [DE]; 6 are needed");
  t.end();
});

test("nothing is refused before it was hopeless for a while, and hope ends it at once", async (t) => {
  const clock = new VirtualClock();
  const { refusalLookMs, refusalPatienceMs } = limits.agent;
  const told: Refusals[] = [];
  let found: Refusals = new Map([["eu", "6 of 12"]]);
  const step = new Refusal({
    clock, log: silentLog, judge: async () => found, refuse: (names) => void told.push(names),
  });
  const look = async (): Promise<readonly string[]> => {
    await step.step();
    await clock.pass(refusalLookMs);
    return [...step.refused.keys()];
  };
  const looks = Math.ceil(refusalPatienceMs / refusalLookMs);
  for (let at = 0; at < looks; at++) t.strictSame(await look(), [], "peers may still arrive");
  t.strictSame(await look(), ["eu"]);
  t.equal(told.at(-1)?.get("eu"), "6 of 12");
  found = new Map();
  t.strictSame(await look(), []);
  t.equal(told.at(-1)?.size, 0);
  found = new Map([["eu", "6 of 12"]]);
  t.strictSame(await look(), [], "and then it begins anew");
  t.end();
});
