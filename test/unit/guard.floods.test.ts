/** What a member, or who calls himself one, may have others check: logs and proposals without end. */
import { test } from "tap";
import { GuardAnswers } from "../../src/agent/guard/guard-answers.ts";
import type { Accepted } from "../../src/base/guard.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Requester } from "../../src/base/network.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { type Standing, extend } from "../../src/guard/log.ts";
import { decodeWord, encodeNotice, encodeVoteAsk, encodeWord } from "../../src/guard/messages.ts";
import { Notices } from "../../src/guard/notices.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { faultOf } from "../support/faults.ts";
import { TestGroup } from "../support/guard-group.ts";
import { openHouse } from "../support/vault-house.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const group = new TestGroup("floods", "home");
const { standing } = group;
const [self, member, third] = group.members as [PeerKeys, PeerKeys, PeerKeys];
const fromMember: Requester = { peer: member.peer, owners: [], prefix: "203.0.113.0/24" };
const fromThird: Requester = { peer: third.peer, owners: [], prefix: "198.51.100.0/24" };
const { checks, strangers, proposalChecks } = limits.guard;

test("of a log that is none one entry is checked", (t) => {
  const entry = group.entry(standing, { seat: 0, peer: group.others[0]!.peer, term: 1 });
  const one = group.accepted(standing, entry, 1);
  // Each with right signatures, and each the first entry of another log.
  const none = Array.from({ length: limits.guard.entriesMax }, (_, at): Accepted => {
    const other = group.entry(standing, { seat: 0, peer: group.others[1]!.peer, term: 2 + at });
    return group.accepted(standing, other, 2 + at);
  });
  const wordOf = (log: readonly Accepted[]) => {
    return encodeWord({ ...standing, policy: undefined, head: undefined, log });
  };
  const [right, wrong] = [wordOf([one]), wordOf(none)];
  const rightMs = costMs(() => void decodeWord(right));
  const wrongMs = costMs(() => void t.throws(() => decodeWord(wrong)));
  t.comment(`${rightMs} ms for an entry, ${wrongMs} ms for ${none.length} that fit nowhere`);
  t.ok(wrongMs < 8 * rightMs + 10);
  t.end();
});

test("a member's logs are checked so often in a minute, and others' in between", async (t) => {
  await using house = await openHouse(self);
  const clock = new VirtualClock();
  const answers = answersOf(house.vault, clock);
  const log = logOf(4);
  const known = encodeWord({ ...standing, policy: undefined, head: undefined, log: [] });
  t.equal(await faultOf(answers.guard(fromThird, "tell", known)), "none");
  let checked = 0;
  for (let term = 100; term < 100 + checks.perPeerMax; term++) {
    // The votes are of another term each time, and spoilt: it was never seen before.
    const told = log.map(({ entry, votes }) => {
      return { entry, votes: votes.map(({ bytes, ...vote }) => ({ ...vote, bytes: spoilt(bytes, term) })) };
    });
    const word = encodeWord({ ...standing, policy: undefined, head: undefined, log: told });
    const kind = await faultOf(answers.guard(fromMember, "tell", word));
    if (kind === "Busy") break;
    checked++;
  }
  const most = 1 + checks.perPeerMax / (1 + log.length);
  t.ok(checked > most / 2 && checked <= most, `${checked} words`);
  const word = encodeWord({ ...standing, policy: undefined, head: undefined, log });
  t.equal(await faultOf(answers.guard(fromThird, "tell", word)), "none");
  await clock.pass(60_000);
  t.equal(await faultOf(answers.guard(fromMember, "tell", word)), "none", "his time comes again");
});

test("a proposal of who is not in the group is not looked at, and a member's have their measure", async (t) => {
  await using house = await openHouse(self);
  const clock = new VirtualClock();
  const answers = answersOf(house.vault, clock);
  const word = encodeWord({ ...standing, policy: undefined, head: undefined, log: [] });
  t.equal(await faultOf(answers.guard(fromMember, "tell", word)), "none");
  const entry = group.entry(standing, { seat: 0, peer: group.others[0]!.peer, term: 1 });
  const ask = encodeVoteAsk({ entry, term: 1, pledges: group.pledges(standing, 1), offers: [] });
  // Whoever looked at its pledges would find the last of them wrong.
  ask.writeUInt8(ask.readUInt8(ask.length - 80) ^ 1, ask.length - 80);
  const stranger = { ...fromMember, peer: group.others[5]!.peer };
  t.equal(await faultOf(answers.guard(stranger, "vote", ask)), "Denied");
  const kinds: string[] = [];
  for (let count = 0; count <= checks.perPeerMax / proposalChecks; count++) {
    kinds.push(await faultOf(answers.guard(fromThird, "vote", ask)));
  }
  t.equal(kinds[0], "Corrupt");
  t.equal(kinds.at(-1), "Busy");
});

