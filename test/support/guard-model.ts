/**
 * The members of one group in virtual time: the very decisions of src/guard, on machines that crash,
 * lose their memory, are cut off from each other, hear messages late, twice, out of order or never.
 * Clocks differ; silence is taken for death, wrongly too; an owner comes back now and then. It looks
 * on from above and stops at the first thing that must never be.
 */
import { isFault } from "../../src/base/errors.ts";
import type { Pledge, Replacement, Vote } from "../../src/base/guard.ts";
import type { BaseId, EntryId, GroupId, OwnerId, PeerId } from "../../src/base/ids.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { type ErasureClass, type Manifest, type Offer, erasureClasses }
  from "../../src/base/records.ts";
import { type Pot, bestFor, isRightful, substituteFor } from "../../src/guard/draw.ts";
import { leaderOf, termAt } from "../../src/guard/lease.ts";
import { type Standing, baseOf, extend, forkOf, mayKeep, quorumOf, seatsOf, standingOf }
  from "../../src/guard/log.ts";
import { type Pledged, acceptedBy, choose, draft, seatToGive } from "../../src/guard/propose.ts";
import { type Ballot, freshBallot, newcomersBallot, pledged, voted } from "../../src/guard/voter.ts";
import { drawGroup } from "../../src/placement/draws/group.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { Agenda } from "./agenda.ts";
import { GuardWitness, Violation } from "./guard-witness.ts";
import { QuickDice } from "./quick-dice.ts";

const leaseMs = 60_000;
const hourMs = 3_600_000;
const beatMs = 4 * 60_000;
const deadAfterMs = 25 * 60_000;
/** Until then a death is fresh. */
const freshMs = 60 * 60_000;

export interface Outcome {
  readonly accepted: number;
  readonly manifests: number;
  readonly refusals: number;
  /** Seats of machines that are dead for good, at the end. */
  readonly leftDead: number;
  /** Shards of different seats on machines that will come back. */
  readonly living: number;
}

export interface Weather {
  /** Of messages, in percent. */
  readonly loss: number;
  readonly twice: number;
  readonly delayMsMax: number;
  /** How often something befalls somebody; Infinity for a calm. */
  readonly troubleMs: number;
  /** At the beginning. */
  readonly deaths: number;
  readonly hours: number;
  /** Machines lose their disks more often than they fall. */
  readonly isForgetful?: boolean;
}

interface Node {
  readonly peer: PeerId;
  readonly offer: Offer;
  readonly skewMs: number;
  state: "up" | "down" | "gone";
  /** Durable: newest manifest and log, ballot, and the seats whose shards it keeps. */
  standing: Standing | undefined;
  ballot: Ballot | undefined;
  readonly shards: Set<number>;
  /** Volatile: of each round that it leads, and when it last heard of whom. */
  heard: Map<PeerId, number>;
  roseMs: number;
  /** It leads later ones alone. */
  sinceTerm: number;
  leading: Leading | undefined;
  side: number;
}

interface Leading {
  readonly term: number;
  readonly seat: number;
  readonly answers: Pledged[];
  entry: Replacement | undefined;
  votes: Vote[];
}

type Message =
  | { readonly is: "beat"; readonly standing: Standing | undefined }
  | { readonly is: "tell"; readonly standing: Standing; readonly byOwner: boolean }
  | { readonly is: "pledge?"; readonly term: number; readonly base: BaseId;
      readonly position: number; readonly seat: number }
  | { readonly is: "pledge"; readonly term: number; readonly answer: Pledged }
  | { readonly is: "vote?"; readonly term: number; readonly entry: Replacement;
      readonly pledges: readonly Pledge[]; readonly offers: readonly Offer[] }
  | { readonly is: "vote"; readonly vote: Vote };

const noBytes = new Uint8Array(0);

