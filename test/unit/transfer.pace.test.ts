/** Who is slow, how long to wait, what impatience may cost: decided with no network at all. */
import { test } from "tap";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { gather } from "../../src/transfer/reads/gather.ts";
import { HedgeBudget, Pace } from "../../src/transfer/reads/pace.ts";

const peers = ["a", "b", "c", "d", "e", "f", "g", "h"] as unknown as readonly PeerId[];
const [first, second] = peers as readonly [PeerId, PeerId];
const chunkBytes = 256 * KiB;

/** Its timers keep the process alive: nothing else here would. */
const wakeful: Clock = {
  ...systemClock,
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

function makePace(): { pace: Pace; pass: (ms: number) => void } {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  return { pace: new Pace({ clock }), pass: (ms) => { nowMs += ms; } };
}

test("half of the holders ten times slower are slow, the others are not", (t) => {
  const { pace } = makePace();
  for (const [at, peer] of peers.entries()) pace.took(peer, chunkBytes, at % 2 === 0 ? 50 : 500);
  const slow = peers.filter((peer) => pace.isSlow(peer, peers, chunkBytes));
  t.strictSame(slow, peers.filter((_, at) => at % 2 === 1));
  t.end();
});

test("all equally slow are nobody's slow ones", (t) => {
  const { pace } = makePace();
  for (const peer of peers) pace.took(peer, chunkBytes, 900);
  t.strictSame(peers.filter((peer) => pace.isSlow(peer, peers, chunkBytes)), []);
  t.end();
});

test("who was slow with chunks is slow for shards, until shards say otherwise", (t) => {
  const { pace } = makePace();
  for (const peer of peers) pace.took(peer, chunkBytes, peer === first ? 500 : 50);
  t.ok(pace.isSlow(first, peers, MiB));
  for (const peer of peers) pace.took(peer, MiB, 200);
  t.notOk(pace.isSlow(first, peers, MiB));
  t.end();
});

test("what was long ago counts no more: who was slow is asked again", (t) => {
  const { pace, pass } = makePace();
  for (const peer of peers) pace.took(peer, chunkBytes, peer === first ? 500 : 50);
  t.ok(pace.isSlow(first, peers, chunkBytes));
  pass(limits.transfer.paceAgeMsMax + 1);
  t.notOk(pace.isSlow(first, peers, chunkBytes));
  t.equal(pace.usualMs(first, chunkBytes), undefined);
  t.end();
});

test("a holder is waited for as long as it usually takes, within what its fellows need", (t) => {
  const { pace } = makePace();
  const { hedgeMsMin, hedgeMsMax, hedgeFactor } = limits.transfer;
  t.equal(pace.patienceMs(first, peers, chunkBytes), hedgeMsMax, "nothing is known");
  for (const peer of peers) pace.took(peer, chunkBytes, 100);
  t.equal(pace.patienceMs(second, peers, chunkBytes), 100 * hedgeFactor * 2 / 3);
  for (let times = 0; times < 20; times++) pace.took(first, chunkBytes, 250);
  t.equal(pace.patienceMs(first, peers, chunkBytes), 250, "its own");
  for (let times = 0; times < 20; times++) pace.took(first, chunkBytes, 5_000);
  t.equal(pace.patienceMs(first, peers, chunkBytes), 100 * hedgeFactor, "not much more");
  for (const peer of peers) for (let n = 0; n < 20; n++) pace.took(peer, chunkBytes, 1);
  t.equal(pace.patienceMs(first, peers, chunkBytes), hedgeMsMin, "a hiccup is nobody's fault");
  t.end();
});

test("impatience costs at most a burst and a share of what was read", (t) => {
  const { hedgeBytesMax, hedgeShare } = limits.transfer;
  const budget = new HedgeBudget();
  let spentBytes = 0;
  const spendAll = (): void => { while (budget.spend(chunkBytes)) spentBytes += chunkBytes; };
  spendAll();
  t.equal(spentBytes, hedgeBytesMax);
  for (let n = 0; n < 400; n++) budget.earn(chunkBytes / 4);
  spendAll();
  t.equal(spentBytes, hedgeBytesMax + 100 * chunkBytes * hedgeShare);
  for (let n = 0; n < 10_000; n++) budget.earn(MiB);
  spentBytes = 0;
  spendAll();
  t.equal(spentBytes, hedgeBytesMax, "what is not spent is not saved up");
  t.end();
});

test("a dawdler has another asked in its stead, once, and is called off in the end", async (t) => {
  const asked: string[] = [];
  let calledOff = "";
  const read = (source: string, signal: AbortSignal, begun: () => void): Promise<string> => {
    asked.push(source);
    begun();
    if (source !== "dawdler") return Promise.resolve(source);
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => {
      calledOff = source;
      reject(signal.reason);
    }));
  };
  let allowed = 1;
  const found: string[] = [];
  const pieces = await gather(wakeful, {
    sources: ["dawdler", "b", "c", "d"], needed: 2, hedge: 0, patienceMs: 60_000,
    impatience: { afterMs: () => 1, mayAsk: () => allowed-- > 0 },
    found: (source) => { found.push(source); },
    signal: new AbortController().signal,
  }, read);
  t.strictSame([...pieces.keys()], ["b", "c"]);
  t.strictSame([asked, found, calledOff], [["dawdler", "b", "c"], ["b", "c"], "dawdler"]);
});

test("who waits for its turn on our own line is neither late nor replaced", async (t) => {
  const asked: string[] = [];
  const late: string[] = [];
  const read = async (
    source: string, signal: AbortSignal, begun: () => void,
  ): Promise<string> => {
    asked.push(source);
    await wakeful.delay(120, signal);
    begun();
    if (source === "slow") await wakeful.delay(60_000, signal);
    return source;
  };
  const pieces = await gather(wakeful, {
    sources: ["a", "slow", "c"], needed: 2, hedge: 0, patienceMs: 40,
    late: (source) => { late.push(source); },
    impatience: { afterMs: () => 1_000, mayAsk: () => true },
    signal: new AbortController().signal,
  }, read);
  t.strictSame([...pieces.keys()], ["a", "c"]);
  t.strictSame([asked, late], [["a", "slow", "c"], ["slow"]], "once its time had begun it was");
});

test("who fails is replaced though impatience may cost nothing", async (t) => {
  const read = async (source: string): Promise<string> => {
    if (source.startsWith("bad")) throw new HiveError("Unavailable", "test.read", source);
    return source;
  };
  const pieces = await gather(wakeful, {
    sources: ["bad 1", "bad 2", "b", "bad 3", "c"], needed: 2, hedge: 0, patienceMs: 60_000,
    impatience: { afterMs: () => 1, mayAsk: () => false },
    signal: new AbortController().signal,
  }, read);
  t.strictSame([...pieces.keys()].sort(), ["b", "c"]);
});
