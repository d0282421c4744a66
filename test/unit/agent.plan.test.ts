/** The agent's decisions without a network: what is due, what to repair first, when to run. */
import { test } from "tap";
import { dueSegments, forgetGone } from "../../src/agent/audits/audit.ts";
import { startLoop } from "../../src/agent/loop.ts";
import { firstSegments, planRepair } from "../../src/agent/mending/plan.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type GroupId, type PeerId, parseGroupId, parseSegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Manifest, erasureClasses } from "../../src/base/records.ts";
import { inSlices } from "../../src/base/slices.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signManifest } from "../../src/crypt/records/records.ts";
import { domainCapOf, mendedFrom, thinFrom } from "../../src/placement/draws/classes.ts";
import type { SegmentState } from "../../src/transfer/books.ts";
import { loopbackKeys } from "../support/loopback-network.ts";

const group = parseGroupId("ab".repeat(16));
const peers = Array.from({ length: 40 }, (_, at) => loopbackKeys(`plan ${at}`).peer);
const [manifest, wide] = [manifestOf("tiny"), manifestOf("standard")];
const everyone = {
  isUnfit: () => false, isFresh: () => false, isOnline: () => true, isBarred: () => false,
  isPatient: true,
};

test("a full segment needs nothing, wherever its rotation puts its shards", (t) => {
  const segments = [0, 1, 5].map((rotation) => stateOf({ rotation }));
  t.strictSame(planRepair({ segments, manifests: [manifest], ...everyone }), {
    replacements: [], mends: [], left: { shards: 0, segments: 0 },
  });
  t.end();
});

test("the segment that can lose the fewest comes first", (t) => {
  const one = stateOf({ name: "1", lost: [2] });
  const three = stateOf({ name: "3", lost: [0, 1, 5] });
  const { mends } = planRepair({ segments: [one, three], manifests: [manifest], ...everyone });
  t.strictSame(mends.map(({ segment, index, spare }) => [segment, index, spare]), [
    [three.segment, 0, 1], [three.segment, 1, 1], [three.segment, 5, 1], [one.segment, 2, 3],
  ]);
  t.end();
});

test("an unfit member loses its seat, and nothing is sent to it or to one who is away", (t) => {
  const [unfit, away] = [peers[1] as PeerId, peers[2] as PeerId];
  const { replacements, mends } = planRepair({
    segments: [stateOf({ lost: [1, 2, 3] })], manifests: [manifest],
    ...everyone, isUnfit: (peer) => peer === unfit, isOnline: (peer) => peer !== away,
  });
  t.strictSame(replacements, [{ group, lost: unfit }]);
  t.strictSame(mends.map(({ index }) => index), [3]);
  t.end();
});

test("a member that the policy does not let have a shard is sent none", (t) => {
  const isBarred = (of: GroupId, peer: PeerId): boolean => of === group && peer === peers[1];
  const segments = [stateOf({ lost: [1, 3] })];
  const { mends } = planRepair({ segments, manifests: [manifest], ...everyone, isBarred });
  t.strictSame(mends.map(({ index }) => index), [3]);
  t.end();
});

test("what cannot be rebuilt now does not stand before what can", (t) => {
  const lost = stateOf({ name: "1", lost: [0, 1, 2, 3, 4] });
  const one = stateOf({ name: "2", lost: [0] });
  const situation = { segments: [lost, one], manifests: [manifest], ...everyone };
  t.strictSame(planRepair(situation).mends.map(({ segment }) => segment), [one.segment]);
  const [away, ...more] = peers;
  const isOnline = (peer: PeerId): boolean => peer === away || peer === more[0];
  const { mends } = planRepair({ ...situation, isOnline });
  t.strictSame(mends, [], "of those who have its shards one is there, and two are needed");
  t.end();
});

test("no seat is given away where fewer than k members are there", (t) => {
  const isUnfit = (peer: PeerId): boolean => peer !== peers[0];
  const { replacements } = planRepair({
    segments: [stateOf({})], manifests: [manifest], ...everyone, isUnfit,
  });
  t.strictSame(replacements, []);
  t.end();
});

test("a wide group waits until r shards are left, and then gives all lost seats away", (t) => {
  const lostOf = (dead: number, isPatient = true): number => {
    const isUnfit = (peer: PeerId): boolean => wide.peers.slice(0, dead).includes(peer);
    const situation = { segments: [stateOf({ of: wide })], manifests: [wide], ...everyone };
    return planRepair({ ...situation, isUnfit, isPatient }).replacements.length;
  };
  const { n, r } = wide.class;
  t.equal(lostOf(n - r - 1), 0);
  t.equal(lostOf(n - r), n - r);
  t.equal(lostOf(1, false), 1, "whoever is not patient waits for nothing");
  t.end();
});