test("who tells of made-up groups does not keep others from telling of theirs", async (t) => {
  await using house = await openHouse(self);
  const answers = answersOf(house.vault, new VirtualClock());
  const kinds: string[] = [];
  for (let number = 0; number < strangers.perMinuteMax; number++) {
    const other = new TestGroup(`made up ${number}`);
    const word = encodeWord({ ...other.standing, policy: undefined, head: undefined, log: [] });
    kinds.push(await faultOf(answers.guard(fromMember, "tell", word)));
  }
  t.equal(kinds.at(-1), "Busy");
  const word = encodeWord({ ...standing, policy: undefined, head: undefined, log: [] });
  t.equal(await faultOf(answers.guard(fromThird, "tell", word)), "none");
});

test("notices of keys that were made up are not heard, and push nobody's out", async (t) => {
  await using house = await openHouse(self);
  const { notices, answers, heard } = noticing(house.vault);
  const notice = encodeNotice({ untilMs: 1, groups: undefined });
  t.equal(await faultOf(answers.guard(fromMember, "notice", notice)), "none");
  for (let number = 0; number <= limits.leave.noticesMax; number++) {
    const peer = `made up ${number}` as PeerId;
    const made = { peer, owners: [], prefix: `10.${number >> 8}.${number & 255}.0/24` };
    if (await faultOf(answers.guard(made, "notice", notice)) !== "Denied") t.fail(peer);
  }
  t.strictSame([...notices.peers()], [member.peer]);
  t.equal(heard.news, 1, "nothing was looked at for them");
  t.equal(await faultOf(answers.guard(fromThird, "notice", notice)), "none", "nor is their room taken");
});

test("who gives notice and takes it back without end wakes nobody without end", async (t) => {
  await using house = await openHouse(self);
  const { answers, heard } = noticing(house.vault);
  const { noticeEveryMs, notices: { perPeerMax } } = limits.leave;
  for (let count = 0; count < 1_000; count++) {
    const notice = encodeNotice({ untilMs: 1 - count % 2, groups: undefined });
    await faultOf(answers.guard(fromMember, "notice", notice));
  }
  t.equal(heard.news, perPeerMax / 2);
  t.ok(perPeerMax > 2 * 60_000 / noticeEveryMs, "who leaves is heard each time");
});

/** Answers of a member, and how often its notices were news. */
function noticing(vault: Vault) {
  const clock = new VirtualClock();
  const notices = new Notices(() => clock.monotonicMs());
  const heard = { news: 0 };
  notices.onNews(() => heard.news++);
  return { notices, answers: answersOf(vault, clock, notices), heard };
}

function answersOf(
  vault: Vault, clock: VirtualClock, notices = new Notices(() => clock.monotonicMs()),
): GuardAnswers {
  return new GuardAnswers({
    shelf: vault.shelf, keys: self, clock, known: () => group.known(), isDead: () => false,
    notices, hasSeat: (peer) => standing.manifest.peers.includes(peer), onNews: () => {},
  }, { leaseMs: limits.guard.leaseMs });
}

/** Of so many entries: one seat after another goes to somebody new. */
function logOf(length: number): readonly Accepted[] {
  let now: Standing = standing;
  for (let at = 0; at < length; at++) {
    const entry = group.entry(now, { seat: at, peer: group.others[at]!.peer, term: 10 + at });
    now = extend(now, group.accepted(now, entry, 10 + at));
  }
  return now.log;
}

/** Other bytes, and no other length. */
function spoilt(bytes: Uint8Array, number: number): Buffer {
  const other = Buffer.from(bytes);
  other.writeUInt16LE(number, other.length - 2);
  return other;
}

/** Of this process's time. */
function costMs(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
