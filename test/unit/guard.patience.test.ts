/** When members give seats of the dead away: as few times as it takes, and while they still can. */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { type Standing, extend, quorumOf, seatsOf } from "../../src/guard/log.ts";
import { givenFrom, hastyFrom, isDue, seatToGive } from "../../src/guard/propose.ts";
import { domainCapOf, mendedFrom } from "../../src/placement/draws/classes.ts";
import { TestGroup, nowMs } from "../support/guard-group.ts";

const { leaseMs, givingLeases } = limits.guard;
const when = { nowMs, leaseMs, isFresh: () => false };
const group = new TestGroup("patience", "home");
const { n } = group.standing.manifest.class;
const waiting = n - givenFrom(group.standing.manifest.class) - 1;

test("one seat after another goes once several are lost, and none before", (t) => {
  t.equal(giveAll(group.standing, waiting).log.length, 0, `${waiting} dead of ${n} are waited for`);
  const given = giveAll(group.standing, waiting + 1);
  t.equal(given.log.length, waiting + 1, "with one more all of them go, each by an entry of its own");
  t.equal(isDue(given, { ...when, isDead: () => false }), false);
  t.end();
});

test("what a leader left half done goes on, and what comes long after waits again", (t) => {
  const dead = deadOf(group.standing, waiting + 1);
  const begun = giveAll(group.standing, waiting + 1, 2);
  const sight = { isDead: (peer: PeerId) => dead.has(peer) };
  t.ok(isDue(begun, { ...sight, ...when }), "too many live to begin, but it has begun");
  const laterMs = nowMs + (givingLeases + 1) * leaseMs;
  t.notOk(isDue(begun, { ...sight, ...when, nowMs: laterMs }));
  const oneMore = seatsOf(begun).filter((peer) => !dead.has(peer)).slice(0, 2);
  const isDead = (peer: PeerId): boolean => dead.has(peer) || oneMore.includes(peer);
  t.ok(isDue(begun, { ...when, isDead, nowMs: laterMs }), "until as many are lost as the first time");
  t.end();
});

test("a fresh death is waited for while a majority and some more are left", (t) => {
  const erasureClass = group.standing.manifest.class;
  const from = hastyFrom(erasureClass);
  t.ok(from < givenFrom(erasureClass) && from >= quorumOf(n) + limits.placement.spareShardsMin);
  const sightOf = (dead: number, ripe: number) => {
    const [gone, old] = [deadOf(group.standing, dead), deadOf(group.standing, ripe)];
    const isFresh = (peer: PeerId): boolean => gone.has(peer) && !old.has(peer);
    return { ...when, isFresh, isDead: (peer: PeerId) => gone.has(peer) };
  };
  t.notOk(isDue(group.standing, sightOf(n - from - 1, 0)));
  t.ok(isDue(group.standing, sightOf(n - from, 0)), "with one more they are few");
  t.ok(isDue(group.standing, sightOf(n - from - 1, waiting + 1)), "the others are enough to begin");
  const [who] = [...deadOf(group.standing, 1)];
  const seat = seatToGive(group.standing, {
    ...sightOf(n - from - 1, waiting + 1), isFresh: (peer) => peer === who,
    isLeaving: () => false, isOnline: () => true,
  });
  t.not(seatsOf(group.standing)[seat as number], who, "and they go first");
  t.end();
});

test("a majority outlives what a segment has to outlive", (t) => {
  for (const one of erasureClasses) {
    const from = givenFrom(one);
    const name = `${one.name}: from ${from} of ${one.n}`;
    t.ok(from >= mendedFrom(one) && from < one.n, name);
    const isSmall = mendedFrom(one) === one.n - 1;
    t.ok(isSmall || from - domainCapOf(one) >= quorumOf(one.n), `${name}, ${quorumOf(one.n)} vote`);
  }
  t.end();
});

test("who leaves waits for nobody, and begins nothing for the dead", (t) => {
  const { standing } = group;
  const dead = deadOf(standing, waiting);
  const leaver = standing.manifest.peers[n - 1] as PeerId;
  const sight = {
    ...when, isDead: (peer: PeerId) => dead.has(peer), isLeaving: (peer: PeerId) => peer === leaver,
    isOnline: () => true,
  };
  t.equal(seatToGive(standing, sight), n - 1);
  const peer = group.others[0]?.peer as PeerId;
  const entry = group.entry(standing, { seat: n - 1, peer, term: 9, why: "leaving" });
  const next = extend(standing, group.accepted(standing, entry, 9));
  t.equal(seatToGive(next, sight), undefined);
  t.end();
});

/** The first of them, dead; what the log is when their fellows have given what they give. */
function giveAll(first: Standing, count: number, entriesMax = Infinity): Standing {
  const dead = deadOf(first, count);
  const isDead = (peer: PeerId): boolean => dead.has(peer);
  let standing = first;
  while (standing.log.length < entriesMax) {
    const sight = { ...when, isDead, isLeaving: () => false, isOnline: () => true };
    const seat = seatToGive(standing, sight);
    const peer = group.others.find((one) => !seatsOf(standing).includes(one.peer))?.peer;
    if (seat === undefined || peer === undefined) break;
    const entry = group.entry(standing, { seat, peer, term: 9 });
    standing = extend(standing, group.accepted(standing, entry, 9));
  }
  return standing;
}

function deadOf({ manifest }: Standing, count: number): ReadonlySet<PeerId> {
  return new Set(manifest.peers.slice(0, count));
}