test("whose death is fresh is waited for until few are left, and then for nobody", (t) => {
  const { n, r } = wide.class;
  const planFor = (dead: number, ripe: number, lost: readonly number[] = []) => planRepair({
    segments: [stateOf({ of: wide, lost })], manifests: [wide], ...everyone,
    isUnfit: (peer) => wide.peers.slice(0, dead).includes(peer),
    isFresh: (peer) => wide.peers.slice(ripe, dead).includes(peer),
  });
  const thin = n - thinFrom(wide.class);
  t.ok(thin > n - r, "a third of all may be away");
  t.strictSame(planFor(thin - 1, 0).replacements, [], "nothing is given away for a day");
  t.equal(planFor(thin, 0).replacements.length, thin, "but with one more all of it");
  t.equal(planFor(n - r + 2, n - r).replacements.length, n - r, "the others go as ever");
  t.strictSame(planFor(n - r + 2, n - r - 1).replacements, []);
  const gone = [n - 1, n - 2];
  t.equal(planFor(thin - 2, 0, gone).replacements.length, thin - 2, "a thin segment decides as well");
  t.strictSame(planFor(thin - 2, 0, gone).mends.map(({ index }) => index), gone.toReversed());
  t.strictSame(planFor(thin - 3, 0, gone).mends, []);
  t.end();
});

test("shards that members lost count as well: the thinnest segment decides", (t) => {
  const { n, r } = wide.class;
  const gone = Array.from({ length: n - r - 1 }, (_, at) => at + 1);
  const thin = stateOf({ of: wide, name: "2", lost: gone });
  const segments = [stateOf({ of: wide, name: "1" }), thin];
  const plan = (dead: number) => planRepair({
    segments, manifests: [wide], ...everyone,
    isUnfit: (peer) => wide.peers.slice(0, dead).includes(peer),
  });
  const nothing = { replacements: [], mends: [], left: { shards: 0, segments: 0 } };
  t.strictSame(plan(0), nothing, "one more may go");
  const { replacements, mends } = plan(1);
  t.equal(replacements.length, 1);
  t.strictSame(mends.map(({ index }) => index), gone, "with all that it lacks");
  t.ok(mends.every(({ segment }) => segment === thin.segment));
  t.ok(mends.every(({ spare }) => spare === r - wide.class.k));
  t.end();
});

test("what is put off stands before nothing, and is left to do all the same", (t) => {
  const segments = ["1", "2", "3"].map((name) => stateOf({ name, lost: [0, 2] }));
  const resting = segments[0]?.segment;
  const { mends, left } = planRepair({
    segments, manifests: [manifest], ...everyone, isPutOff: ({ segment }) => segment === resting,
  });
  t.strictSame(left, { shards: 6, segments: 3 });
  t.equal(mends.length, 4);
  t.notOk(mends.some(({ segment }) => segment === resting));
  t.end();
});

test("whoever looks at very many leaves the thread to others in between", async (t) => {
  let [looked, others] = [0, 0];
  const other = (): void => {
    others++;
    if (looked < 1000) setImmediate(other);
  };
  setImmediate(other);
  await inSlices(Array.from({ length: 1000 }), 100, () => looked++);
  t.equal(looked, 1000);
  t.ok(others >= 9, `${others} turns of others`);
});

test("a seat that was given away is filled at once, with all else that the segment lacks", (t) => {
  const newcomer = loopbackKeys("newcomer").peer;
  const next: Manifest = { ...wide, epoch: 2, peers: wide.peers.with(4, newcomer) };
  const segments = [stateOf({ of: wide, lost: [7] })];
  const { mends } = planRepair({ segments, manifests: [next], ...everyone });
  t.strictSame(mends.map(({ index }) => index), [4, 7]);
  t.end();
});

test("small classes wait for nothing, the others until a domain more may still go", (t) => {
  for (const one of erasureClasses) {
    const isPatient = mendedFrom(one) === one.r;
    t.equal(isPatient, one.n >= 24 || one.n === 3, one.name);
    if (!isPatient) t.equal(mendedFrom(one), one.n - 1, one.name);
    t.ok(mendedFrom(one) - domainCapOf(one) >= one.k, one.name);
  }
  t.end();
});

test("one reading does for a segment: a step takes whole segments, the thinnest first", (t) => {
  const [one, two] = [stateOf({ name: "1", lost: [2] }), stateOf({ name: "2", lost: [0, 1, 5] })];
  const { mends } = planRepair({ segments: [one, two], manifests: [manifest], ...everyone });
  const shardsOf = (max: number) => firstSegments(mends, max).map((lacking) => lacking.length);
  t.strictSame([1, 3, 4].map(shardsOf), [[3], [3], [3, 1]]);
  t.end();
});

