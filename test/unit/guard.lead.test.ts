/** A leader's rounds, with members that are played: what it tells them, draws from, and leads twice. */
import { test } from "tap";
import { Lead, type LeadNeeds } from "../../src/agent/guard/guard-lead.ts";
import type { GuardAct } from "../../src/base/guard.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Offer } from "../../src/base/records.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { signPledge, signVote } from "../../src/crypt/records/guard-records.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { isRightful } from "../../src/guard/draw.ts";
import { baseOf } from "../../src/guard/log.ts";
import { type VoteAsk, decodePledgeAsk, decodeVoteAsk, encodePledged }
  from "../../src/guard/messages.ts";
import { type Ballot, freshBallot, pledged } from "../../src/guard/voter.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { TestGroup, nowMs } from "../support/guard-group.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const { leaseMs, offersPerVoter, offersMax } = limits.guard;
const { signal } = new AbortController();
const random = seededRandom(`lead/${seed}`);

function offerOf(at: number): Offer {
  return signOffer(peerKeysOf(random.bytes(32)), {
    atMs: nowMs, household: `another home ${at}`, country: "DE", addresses: [],
    quotaBytes: 2 ** 40, freeBytes: 2 ** 39 + at,
  });
}

/** A group whose members name these, each its own, and vote for everything. */
class PlayedGroup {
  readonly group: TestGroup;
  readonly named: readonly (readonly Offer[])[];
  /** What was proposed to all of them. */
  readonly asks: VoteAsk[] = [];
  pledgesAsked = 0;
  /** On each member's disk. */
  readonly ballots = new Map<PeerId, Ballot>();
  /** By the clocks of all but the leader; undefined where they pledge whatever the time. */
  termNow: number | undefined;

  constructor(name: string, named: readonly (readonly Offer[])[]) {
    this.group = new TestGroup(seed, name);
    this.named = named;
  }

  ballotOf(peer: PeerId): Ballot {
    return this.ballots.get(peer) ?? freshBallot(baseOf(this.group.standing.manifest));
  }

  /** As a node with these keys leads it, to whom this member gave notice. */
  lead(keys: PeerKeys, leaver: PeerId, clock: { now(): number }): Lead {
    const { group } = this;
    const { manifest } = group.standing;
    const needs = {
      shelf: {
        policyOf: async () => defaultPolicy, devicesOf: async () => new Set(),
        ballot: async () => this.ballotOf(keys.peer), tell: async () => undefined,
        word: async () => ({ manifest, policy: undefined, head: undefined, log: [] }),
      },
      reach: {
        self: keys.peer, asSelf: { peer: keys.peer, owners: [] }, known: () => group.known(),
        isDead: () => false, isFresh: () => false, isThere: () => true,
        guard: (...asked: [PeerId, GuardAct, Uint8Array]) => this.#answer(keys.peer, ...asked),
      },
      notices: { has: (peer: PeerId) => peer === leaver }, keys, clock, log: silentLog,
    };
    return new Lead(needs as unknown as LeadNeeds, { leaseMs });
  }

  async #answer(
    leader: PeerId, peer: PeerId, act: GuardAct, call: Uint8Array,
  ): Promise<Uint8Array> {
    if (act === "tell") return Buffer.alloc(0);
    const { standing } = this.group;
    const { manifest } = standing;
    const keys = this.group.keysOf(peer);
    if (act === "pledge") {
      const { base, position, term } = decodePledgeAsk(call);
      this.pledgesAsked++;
      const termNow = peer === leader ? term : this.termNow ?? term;
      const voter = { self: peer, standing, ballot: this.ballotOf(peer), termNow };
      this.ballots.set(peer, pledged(voter, { from: leader, base, position, term }));
      const pledge = signPledge(keys, { base, position, term, voted: undefined });
      const offers = this.named[manifest.peers.indexOf(peer)] ?? [];
      return encodePledged({ pledge, entry: undefined, offers });
    }
    if (peer === leader) this.asks.push(decodeVoteAsk(call));
    const { entry, term } = this.asks.at(-1) ?? decodeVoteAsk(call);
    return signVote(keys, { term, entry: entry.id }).bytes;
  }
}

