/** What a member votes for, and what a log is: by really signed records, some of them lies. */
import { type Test, test } from "tap";
import { type Kind, isFault } from "../../src/base/errors.ts";
import type { Pledge } from "../../src/base/guard.ts";
import { parseGroupId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { signReplacement, signVote } from "../../src/crypt/records/guard-records.ts";
import { bestFor, isRightful, substituteFor } from "../../src/guard/draw.ts";
import { extend, forkOf, mayKeep, perjurersOf, quorumOf, seatsOf, standingOf }
  from "../../src/guard/log.ts";
import { baseOf } from "../../src/guard/log.ts";
import { decodeWord, encodeWord } from "../../src/guard/messages.ts";
import { Notices } from "../../src/guard/notices.ts";
import { acceptedBy, choose, draft, seatToGive } from "../../src/guard/propose.ts";
import { bindingOf, freshBallot, never, newcomersBallot, pledged, voted }
  from "../../src/guard/voter.ts";
import type { Proposal, Voter } from "../../src/guard/voter.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { TestGroup, nowMs } from "../support/guard-group.ts";

const group = new TestGroup("1");
const { standing, members } = group;
const base = baseOf(standing.manifest);
const term = 40;
const dead = 0;
const pot = {
  standing, policy: defaultPolicy, nowMs, known: group.known(), told: [], owners: new Set<never>(),
};
const named = { ...pot, told: bestFor(pot, dead) };
const drawn = substituteFor(named, dead) ?? members[0]!.peer;
const entry = group.entry(standing, { seat: dead, peer: drawn, term });
const voter: Voter = { self: members[3]!.peer, standing, ballot: freshBallot(base), termNow: term };
const leader = group.leader(standing, term).peer;
const proposal: Proposal = {
  from: leader, base, position: 0, term, entry, pledges: group.pledges(standing, term),
};
const when = { nowMs, leaseMs: limits.guard.leaseMs, isFresh: () => false };
const judgement = {
  isDead: (peer: string) => peer === members[dead]!.peer,
  isLeaving: () => false,
  isRightful: (one: typeof entry, how: { readonly isBound: boolean }) => isRightful(named, one, how),
};

test("a right proposal is voted for, again and again, and no other in its term", (t) => {
  const ballot = voted(voter, proposal, judgement);
  t.match(ballot, { base, position: 0, pledged: term, voted: { term, entry } });
  t.strictSame(voted({ ...voter, ballot }, proposal, judgement), ballot);
  const other = { ...proposal, entry: group.entry(standing, { seat: 1, peer: drawn, term }) };
  refused(t, "another seat", () => voted({ ...voter, ballot }, other, judgement), "Denied");
  t.end();
});

test("a leader that lies gets no vote", (t) => {
  const lies: readonly (readonly [string, Partial<Proposal>, Kind])[] = [
    ["of a living peer", {
      entry: group.entry(standing, { seat: 1, peer: drawn, term }),
    }, "Denied"],
    ["of a friend's seat", {
      entry: group.entry(standing, { seat: dead, peer: otherThan(drawn), term }),
    }, "Denied"],
    ["of a member", {
      entry: group.entry(standing, { seat: dead, peer: members[1]!.peer, term }),
    }, "Invalid"],
    ["not its own term", { term: otherTerm(), pledges: [] }, "Denied"],
    ["a later time", { term: 400, from: group.leader(standing, 400).peer }, "Denied"],
    ["too few pledges", { pledges: proposal.pledges.slice(1) }, "Invalid"],
    ["one pledge for many", { pledges: proposal.pledges.map(() => proposal.pledges[0]!) }, "Invalid"],
    ["pledges of another term", { pledges: group.pledges(standing, term - 1) }, "Invalid"],
    ["another's entry", {
      entry: signReplacement(members.find(({ peer }) => peer !== leader)!, draft(standing, {
        seat: dead, peer: drawn, why: "dead", atMs: nowMs,
      })),
    }, "Invalid"],
    ["another manifest", { base: "00".repeat(32) as typeof base }, "Stale"],
    ["another position", { position: 1 }, "Stale"],
  ];
  for (const [name, lie, kind] of lies) {
    refused(t, name, () => voted(voter, { ...proposal, ...lie }, judgement), kind);
  }
  const outside = { ...voter, self: group.others[0]!.peer };
  refused(t, "a stranger has no vote", () => voted(outside, proposal, judgement), "Denied");
  t.end();
});

test("a pledge binds: no older term, and the same answer for the same one", (t) => {
  const ballot = pledged(voter, proposal);
  t.strictSame(pledged({ ...voter, ballot }, proposal), ballot);
  const older = term - 1;
  const call = { from: group.leader(standing, older).peer, base, position: 0, term: older };
  refused(t, "older", () => pledged({ ...voter, ballot }, call), "Stale");
  t.equal(pledged(voter, call).pledged, older, "without it the older one is as good");
  t.end();
});

test("what may have been accepted binds whoever comes after", (t) => {
  const voteOf = (count: number) => (at: number) => {
    return at < count ? { term: 7, entry: entry.id } : undefined;
  };
  const seats = members.length;
  const some = group.pledges(standing, term, voteOf(2));
  t.strictSame(bindingOf(some, seats), { state: "bound", entry: entry.id });
  t.strictSame(bindingOf(group.pledges(standing, term, voteOf(1)), seats), { state: "free" },
    "one vote, and two untold: never four");
  const later = group.entry(standing, { seat: dead, peer: otherThan(drawn), term });
  const free = { ...proposal, entry: later, pledges: some };
  refused(t, "not bound", () => voted(voter, free, judgement), "Invalid");
  const bound = { ...proposal, pledges: some };
  t.equal(voted(voter, bound, judgement).voted?.entry.id, entry.id);
  const torn = group.pledges(standing, term, (at) => {
    return { term: 7, entry: at < 2 ? entry.id : later.id };
  });
  t.strictSame(bindingOf(torn, seats), { state: "torn" });
  const newer = group.pledges(standing, term, (at) => {
    return at < 2 ? { term: 7, entry: entry.id } : { term: 8, entry: later.id };
  });
  t.strictSame(bindingOf(newer, seats), { state: "bound", entry: later.id });
  t.equal(choose(standing, torn.map(answer)).state, "none");
  t.equal(choose(standing, some.slice(1).map(answer)).state, "none", "too few");
  t.end();
});

test("an entry with a majority's votes of one term moves the seat, and nothing less does", (t) => {
  const { votes } = group.accepted(standing, entry, term);
  const after = extend(standing, { entry, votes });
  t.strictSame(seatsOf(after), standing.manifest.peers.with(dead, drawn));
  t.ok(mayKeep(after, dead, members[dead]!.peer), "the owner's word outlives the log");
  t.ok(mayKeep(after, dead, drawn));
  t.notOk(mayKeep(after, 1, drawn));
  t.equal(acceptedBy(standing, entry, votes.slice(1)), undefined);
  const stranger = signVote(group.others[4]!, { term, entry: entry.id });
  const late = signVote(group.keysOf(votes[0]!.voter), { term: term + 1, entry: entry.id });
  for (const [name, some] of [
    ["too few", votes.slice(1)], ["one twice", [...votes.slice(1), votes[1]!]],
    ["a stranger", [...votes.slice(1), stranger]], ["two terms", [...votes.slice(1), late]],
  ] as const) {
    refused(t, name, () => extend(standing, { entry, votes: some }), "Corrupt");
  }
  refused(t, "twice", () => extend(after, { entry, votes }), "Corrupt");
  t.end();
});

test("a log goes on from its last entry, and two are told apart with the perjurers' names", (t) => {
  const one = group.accepted(standing, entry, term);
  const after = extend(standing, one);
  const next = group.entry(after, { seat: 2, peer: otherThan(drawn), term });
  const two = group.accepted(after, next, term);
  t.equal(standingOf(standing.manifest, [one, two]).log.length, 2);
  refused(t, "a gap", () => standingOf(standing.manifest, [two]), "Corrupt");
  const rival = group.entry(standing, { seat: dead, peer: otherThan(drawn), term });
  const forked = group.accepted(standing, rival, term);
  t.equal(forkOf([one, two], [forked]), 0);
  t.equal(forkOf([one, two], [one]), undefined);
  t.strictSame(perjurersOf(one, forked), one.votes.map(({ voter: peer }) => peer));
  t.strictSame(perjurersOf(one, group.accepted(standing, rival, term + 1)), []);
  t.end();
});

test("an entry of which many tell is checked once, and a spoilt one never taken for it", (t) => {
  const log = [group.accepted(standing, entry, term)];
  const told = encodeWord({ ...standing, policy: undefined, head: undefined, log });
  const [one] = decodeWord(told).log;
  t.equal(decodeWord(Buffer.from(told)).log[0], one);
  const spoilt = Buffer.from(told);
  const at = spoilt.indexOf(one!.votes.at(-1)!.bytes) + one!.votes.at(-1)!.bytes.length - 1;
  spoilt.writeUInt8(spoilt.readUInt8(at) ^ 1, at);
  refused(t, "spoilt", () => decodeWord(spoilt), "Corrupt");
  t.end();
});

test("who comes back without its memory has no vote, and who is new votes on what follows", (t) => {
  const after = extend(standing, group.accepted(standing, entry, term));
  t.equal(newcomersBallot(standing, members[3]!.peer).from, never);
  t.equal(newcomersBallot(after, members[3]!.peer).from, never);
  const ballot = newcomersBallot(after, drawn);
  t.equal(ballot.from, 1);
  const next = { from: group.leader(after, term).peer, base, position: 1, term };
  t.equal(pledged({ self: drawn, standing: after, ballot, termNow: term }, next).pledged, term);
  const later = extend(after, group.accepted(after, group.entry(after, {
    seat: 2, peer: otherThan(drawn), term,
  }), term));
  t.equal(newcomersBallot(later, drawn).from, never, "it may have been here before");
  const forgetful = { ...voter, ballot: newcomersBallot(standing, voter.self) };
  refused(t, "no vote", () => voted(forgetful, proposal, judgement), "Denied");
  t.end();
});

test("nobody proposes without a majority in reach, nor what could not be rebuilt", (t) => {
  const isDead = (peer: string) => peer === members[dead]!.peer;
  const online = (count: number) => (peer: string) => {
    return members.slice(0, count).some((member) => member.peer === peer);
  };
  const isLeaving = (): boolean => false;
  t.equal(seatToGive(standing, { ...when, isDead, isLeaving, isOnline: online(6) }), dead);
  t.equal(seatToGive(standing, { ...when, isDead, isLeaving, isOnline: online(5) }), dead);
  t.equal(seatToGive(standing, { ...when, isDead, isLeaving, isOnline: online(4) }), undefined, "three");
  const nobody = { ...when, isDead: () => false, isLeaving };
  t.equal(seatToGive(standing, { ...nobody, isOnline: online(6) }), undefined);
  t.strictSame([3, 6, 12, 40].map(quorumOf), [3, 4, 7, 21]);
  t.end();
});

test("who gives notice is replaced while it lives, after the dead, by those who heard it", (t) => {
  const [gone, leaver] = [members[dead]!.peer, members[4]!.peer];
  const all = {
    ...when, isOnline: () => true, isLeaving: (peer: string) => peer === leaver,
  };
  t.equal(seatToGive(standing, { ...all, isDead: () => false }), 4);
  t.equal(seatToGive(standing, { ...all, isDead: (peer) => peer === gone }), dead, "first the dead");
  const seat = { seat: 4, peer: drawn, term, why: "leaving" } as const;
  const told = { ...proposal, entry: group.entry(standing, seat) };
  const heard = { isDead: () => false, isRightful: () => true };
  const isLeaving = (peer: string, id: string) => {
    return peer === leaver && id === standing.manifest.group;
  };
  t.match(voted(voter, told, { ...heard, isLeaving }), { voted: { entry: told.entry } });
  refused(t, "who heard nothing", () => {
    voted(voter, told, { ...heard, isLeaving: () => false });
  }, "Denied");
  t.end();
});

test("a notice holds for its giver alone, for a time, until it is taken back", (t) => {
  let now = 1e12;
  const notices = new Notices(() => now);
  let news = 0;
  notices.onNews(() => news++);
  const [leaver, other] = [members[4]!.peer, members[5]!.peer];
  const { group: id } = standing.manifest;
  const later = parseGroupId("ef".repeat(16));
  notices.hear(leaver, { untilMs: now + 1000, groups: undefined });
  t.ok(notices.has(leaver, id) && notices.has(leaver, later) && !notices.has(other, id));
  notices.hear(leaver, { untilMs: 1e15, groups: [later] });
  t.ok(!notices.has(leaver, id) && notices.has(leaver, later), "of one group now");
  now += limits.leave.noticeHoldsMs;
  t.notOk(notices.has(leaver, later), "however far its clock is ahead");
  t.equal(notices.peers().size, 0);
  notices.hear(leaver, { untilMs: now + 1000, groups: undefined });
  notices.hear(leaver, { untilMs: 0, groups: undefined });
  t.notOk(notices.has(leaver, id), "taken back");
  t.equal(news, 2, "told of again is no news");
  t.end();
});

function answer(pledge: Pledge) {
  return { pledge, entry, offers: [] };
}

function otherThan(peer: string) {
  return group.others.find((one) => one.peer !== peer)!.peer;
}

/** A term near enough that somebody else leads. */
function otherTerm(): number {
  const isOther = group.leader(standing, term + 1).peer !== leader;
  return isOther ? term + 1 : term - 1;
}

function refused(t: Test, name: string, act: () => unknown, kind: Kind): void {
  try {
    act();
    t.fail(`${name}: was let through`);
  } catch (error) {
    t.ok(isFault(error, kind), `${name}: ${String(error)}`);
  }
}