test("a new epoch moves just the shards of the seat that changed", (t) => {
  const newcomer = loopbackKeys("newcomer").peer;
  const next: Manifest = { ...manifest, epoch: 2, peers: manifest.peers.with(4, newcomer) };
  const segments = [0, 1, 2].map((rotation) => stateOf({ rotation, name: `${rotation}` }));
  const { mends } = planRepair({ segments, manifests: [next], ...everyone });
  t.strictSame(mends.map(({ index }) => index), [4, 3, 2]);
  t.end();
});

test("those proven longest ago are due first, and not before their time", (t) => {
  const segments = [5, 1, 9, 3, 7, 2].map((at) => stateOf({ name: `${at}`, provenAtMs: at }));
  const asked = new Map([[segments[1]!.segment, 8]]);
  const due = dueSegments(segments, asked, { nowMs: 10, intervalMs: 3 });
  t.strictSame(due.map(({ provenAtMs }) => provenAtMs), [2, 3, 5, 7]);
  t.equal(due.length, limits.agent.segmentsPerAudit);
  t.end();
});

test("when segments were asked for is known of those that are there, and of no others", (t) => {
  const segments = [1, 2, 3].map((at) => stateOf({ name: `${at}` }));
  const asked = new Map(segments.map(({ segment }, at) => [segment, at]));
  forgetGone(asked, segments);
  t.equal(asked.size, 3);
  forgetGone(asked, segments.slice(1));
  t.strictSame([...asked.keys()], segments.slice(1).map(({ segment }) => segment));
  t.end();
});

test("the loop never overlaps a step, survives its failures, and stops between steps", async (t) => {
  let [inside, most, runs, failures] = [0, 0, 0, 0];
  const enough = Promise.withResolvers<void>();
  const busy = {
    name: "busy",
    async step(): Promise<"busy" | "idle"> {
      most = Math.max(most, ++inside);
      await systemClock.delay(1);
      inside--;
      if (++runs === 20) enough.resolve();
      return "busy";
    },
  };
  const failing = {
    name: "failing",
    async step(): Promise<"busy" | "idle"> {
      failures++;
      throw new HiveError("Unavailable", "test", "always");
    },
  };
  const hanging = {
    name: "hanging",
    async step(signal: AbortSignal): Promise<"busy" | "idle"> {
      await systemClock.delay(60_000, signal);
      return "idle";
    },
  };
  const loop = startLoop([busy, failing, hanging], { clock: systemClock, log: silentLog });
  await enough.promise;
  await loop.stop();
  const after = runs;
  await systemClock.delay(10);
  t.equal(most, 1);
  t.equal(failures, 1, "a failing step waits before the next try");
  t.equal(runs, after, "nothing runs after stop");
});

test("waking the loop ends its pauses", async (t) => {
  let runs = 0;
  let reached = Promise.withResolvers<void>();
  const idle = {
    name: "idle",
    async step(): Promise<"busy" | "idle"> {
      runs++;
      reached.resolve();
      return "idle";
    },
  };
  const loop = startLoop([idle], { clock: systemClock, log: silentLog });
  await reached.promise;
  const start = systemClock.monotonicMs();
  for (let wake = 0; wake < 10; wake++) {
    reached = Promise.withResolvers<void>();
    await systemClock.delay(0);
    loop.wake();
    await reached.promise;
  }
  await loop.stop();
  t.equal(runs, 11);
  t.ok(systemClock.monotonicMs() - start < 10 * limits.agent.pauseMsMin);
});

function manifestOf(className: string): Manifest {
  const erasureClass = erasureClasses.find(({ name }) => name === className) ?? never();
  return signManifest(driveKeysOf(Buffer.alloc(32, 1)), {
    group, epoch: 1, class: erasureClass, policyHash: "00".repeat(32),
    peers: peers.slice(0, erasureClass.n),
  });
}

function stateOf(options: {
  of?: Manifest; name?: string; rotation?: number; lost?: readonly number[]; provenAtMs?: number;
}): SegmentState {
  const { of = manifest, name = "0", rotation = 0, lost = [], provenAtMs = 0 } = options;
  const { k, n } = of.class;
  const holders = of.peers.map((_, index) => {
    return lost.includes(index) ? undefined : of.peers[(index + rotation) % n];
  });
  const segment = parseSegmentId(name.padStart(64, "0"));
  return { segment, group, k, n, shardBytes: 65_536, rotation, placed: true, holders, provenAtMs };
}

function never(): never {
  throw new Error("no such class");
}