export class GuardModel {
  readonly #dice: QuickDice;
  readonly #weather: Weather;
  readonly #class: ErasureClass;
  readonly #policy: Policy;
  readonly #nodes = new Map<PeerId, Node>();
  readonly #agenda = new Agenda();
  readonly #witness: GuardWitness;
  #owner: Standing;
  #nowMs = 1_764_000_000_000;
  #ids = 0;
  #manifests = 0;
  #refusals = 0;

  constructor(seed: string, weather: Weather, classes = ["mirror", "tiny", "tiny", "small"]) {
    this.#dice = new QuickDice(`guard model/${seed}`);
    this.#weather = weather;
    const name = classes[this.#dice.below(classes.length)];
    this.#class = erasureClasses.find((one) => one.name === name) as ErasureClass;
    this.#policy = this.#dice.below(2) === 0 ? defaultPolicy : {
      ...defaultPolicy,
      rules: [{ verb: "forbid", condition: { fact: "country", among: ["XA"] } }],
    };
    for (let at = 0; at < 2 * this.#class.n + 2; at++) this.#addNode(at);
    this.#witness = new GuardWitness({
      quorum: quorumOf(this.#class.n), offerOf: (peer) => this.#node(peer).offer,
      isBarred: ({ country }) => this.#policy.rules.length > 0 && country === "XA",
    });
    this.#owner = this.#firstManifest();
  }

