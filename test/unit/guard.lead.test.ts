/** A leader's round, with members that are played: what it tells them, and what it draws from. */
import { test } from "tap";
import { Lead, type LeadNeeds } from "../../src/agent/guard/guard-lead.ts";
import type { GuardAct } from "../../src/base/guard.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Offer } from "../../src/base/records.ts";
import { signPledge, signVote } from "../../src/crypt/guard-records.ts";
import { peerKeysOf } from "../../src/crypt/peer-key.ts";
import { signOffer } from "../../src/crypt/records.ts";
import { isRightful } from "../../src/guard/draw.ts";
import { baseOf, seatsOf } from "../../src/guard/log.ts";
import { type VoteAsk, decodePledgeAsk, decodeVoteAsk, encodePledged }
  from "../../src/guard/messages.ts";
import { defaultPolicy } from "../../src/placement/policy.ts";
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

test(`a leader draws nobody of whom voters are not told (HIVE_SEED=${seed})`, async (t) => {
  const group = new TestGroup(seed, "vault");
  const { standing, members } = group;
  const named = members.map((_, at) => Array.from({ length: offersPerVoter }, (_, rank) => {
    return offerOf(at * offersPerVoter + rank);
  }));
  t.ok(named.flat().length > offersMax, "more than one can be told of");
  const clock = new VirtualClock(nowMs);
  const { manifest } = standing;
  const asks: VoteAsk[] = [];
  for (const seat of [8, 16, 32]) {
    const lost = manifest.peers[seat];
    let ask: VoteAsk | undefined;
    const term = Math.floor(clock.now() / leaseMs) + 1;
    const keys = group.leader(standing, term);
    const answer = async (peer: PeerId, act: GuardAct, call: Uint8Array): Promise<Uint8Array> => {
      const own = group.keysOf(peer);
      if (act === "pledge") {
        const { position } = decodePledgeAsk(call);
        const told = { base: baseOf(manifest), position, term, voted: undefined };
        const offers = named[manifest.peers.indexOf(peer)] ?? [];
        return encodePledged({ pledge: signPledge(own, told), entry: undefined, offers });
      }
      if (ask === undefined) asks.push(ask = decodeVoteAsk(call));
      return signVote(own, { term, entry: ask.entry.id }).bytes;
    };
    const lead = new Lead({
      shelf: {
        policyOf: async () => defaultPolicy, devicesOf: async () => new Set(),
        tell: async () => undefined,
        word: async () => ({ manifest, policy: undefined, head: undefined, log: [] }),
      },
      reach: {
        self: keys.peer, asSelf: { peer: keys.peer, owners: [] }, known: () => group.known(),
        isDead: () => false, isFresh: () => false, isThere: () => true,
        guard: (peer: PeerId, act: GuardAct, call: Uint8Array) => act === "tell"
          ? Promise.resolve(Buffer.alloc(0)) : answer(peer, act, call),
      },
      notices: { has: (peer: PeerId) => peer === lost }, keys, clock, log: silentLog,
    } as unknown as LeadNeeds, { leaseMs });
    await clock.pass(leaseMs);
    t.equal(await lead.step(standing, signal), 1, `seat ${seat}`);
  }
  for (const { entry, offers } of asks) {
    t.ok(offers.length <= offersMax);
    const pot = {
      standing, policy: defaultPolicy, nowMs: clock.now(), known: group.known(), told: offers,
      owners: new Set<never>(),
    };
    t.ok(isRightful(pot, entry, { isBound: false }), `seat ${entry.seat}: ${entry.peer}`);
    t.notOk(seatsOf(standing).includes(entry.peer));
  }
});
