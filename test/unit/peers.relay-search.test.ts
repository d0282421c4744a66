/** A search for relays where nobody is one costs a few questions, not a processor. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { RelaySearch } from "../../src/peers/libp2p/relay-search.ts";
import { openBareNode } from "../support/bare-node.ts";

const hourMs = 3_600_000;

/** A clock on which time passes only while somebody waits. */
function waitingClock() {
  const clock = {
    ...systemClock,
    nowMs: 0,
    monotonicMs: () => clock.nowMs,
    delay: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      clock.nowMs += ms;
    },
  };
  return clock;
}

test("an hour's search where nobody is a relay asks a dozen times", async (t) => {
  await using one = await openBareNode();
  await using other = await openBareNode();
  await one.node.dial(other.node.getMultiaddrs());
  const clock = waitingClock();
  const over = new AbortController();
  const pauses: number[] = [];
  const delay = async (ms: number, signal?: AbortSignal): Promise<void> => {
    pauses.push(ms);
    await clock.delay(ms, signal);
    if (clock.nowMs >= hourMs) over.abort(new Error("over"));
  };
  const needs = { clock: { ...clock, delay }, random: seededRandom(1) };
  const search = new RelaySearch(needs, () => one.node.peerRouting);
  const found = new Set<string>();
  const walk = async (): Promise<void> => {
    for await (const { id } of search.walk({ signal: over.signal })) found.add(id.toString());
  };
  await t.rejects(walk());
  t.strictSame([...found], [other.keys.peer], "who is found is told");
  t.ok(pauses.length >= 8 && pauses.length < 20, `${pauses.length} questions`);
  t.equal(pauses[0], limits.relay.searchPauseMsMin, "the first pause is short");
});