  run(): Outcome {
    const { hours, troubleMs } = this.#weather;
    const endMs = this.#nowMs + hours * hourMs;
    for (const node of this.#nodes.values()) this.#every(beatMs, () => this.#beat(node));
    for (const node of this.#nodes.values()) this.#every(leaseMs / 2, () => this.#lead(node));
    if (troubleMs < Infinity) this.#every(troubleMs, () => this.#trouble());
    this.#kill(this.#weather.deaths);
    for (;;) {
      const event = this.#agenda.next();
      if (event === undefined || event.atMs > endMs) break;
      this.#nowMs = event.atMs;
      event.act();
    }
    return this.#outcome();
  }

  // ---- how it begins

  #addNode(at: number): void {
    const peer = `peer${String(at).padStart(3, "0")}` as PeerId;
    const offer: Offer = {
      peer, atMs: this.#nowMs, household: `home ${Math.floor(at / (at % 7 === 0 ? 2 : 1))}`,
      country: at % 5 === 0 ? "XA" : "DE", addresses: [], quotaBytes: 2 ** 40,
      freeBytes: 2 ** 33 + this.#dice.below(2 ** 30), bytes: noBytes,
    };
    this.#nodes.set(peer, {
      peer, offer, skewMs: this.#dice.below(leaseMs) - leaseMs / 2, state: "up",
      standing: undefined, ballot: undefined, shards: new Set(), heard: new Map(), roseMs: this.#nowMs,
      sinceTerm: 0, leading: undefined, side: 0,
    });
  }

  #firstManifest(): Standing {
    const offers = [...this.#nodes.values()].map(({ offer }) => offer);
    const wish = { offers, policy: this.#policy, nowMs: this.#nowMs, class: this.#class, seed: "g" };
    const drawn = drawGroup(wish);
    if (drawn.state !== "drawn") throw new Violation("the first draw");
    const standing = this.#sign(drawn.peers, 1);
    for (const [seat, peer] of drawn.peers.entries()) {
      const node = this.#node(peer);
      node.standing = standing;
      node.ballot = freshBallot(baseOf(standing.manifest));
      node.shards.add(seat);
    }
    return standing;
  }

  #sign(peers: readonly PeerId[], epoch: number): Standing {
    const bytes = Buffer.from(`manifest ${this.#manifests++}`);
    const manifest: Manifest = {
      owner: "aa".repeat(32) as OwnerId, group: "bb".repeat(16) as GroupId, epoch,
      class: this.#class, policyHash: hashOfPolicy(this.#policy), peers, bytes,
    };
    return { manifest, log: [] };
  }

  // ---- what machines do

  #beat(node: Node): void {
    if (node.state !== "up") return;
    const beat = { is: "beat", standing: node.standing } as const;
    for (const other of this.#nodes.values()) {
      if (other !== node && !this.#chance(this.#weather.loss)) this.#receive(node, other, beat);
    }
    this.#mend(node);
    this.#scrub(node);
  }

  #lead(node: Node): void {
    const { standing, state } = node;
    const term = this.#termOf(node);
    if (state !== "up" || standing === undefined || term <= node.sinceTerm) return;
    node.sinceTerm = term;
    const base = baseOf(standing.manifest);
    const seats = seatsOf(standing);
    const isMine = seats.includes(node.peer) && leaderOf(seats, base, term) === node.peer;
    if (!isMine) return;
    const seat = seatToGive(standing, {
      isDead: (peer) => this.#isDead(node, peer), isOnline: (peer) => this.#isHeard(node, peer),
      isFresh: (peer) => this.#isFresh(node, peer), isLeaving: () => false,
      nowMs: this.#nowMs + node.skewMs, leaseMs,
    });
    if (seat === undefined) return;
    node.leading = { term, seat, answers: [], entry: undefined, votes: [] };
    const position = standing.log.length;
    for (const peer of seats) this.#send(node, peer, { is: "pledge?", term, base, position, seat });
    this.#after(leaseMs / 6, () => this.#propose(node, term));
  }

  #propose(node: Node, term: number): void {
    const { leading, standing, state } = node;
    if (state !== "up" || standing === undefined || leading?.term !== term) return;
    const answers = leading.answers.filter(({ pledge }) => {
      return pledge.base === baseOf(standing.manifest) && pledge.position === standing.log.length;
    });
    const choice = choose(standing, answers);
    if (choice.state === "none") return;
    const offers = [...answers.flatMap((answer) => answer.offers)];
    const entry = choice.state === "bound" ? choice.entry : this.#draft(node, leading.seat, offers);
    if (entry === undefined) return;
    leading.entry = entry;
    const pledges = answers.map(({ pledge }) => pledge);
    for (const peer of seatsOf(standing)) {
      this.#send(node, peer, { is: "vote?", term, entry, pledges, offers });
    }
  }

  #draft(node: Node, seat: number, offers: readonly Offer[]): Replacement | undefined {
    const standing = node.standing as Standing;
    const peer = substituteFor(this.#potOf(node, offers), seat);
    if (peer === undefined) return undefined;
    const id = String(this.#ids++).padStart(64, "0") as EntryId;
    const told = draft(standing, { seat, peer, why: "dead", atMs: this.#nowMs });
    const entry = { ...told, id, by: node.peer, bytes: noBytes };
    this.#witness.drafted(entry, standing);
    return entry;
  }

  /** Whoever knows the group brings the shards that others of it lack, if k are in reach. */
  #mend(node: Node): void {
    if (node.standing === undefined || this.#dice.below(3) > 0) return;
    const seats = seatsOf(node.standing);
    const near = seats.map((peer) => this.#isNear(node, this.#node(peer)));
    const has = seats.map((peer, seat) => near[seat] === true && this.#node(peer).shards.has(seat));
    const sources = has.filter(Boolean).length;
    if (!seats.includes(node.peer) || sources < this.#class.k || sources === seats.length) return;
    for (const [seat, peer] of seats.entries()) {
      const target = this.#node(peer);
      if (has[seat] === true || near[seat] !== true || target.standing === undefined) continue;
      // The holder's own check: by what it knows, the seat is its own.
      if (mayKeep(target.standing, seat, peer)) target.shards.add(seat);
    }
  }

  /** What neither manifest nor log gives it goes, long after; a log alone takes nothing away. */
  #scrub(node: Node): void {
    const { standing } = node;
    if (standing === undefined || this.#dice.below(20) > 0) return;
    for (const seat of [...node.shards]) {
      if (mayKeep(standing, seat, node.peer)) continue;
      if (standing.manifest.peers[seat] === node.peer) throw new Violation("a seat of the owner's");
      node.shards.delete(seat);
    }
  }

  // ---- what they say to each other

  #send(from: Node, to: PeerId, message: Message): void {
    const { loss, twice, delayMsMax } = this.#weather;
    const copies = this.#chance(loss) ? 0 : this.#chance(twice) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const isFar = this.#chance(3);
      const delayMs = 5 + this.#dice.below(delayMsMax) * (isFar ? 20 : 1);
      this.#after(delayMs, () => this.#receive(from, this.#node(to), message));
    }
  }

  #receive(from: Node, to: Node, message: Message): void {
    if (to.state !== "up" || from.side !== to.side) return;
    to.heard.set(from.peer, this.#nowMs);
    try {
      this.#take(from, to, message);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#refusals++;
    }
  }

  #take(from: Node, to: Node, message: Message): void {
    switch (message.is) {
      case "beat": if (message.standing !== undefined) this.#learn(to, message.standing, false); break;
      case "tell": return this.#learn(to, message.standing, message.byOwner);
      case "pledge?": return this.#pledge(from, to, message);
      case "pledge": return void to.leading?.answers.push(...this.#fitting(to, message));
      case "vote?": return this.#vote(from, to, message);
      case "vote": return this.#count(to, message.vote);
    }
  }

  #fitting(to: Node, { term, answer }: { readonly term: number; readonly answer: Pledged }) {
    const { leading } = to;
    const isNew = leading?.answers.every(({ pledge }) => pledge.voter !== answer.pledge.voter);
    return leading?.term === term && isNew === true ? [answer] : [];
  }

  #pledge(from: Node, to: Node, ask: Extract<Message, { is: "pledge?" }>): void {
    const { standing, ballot } = to;
    if (standing === undefined || ballot === undefined) return;
    const voter = { self: to.peer, standing, ballot, termNow: this.#termOf(to) };
    to.ballot = pledged(voter, { from: from.peer, ...ask });
    const { base, position, term, seat } = ask;
    const vote = to.ballot.voted;
    const last = vote === undefined ? undefined : { term: vote.term, entry: vote.entry.id };
    const pledge: Pledge = { voter: to.peer, base, position, term, voted: last, bytes: noBytes };
    const offers = bestFor(this.#potOf(to, []), seat);
    const answer = { pledge, entry: vote?.entry, offers };
    if (this.#mayCrash(to)) return;
    this.#send(to, from.peer, { is: "pledge", term, answer });
  }

  #vote(from: Node, to: Node, ask: Extract<Message, { is: "vote?" }>): void {
    const { standing, ballot } = to;
    if (standing === undefined || ballot === undefined) return;
    const { entry, term } = ask;
    const voter = { self: to.peer, standing, ballot, termNow: this.#termOf(to) };
    const pot = this.#potOf(to, [...ask.offers, ...bestFor(this.#potOf(to, []), entry.seat)]);
    const { base, position } = entry;
    to.ballot = voted(voter, { from: from.peer, base, position, ...ask }, {
      isDead: (peer) => this.#isDead(to, peer), isLeaving: () => false,
      isRightful: (one, how) => isRightful(pot, one, how),
    });
    this.#witness.swear(to.peer, entry, term);
    if (this.#mayCrash(to)) return;
    const vote = { voter: to.peer, term, entry: entry.id, bytes: noBytes };
    this.#send(to, from.peer, { is: "vote", vote });
  }

  #count(node: Node, vote: Vote): void {
    const { leading, standing } = node;
    if (leading?.entry?.id !== vote.entry || leading.term !== vote.term) return;
    if (leading.votes.some(({ voter }) => voter === vote.voter)) return;
    leading.votes.push(vote);
    if (standing === undefined || leading.entry.position !== standing.log.length) return;
    const accepted = acceptedBy(standing, leading.entry, leading.votes);
    if (accepted === undefined) return;
    this.#learn(node, extend(standing, accepted), false);
    node.leading = undefined;
    for (const peer of [...seatsOf(standing), accepted.entry.peer, accepted.entry.lost]) {
      this.#send(node, peer, { is: "tell", standing: node.standing as Standing, byOwner: false });
    }
  }

  /** As the vault does: a newer manifest begins anew, a longer log of the same one goes on. */
  #learn(node: Node, told: Standing, byOwner: boolean): void {
    const here = node.standing;
    if (here === told) return;
    standingOf(told.manifest, told.log);
    const isMember = [...told.manifest.peers, ...seatsOf(told)].includes(node.peer);
    if (here === undefined) {
      if (!isMember) return;
      node.ballot = byOwner
        ? freshBallot(baseOf(told.manifest)) : newcomersBallot(told, node.peer);
    } else if (told.manifest.epoch < here.manifest.epoch) return;
    else if (told.manifest.epoch === here.manifest.epoch) {
      if (forkOf(here.log, told.log) !== undefined) throw new Violation("a member sees two logs");
      if (told.log.length <= here.log.length) return;
    } else node.ballot = freshBallot(baseOf(told.manifest));
    node.standing = told;
    this.#witness.believed(told);
  }

  // ---- what befalls them

  #trouble(): void {
    const nodes = [...this.#nodes.values()];
    const node = nodes[this.#dice.below(nodes.length)] as Node;
    if (this.#weather.isForgetful === true && this.#dice.below(3) > 0) {
      const seated = seatsOf(this.#owner);
      return this.#loseMemory(this.#node(seated[this.#dice.below(seated.length)] as PeerId));
    }
    switch (this.#dice.below(9)) {
      case 0: case 1: return this.#fall(node, this.#dice.below(2 * hourMs));
      case 2: return this.#dice.below(2) === 0 ? this.#loseMemory(node) : this.#kill(1);
      case 3: case 4: return this.#cut();
      case 5: case 6: return this.#heal();
      case 7: return this.#returnOwner();
      default: return this.#kill(this.#dice.below(2));
    }
  }

  #fall(node: Node, forMs: number): void {
    if (node.state !== "up") return;
    node.state = "down";
    this.#after(forMs, () => this.#rise(node));
  }

  #rise(node: Node): void {
    if (node.state !== "down") return;
    node.state = "up";
    node.leading = undefined;
    node.heard = new Map();
    node.roseMs = this.#nowMs;
    // It may have led the term that it rises in.
    node.sinceTerm = this.#termOf(node);
  }

  #loseMemory(node: Node): void {
    if (node.state === "gone") return;
    node.standing = undefined;
    node.ballot = undefined;
    node.shards.clear();
    this.#fall(node, this.#dice.below(hourMs));
  }

  #kill(count: number): void {
    const seated = seatsOf(this.#owner).map((peer) => this.#node(peer));
    const living = seated.filter(({ state }) => state !== "gone");
    for (let turn = 0; turn < count && living.length > this.#class.k; turn++) {
      const [node] = living.splice(this.#dice.below(living.length), 1);
      if (node !== undefined) node.state = "gone";
    }
  }

  #cut(): void {
    const sides = 2 + this.#dice.below(2);
    for (const node of this.#nodes.values()) node.side = this.#dice.below(sides);
  }

  #heal(): void {
    for (const node of this.#nodes.values()) node.side = 0;
  }

  /** Reads the logs of those in reach, adopts what holds, or overrules all of it, and signs anew. */
  #returnOwner(): void {
    const side = this.#dice.below(2);
    const told = [...this.#nodes.values()].flatMap(({ standing, state, side: at }) => {
      const isNewest = standing?.manifest.epoch === this.#owner.manifest.epoch;
      return state === "up" && at === side && isNewest && standing !== undefined ? [standing] : [];
    });
    const longest = told.reduce((a, b) => (b.log.length > a.log.length ? b : a), this.#owner);
    if (longest.log.length === 0) return;
    const isAdopting = this.#dice.below(4) > 0;
    const holds = (peer: PeerId, seat: number): boolean => this.#node(peer).shards.has(seat);
    const peers = seatsOf(longest).map((peer, seat) => {
      const before = longest.manifest.peers[seat] as PeerId;
      return isAdopting && holds(peer, seat) ? peer : before;
    });
    const isSound = new Set(peers).size === peers.length;
    const epoch = this.#owner.manifest.epoch + 1;
    this.#owner = this.#sign(isSound ? peers : longest.manifest.peers, epoch);
    for (const node of this.#nodes.values()) {
      const isReached = node.state === "up" && node.side === side && this.#dice.below(10) > 0;
      if (isReached) this.#learn(node, this.#owner, true);
    }
  }

  #outcome(): Outcome {
    const seats = new Set<number>();
    for (const node of this.#nodes.values()) {
      if (node.state !== "gone") for (const seat of node.shards) seats.add(seat);
    }
    const standings = [...this.#nodes.values()].flatMap(({ state, standing }) => {
      return state === "gone" || standing === undefined ? [] : [standing];
    });
    const newest = standings.reduce((a, b) => (isNewer(b, a) ? b : a), this.#owner);
    const leftDead = seatsOf(newest).filter((peer) => this.#node(peer).state === "gone").length;
    return {
      accepted: this.#witness.accepted, manifests: this.#manifests, refusals: this.#refusals,
      leftDead, living: seats.size,
    };
  }

  // ---- small words

  #isDead(node: Node, peer: PeerId): boolean {
    return peer !== node.peer && this.#silenceMs(node, peer) > deadAfterMs;
  }

  #isFresh(node: Node, peer: PeerId): boolean {
    return this.#isDead(node, peer) && this.#silenceMs(node, peer) <= freshMs;
  }

  /** Of whom it never heard it has been waiting since it rose. */
  #silenceMs(node: Node, peer: PeerId): number {
    return this.#nowMs - (node.heard.get(peer) ?? node.roseMs);
  }

  #isHeard(node: Node, peer: PeerId): boolean {
    return peer === node.peer || this.#nowMs - (node.heard.get(peer) ?? 0) < 3 * beatMs;
  }

  #isNear(node: Node, other: Node): boolean {
    return other.state === "up" && node.side === other.side;
  }

  #potOf(node: Node, told: readonly Offer[]): Pot {
    const known = [...this.#nodes.values()].map((other): KnownPeer => ({
      offer: other.offer, online: this.#isHeard(node, other.peer), roundTripMs: undefined,
      lastSeenMs: node.heard.get(other.peer) ?? 0,
    }));
    const standing = node.standing as Standing;
    return { standing, policy: this.#policy, nowMs: this.#nowMs, known, told, owners: new Set() };
  }

  #node(peer: PeerId): Node {
    return this.#nodes.get(peer) as Node;
  }

  #termOf(node: Node): number {
    return termAt(this.#nowMs + node.skewMs, leaseMs);
  }

  #mayCrash(node: Node): boolean {
    const isCrash = this.#weather.troubleMs < Infinity && this.#dice.below(200) === 0;
    if (isCrash) this.#fall(node, this.#dice.below(30 * 60_000));
    return isCrash;
  }

  #chance(percent: number): boolean {
    return this.#dice.below(100) < percent;
  }

  #every(periodMs: number, act: () => void): void {
    const again = (): void => {
      act();
      this.#after(periodMs, again);
    };
    this.#after(this.#dice.below(periodMs), again);
  }

  #after(delayMs: number, act: () => void): void {
    this.#agenda.put({ atMs: this.#nowMs + delayMs, act });
  }
}

function isNewer(one: Standing, other: Standing): boolean {
  const [a, b] = [one.manifest.epoch, other.manifest.epoch];
  return a === b ? one.log.length > other.log.length : a > b;
}

/** The weather of a seed: from a drizzle to what no network would survive. */
export function weatherOf(seed: number): Weather {
  const dice = new QuickDice(`weather/${seed}`);
  return {
    loss: dice.below(30), twice: dice.below(20), delayMsMax: 50 + dice.below(3000),
    troubleMs: (3 + dice.below(20)) * 60_000, deaths: 0, hours: 3, isForgetful: seed % 4 === 0,
  };
}