test(`a leader draws nobody of whom voters are not told (HIVE_SEED=${seed})`, async (t) => {
  const named = Array.from({ length: 80 }, (_, at) => {
    return Array.from({ length: offersPerVoter }, (_, rank) => offerOf(at * offersPerVoter + rank));
  });
  t.ok(named.flat().length > offersMax, "more than one can be told of");
  const clock = new VirtualClock(nowMs);
  for (const seat of [8, 16, 32]) {
    const played = new PlayedGroup("vault", named);
    const { standing } = played.group;
    const leader = played.group.leader(standing, Math.floor(clock.now() / leaseMs));
    const lead = played.lead(leader, standing.manifest.peers[seat] as PeerId, clock);
    await lead.step(standing, signal);
    const [{ entry, offers }] = played.asks as [VoteAsk];
    t.ok(offers.length <= offersMax);
    const pot = {
      standing, policy: defaultPolicy, nowMs: clock.now(), known: played.group.known(), told: offers,
      owners: new Set<never>(),
    };
    t.ok(isRightful(pot, entry, { isBound: false }), `seat ${entry.seat}: ${entry.peer}`);
    await clock.pass(leaseMs);
  }
});

test(`no term is led twice, by a clock that was set back, or after a restart (HIVE_SEED=${seed})`,
  async (t) => {
    const played = new PlayedGroup("tiny", [[offerOf(0)]]);
    const { group, asks } = played;
    const { standing } = group;
    const first = Math.floor(nowMs / leaseMs);
    const leader = group.leader(standing, first);
    const terms = Array.from({ length: 50 }, (_, at) => first + at)
      .filter((term) => group.leader(standing, term).peer === leader.peer);
    const [early, late] = terms as [number, number];
    const clock = Object.assign(new VirtualClock(), { now: () => termNow * leaseMs });
    let termNow = early - 1;
    const leaver = standing.manifest.peers.find((peer) => peer !== leader.peer) as PeerId;
    const lead = played.lead(leader, leaver, clock);
    // Nothing is made of what was accepted: the log stays as it was.
    for (const term of [late, late, early, late]) {
      termNow = term;
      await lead.step(standing, signal);
    }
    termNow = early;
    const restarted = played.lead(leader, leaver, clock);
    termNow = late;
    await restarted.step(standing, signal);
    t.strictSame(asks.map(({ term }) => term), [late]);
  });

test(`a member whose clock is far ahead keeps its vote, as do its fellows (HIVE_SEED=${seed})`,
  async (t) => {
    const played = new PlayedGroup("mirror", [[offerOf(0)]]);
    const { group } = played;
    const { standing } = group;
    const { manifest: { peers } } = standing;
    const now = Math.floor(nowMs / leaseMs);
    const leader = group.leader(standing, now);
    const far = Array.from({ length: 90 }, (_, at) => now + 1_000_000 + at)
      .find((term) => group.leader(standing, term).peer === leader.peer) as number;
    const clock = Object.assign(new VirtualClock(), { now: () => termNow * leaseMs });
    let termNow = far;
    played.termNow = now;
    const lead = played.lead(leader, peers.find((peer) => peer !== leader.peer) as PeerId, clock);
    await lead.step(standing, signal);
    await lead.step(standing, signal);
    t.equal(played.pledgesAsked, peers.length - 1, "its fellows are asked, and once in a term");
    t.strictSame([...played.ballots.keys()], [], "nobody is bound to the far term");
    t.strictSame(played.asks, [], "and nothing is proposed");
    termNow = now;
    await lead.step(standing, signal);
    t.strictSame(played.asks.map(({ term }) => term), [now], "it leads once its clock is right");
    t.strictSame(peers.map((peer) => played.ballotOf(peer).pledged), peers.map(() => now));
  });
