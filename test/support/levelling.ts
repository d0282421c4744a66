/**
 * A network that filled up evenly, and peers that join it empty: owners who level it turn by turn,
 * each by what it knows at the turn's beginning. Counted is what moved, beside the least that has
 * to move until all are level.
 */
import type { GroupId, PeerId } from "../../src/base/ids.ts";
import { parseGroupId, parsePeerId } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type ErasureClass, type Manifest, type Offer, erasureClasses }
  from "../../src/base/records.ts";
import { drawGroup, replaceMember } from "../../src/placement/draws/group.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { type SeatLoad, type Shift, planShift } from "../../src/placement/standing/balance.ts";
import { loopbackKeys } from "./loopback-network.ts";

const GiB = 2 ** 30;
const nowMs = 1_800_000_000_000;

/** Some peers are barred to it, and their emptiness must not tempt anybody. */
const policy: Policy = {
  ...defaultPolicy,
  rules: [{ verb: "forbid", condition: { fact: "country", among: ["US"] } }],
};

export interface Levelled {
  readonly movedBytes: number;
  readonly leastBytes: number;
  /** Of each peer, from 0 to 1. */
  readonly fullness: ReadonlyMap<PeerId, number>;
  readonly level: number;
  readonly newcomers: readonly PeerId[];
  readonly barred: readonly PeerId[];
  /** Moves in the last quarter of the turns. */
  readonly lateMoves: number;
  readonly wrong: readonly string[];
}

interface Group {
  readonly owner: number;
  readonly group: GroupId;
  readonly class: ErasureClass;
  readonly bytes: number;
  peers: readonly PeerId[];
}

interface Peer {
  readonly offer: Offer;
  usedBytes: number;
}

export interface LevellingOptions {
  readonly peers: number;
  readonly newcomers: number;
  readonly owners: number;
  readonly turns: number;
}

export class Levelling {
  readonly #random: Random;
  readonly #options: LevellingOptions;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #groups: Group[] = [];
  readonly #wrong: string[] = [];
  #movedBytes = 0;

  constructor(seed: string, options: LevellingOptions) {
    this.#random = seededRandom(`levelling/${seed}`);
    this.#options = options;
    for (let at = 0; at < options.peers; at++) this.#join(at);
    this.#fill();
  }

  run(): Levelled {
    const { peers, newcomers: count, turns } = this.#options;
    const newcomers = Array.from({ length: count }, (_, at) => this.#join(peers + at));
    const leastBytes = this.#leastBytes();
    let lateMoves = 0;
    for (let turn = 0; turn < turns; turn++) {
      const moved = this.#turn(turn);
      if (turn >= turns * 0.75) lateMoves += moved;
    }
    const all = [...this.#peers];
    const fullness = new Map(all.map(([peer, { usedBytes, offer }]) => {
      return [peer, usedBytes / offer.quotaBytes];
    }));
    const barred = all.filter(([, { offer }]) => offer.country === "US").map(([peer]) => peer);
    const { level } = this.#levels();
    return {
      movedBytes: this.#movedBytes, leastBytes, fullness, level, newcomers, barred, lateMoves,
      wrong: this.#wrong,
    };
  }

  #join(at: number): PeerId {
    const peer = parsePeerId(loopbackKeys(`level ${at}`).peer);
    const quotaBytes = (100 + this.#random.below(300)) * GiB;
    const offer: Offer = {
      peer, atMs: nowMs, household: `home ${at}`, country: at % 9 === 8 ? "US" : "DE",
      addresses: [], quotaBytes, freeBytes: quotaBytes, bytes: new Uint8Array(),
    };
    this.#peers.set(peer, { offer, usedBytes: 0 });
    return peer;
  }

  /** To six tenths, group by group, each drawn by what is free then. */
  #fill(): void {
    const quota = [...this.#peers.values()].reduce((sum, { offer }) => sum + offer.quotaBytes, 0);
    for (let used = 0; used < 0.6 * quota;) {
      const at = this.#groups.length;
      const one = erasureClasses[1 + this.#random.below(2)] as ErasureClass;
      const group = parseGroupId(this.#random.bytes(16).toString("hex"));
      const drawn = drawGroup({ class: one, offers: this.#offers(), policy, seed: group, nowMs });
      if (drawn.state !== "drawn") throw new Error("the network is full");
      const bytes = (1 + this.#random.below(12)) * GiB;
      const { owners } = this.#options;
      this.#groups.push({ owner: at % owners, group, class: one, bytes, peers: drawn.peers });
      for (const peer of drawn.peers) this.#add(peer, bytes);
      used += bytes * drawn.peers.length;
    }
  }

  /** All owners see the same, and nobody sees what the others do. */
  #turn(turn: number): number {
    const offers = this.#offers();
    const shifts = Array.from({ length: this.#options.owners }, (_, owner) => {
      return planShift(offers, this.#seatsOf(owner), turn);
    });
    return shifts.filter((shift) => shift !== undefined && this.#carryOut(shift, offers)).length;
  }

  #carryOut({ group: id, from, takers }: Shift, offers: readonly Offer[]): boolean {
    const at = this.#groups.findIndex(({ group }) => group === id);
    const group = this.#groups[at] as Group;
    const manifest = {
      owner: "aa".repeat(32), epoch: 1, policyHash: hashOfPolicy(policy), bytes: new Uint8Array(),
      group: id, class: group.class, peers: group.peers,
    } as Manifest;
    const known = offers.filter(({ peer }) => takers.includes(peer) || group.peers.includes(peer));
    const lostIndex = group.peers.indexOf(from);
    const drawn = replaceMember({ manifest, lostIndex, policy, nowMs, seed: id, offers: known });
    if (drawn.state !== "drawn") return false;
    const { country } = (this.#peers.get(drawn.peer) as Peer).offer;
    if (country === "US") this.#wrong.push(`${drawn.peer} is where the policy forbids`);
    group.peers = group.peers.with(lostIndex, drawn.peer);
    if (new Set(group.peers).size < group.peers.length) this.#wrong.push(`${id} seats one twice`);
    this.#add(from, -group.bytes);
    this.#add(drawn.peer, group.bytes);
    this.#movedBytes += group.bytes;
    return true;
  }

  #add(peer: PeerId, bytes: number): void {
    const one = this.#peers.get(peer) as Peer;
    one.usedBytes += bytes;
    if (one.usedBytes > one.offer.quotaBytes) this.#wrong.push(`${peer} is over its quota`);
  }

  #offers(): readonly Offer[] {
    return [...this.#peers.values()].map(({ offer, usedBytes }) => {
      return { ...offer, freeBytes: offer.quotaBytes - usedBytes };
    });
  }

  #seatsOf(owner: number): readonly SeatLoad[] {
    const own = this.#groups.filter((group) => group.owner === owner);
    return own.flatMap(({ group, peers, bytes }) => peers.map((peer) => ({ group, peer, bytes })));
  }

  /** Who is above the level has to lose what it has above it, and nothing more need move. */
  #leastBytes(): number {
    const { level } = this.#levels();
    return [...this.#peers.values()].reduce((sum, { offer: { quotaBytes }, usedBytes }) => {
      return sum + Math.max(0, usedBytes - level * quotaBytes);
    }, 0);
  }

  #levels(): { readonly level: number } {
    const all = [...this.#peers.values()];
    const used = all.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
    return { level: used / all.reduce((sum, { offer }) => sum + offer.quotaBytes, 0) };
  }
}
