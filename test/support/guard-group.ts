/** A group whose members all have keys: what they sign, rightly or not, is really signed. */
import type { Accepted, Pledge, Replacement, Vote } from "../../src/base/guard.ts";
import type { PeerId } from "../../src/base/ids.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signPledge, signReplacement, signVote } from "../../src/crypt/records/guard-records.ts";
import { signManifest, signOffer } from "../../src/crypt/records/records.ts";
import { leaderOf } from "../../src/guard/lease.ts";
import { type Standing, baseOf, quorumOf, seatsOf } from "../../src/guard/log.ts";
import { draft } from "../../src/guard/propose.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";

export const nowMs = 1_764_000_000_000;

export class TestGroup {
  readonly drive: DriveKeys;
  readonly members: readonly PeerKeys[];
  readonly others: readonly PeerKeys[];
  readonly standing: Standing;
  readonly #random: Random;

  constructor(seed: string, name = "tiny") {
    this.#random = seededRandom(`group/${seed}`);
    this.drive = driveKeysOf(this.#random.bytes(32));
    const found = erasureClasses.find((one) => one.name === name);
    if (found === undefined) throw new Error(name);
    this.members = Array.from({ length: found.n }, () => peerKeysOf(this.#random.bytes(32)));
    this.others = Array.from({ length: 6 }, () => peerKeysOf(this.#random.bytes(32)));
    const manifest = signManifest(this.drive, {
      group: "ab".repeat(16) as Standing["manifest"]["group"], epoch: 3, class: found,
      policyHash: hashOfPolicy(defaultPolicy), peers: this.members.map(({ peer }) => peer),
    });
    this.standing = { manifest, log: [] };
  }

  keysOf(peer: PeerId): PeerKeys {
    const keys = [...this.members, ...this.others].find((one) => one.peer === peer);
    if (keys === undefined) throw new Error(peer);
    return keys;
  }

  /** The offer of everybody, as each member has heard it. */
  known(): readonly KnownPeer[] {
    return [...this.members, ...this.others].map((keys, at) => ({
      offer: signOffer(keys, {
        atMs: nowMs, household: `home ${at}`, country: "DE", addresses: [],
        quotaBytes: 2 ** 40, freeBytes: 2 ** 39 + at,
      }),
      online: true, roundTripMs: undefined, lastSeenMs: nowMs,
    }));
  }

  leader(standing: Standing, term: number): PeerKeys {
    return this.keysOf(leaderOf(seatsOf(standing), baseOf(standing.manifest), term));
  }

  entry(
    standing: Standing,
    told: {
      readonly seat: number; readonly peer: PeerId; readonly term: number;
      readonly why?: Replacement["why"];
    },
  ): Replacement {
    const { seat, peer, term, why = "dead" } = told;
    const atMs = nowMs + standing.log.length;
    return signReplacement(this.leader(standing, term), draft(standing, { seat, peer, why, atMs }));
  }

  pledges(
    standing: Standing, term: number, votedBy: (at: number) => Pledge["voted"] = () => undefined,
  ): readonly Pledge[] {
    const [base, position] = [baseOf(standing.manifest), standing.log.length];
    return this.#voters(standing).map((keys, at) => {
      return signPledge(keys, { base, position, term, voted: votedBy(at) });
    });
  }

  votes(standing: Standing, entry: Replacement, term: number): readonly Vote[] {
    return this.#voters(standing).map((keys) => signVote(keys, { term, entry: entry.id }));
  }

  accepted(standing: Standing, entry: Replacement, term: number): Accepted {
    return { entry, votes: this.votes(standing, entry, term) };
  }

  #voters(standing: Standing): readonly PeerKeys[] {
    const seats = seatsOf(standing);
    return seats.slice(-quorumOf(seats.length)).map((peer) => this.keysOf(peer));
  }
}
