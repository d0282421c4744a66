/**
 * Members of a group that cheat while its owner is away: what they sign is really signed, and who
 * judges them is src/guard and a real vault. Whatever a majority of honest voters sees at once is
 * found at once.
 */
import { isFault } from "../../src/base/errors.ts";
import type { Accepted, Replacement } from "../../src/base/guard.ts";
import type { PeerId, SegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom, shuffled } from "../../src/base/random.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { signVote } from "../../src/crypt/records/guard-records.ts";
import { bestFor, isRightful, substituteFor } from "../../src/guard/draw.ts";
import { dutyOf } from "../../src/guard/lease.ts";
import { baseOf, forkOf, perjurersOf, quorumOf, seatsOf } from "../../src/guard/log.ts";
import { type Proposal, freshBallot, voted } from "../../src/guard/voter.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import type { Cheat, Played } from "./cheats.ts";
import { TestGroup, nowMs } from "./guard-group.ts";
import { loopbackKeys } from "./loopback-network.ts";
import { TestDrive } from "./peer-nodes.ts";
import { openHouse } from "./vault-house.ts";

const term = 40;
const atOnce = { withinHours: 0, atLeast: 1 };

export const memberCheats: readonly Cheat[] = [
  { name: "gives a dead seat to a friend", by: "every voter", ...atOnce, play: lyingTarget },
  { name: "gives away the seat of the living", by: "every voter", ...atOnce, play: lyingDeath },
  { name: "makes a wrong shard", by: "its receiver", ...atOnce, play: wrongOutput },
  {
    name: "says that it mended, and did not", by: "who is drawn next",
    // A turn is an audit interval; three times in a row it is hardly drawn.
    withinHours: 3, atLeast: 1 - (1 / 6) ** 3, play: idleMender,
  },
  { name: "signs two logs of a group", by: "its votes", ...atOnce, play: forkedLog },
];

/** A group with one dead member, and what each of the others makes of a proposal. */
class Court {
  readonly group: TestGroup;
  readonly dead: number;
  readonly rightful: PeerId;
  readonly #pot;

  constructor(seed: string) {
    this.group = new TestGroup(seed);
    const { standing, members } = this.group;
    this.dead = seededRandom(seed).below(members.length);
    const pot = {
      standing, policy: defaultPolicy, nowMs, known: this.group.known(), told: [],
      owners: new Set<never>(),
    };
    this.#pot = { ...pot, told: bestFor(pot, this.dead) };
    this.rightful = substituteFor(this.#pot, this.dead) as PeerId;
  }

  entry(seat: number, peer: PeerId): Replacement {
    return this.group.entry(this.group.standing, { seat, peer, term });
  }

  /** How many of those who live vote for it. */
  votesFor(entry: Replacement): number {
    const { standing, members } = this.group;
    const base = baseOf(standing.manifest);
    const proposal: Proposal = {
      from: this.group.leader(standing, term).peer, base, position: 0, term, entry,
      pledges: this.group.pledges(standing, term),
    };
    const lost = members[this.dead]?.peer;
    return members.filter(({ peer }) => peer !== lost).filter(({ peer: self }) => {
      const voter = { self, standing, ballot: freshBallot(base), termNow: term };
      return hasVoted(() => voted(voter, proposal, {
        isDead: (peer) => peer === lost, isLeaving: () => false,
        isRightful: (one, how) => isRightful(this.#pot, one, how),
      }));
    }).length;
  }

  /** Found by all; and what an honest leader proposes has all votes. */
  verdict(lie: Replacement): Played {
    const living = this.group.members.length - 1;
    const honest = this.votesFor(this.entry(this.dead, this.rightful));
    const isFound = this.votesFor(lie) === 0;
    return { foundHours: isFound ? 0 : undefined, condemned: living - honest };
  }
}

function hasVoted(vote: () => unknown): boolean {
  try {
    vote();
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}

async function lyingTarget(seed: string): Promise<Played> {
  const court = new Court(seed);
  const friends = court.group.others.filter(({ peer }) => peer !== court.rightful);
  const friend = friends[seededRandom(seed).below(friends.length)]?.peer as PeerId;
  return court.verdict(court.entry(court.dead, friend));
}

async function lyingDeath(seed: string): Promise<Played> {
  const court = new Court(seed);
  const { members } = court.group;
  const seat = (court.dead + 1 + seededRandom(seed).below(members.length - 1)) % members.length;
  return court.verdict(court.entry(seat, court.rightful));
}

/** It comes from a member, with all the owner's signatures, and is one byte off. */
async function wrongOutput(seed: string): Promise<Played> {
  const [keys, mender] = ["holder", "mender"].map((name) => loopbackKeys(`${seed}/${name}`));
  if (keys === undefined || mender === undefined) throw new Error(seed);
  const drive = new TestDrive(seed);
  await using house = await openHouse(keys);
  const manifest = drive.manifest([keys.peer, mender.peer]);
  const { record, shards } = drive.segment();
  const right = shards[0] as Uint8Array;
  const wrong = Buffer.from(right);
  const at = seededRandom(seed).below(wrong.length);
  wrong.writeUInt8(wrong.readUInt8(at) ^ 1, at);
  const request = { record: record.bytes, manifest: manifest.bytes, index: 0 };
  const from: Requester = { peer: mender.peer, owners: [] };
  const isTaken = async (bytes: Uint8Array): Promise<boolean> => {
    try {
      await house.vault.store(from, request, bytes);
      return true;
    } catch (error) {
      if (isFault(error)) return false;
      throw error;
    }
  };
  const isFound = !(await isTaken(wrong));
  return { foundHours: isFound ? 0 : undefined, condemned: await isTaken(right) ? 0 : 1 };
}

/** Nothing that it says counts: whoever the segment falls to next asks the seat itself. */
async function idleMender(seed: string): Promise<Played> {
  const { standing } = new TestGroup(seed);
  const seats = seatsOf(standing);
  const segment = sha256(Buffer.from(seed)).toString("hex") as SegmentId;
  const first = seededRandom(seed).below(2 ** 20);
  const liar = dutyOf(seats, segment, turnAt(first));
  const hours = [1, 2, 3].find((hour) => dutyOf(seats, segment, turnAt(first + hour)) !== liar);
  return { foundHours: hours, condemned: 0 };
}

function turnAt(interval: number): number {
  return interval * limits.guard.entriesMax;
}

/** Two majorities accept two entries for one position: those who signed both are named. */
async function forkedLog(seed: string): Promise<Played> {
  const random = seededRandom(seed);
  const court = new Court(seed);
  const { group, dead, rightful } = court;
  const rival = group.others.find(({ peer }) => peer !== rightful)?.peer as PeerId;
  const seats = seatsOf(group.standing);
  const accept = (peer: PeerId): Accepted => {
    const entry = court.entry(dead, peer);
    const voters = shuffled(seats, random).slice(0, quorumOf(seats.length));
    return { entry, votes: voters.map((voter) => {
      return signVote(group.keysOf(voter), { term, entry: entry.id });
    }) };
  };
  const [one, two] = [accept(rightful), accept(rival)];
  const signers = two.votes.map(({ voter }) => voter);
  const liars = one.votes.map(({ voter }) => voter).filter((voter) => signers.includes(voter));
  const named = perjurersOf(one, two);
  const isFound = forkOf([one], [two]) === 0 && liars.every((peer) => named.includes(peer));
  const condemned = named.filter((peer) => !liars.includes(peer)).length;
  return { foundHours: isFound ? 0 : undefined, condemned };
}
