/**
 * What each stranger, and each part of the internet, may cost this node: requests and bytes over
 * time, streams, and memory at once. Whoever asks for more is told Busy, and who goes on flooding
 * is sent away until his time comes again. A peer whose request the vault has carried out (its
 * shards are here, or it is of a group that has some) is a partner: he may ask for much more, as
 * his owner's files should be quick. To the DHT he is a stranger still.
 */
import { Bucket, type BucketRate } from "../../base/bucket.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { Holding, JointHolding } from "../connection/holding.ts";

/** Who is at the other end of a connection, be he a partner or even a friend. */
export interface Stranger {
  readonly peer: PeerId;
  /** Where he comes from; undefined on this very machine. */
  readonly prefix: string | undefined;
}

export interface Cost {
  readonly requests: number;
  readonly bytes: number;
}

export type Role = "stranger" | "partner";

/** What may be asked over time. */
class Share {
  readonly #requests: Bucket;
  readonly #bytes: Bucket;
  #flooding = false;

  constructor(rates: Readonly<Record<keyof Cost, BucketRate>>, nowMs: number, many: number) {
    const bucket = ({ perSecond, burst }: BucketRate) =>
      new Bucket({ perSecond: perSecond * many, burst: burst * many }, nowMs);
    this.#requests = bucket(rates.requests);
    this.#bytes = bucket(rates.bytes);
  }

  spend(cost: Cost, nowMs: number): void {
    this.#requests.spend(cost.requests, nowMs);
    this.#bytes.spend(cost.bytes, nowMs);
  }

  isSpent(nowMs: number): boolean {
    return this.#requests.left(nowMs) <= 0 || this.#bytes.left(nowMs) <= 0;
  }

  /** He was told Busy again and again and asked on; it lasts until he has rested. */
  isFlooding(nowMs: number): boolean {
    const left = this.#requests.left(nowMs);
    if (left < -limits.strangers.floodRequests) this.#flooding = true;
    else if (left > 0) this.#flooding = false;
    return this.#flooding;
  }

  isFull(nowMs: number): boolean {
    return this.#requests.isFull(nowMs) && this.#bytes.isFull(nowMs);
  }
}

class Account {
  readonly shares: Readonly<Record<Role, Share>>;
  readonly holding: Holding;
  streams = 0;
  partnerUntilMs = -Infinity;

  constructor(nowMs: number, many: number) {
    const { rates, heldBytesMax } = limits.strangers;
    this.shares = {
      stranger: new Share(rates.stranger, nowMs, many),
      partner: new Share(rates.partner, nowMs, many),
    };
    this.holding = new Holding(heldBytesMax * many);
  }

  isFlooding(nowMs: number): boolean {
    return Object.values(this.shares).some((share) => share.isFlooding(nowMs));
  }

  isIdle(nowMs: number): boolean {
    const rested = Object.values(this.shares).every((share) => share.isFull(nowMs));
    return rested && this.streams === 0 && this.holding.heldBytes === 0;
  }
}

export interface StrangersNeeds {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** One who came by an invite, or was dialled by one. */
  readonly isFriend: (peer: PeerId) => boolean;
}

export class Strangers {
  readonly #clock: StrangersNeeds["clock"];
  readonly #isFriend: StrangersNeeds["isFriend"];
  readonly #peers = new Map<PeerId, Account>();
  readonly #prefixes = new Map<string, Account>();
  /** Of all who are no partners, of all who are no friends, and of everybody. */
  readonly #newcomers = new Holding(limits.peers.heldBytesMax / 2);
  readonly #crowd = new Holding(limits.peers.heldBytesMax / 2);
  readonly #all = new Holding(limits.peers.heldBytesMax);

  constructor({ clock, isFriend }: StrangersNeeds) {
    this.#clock = clock;
    this.#isFriend = isFriend;
  }

  /**
   * Memory for one stream's requests and answers, as its peer stands with us when it is asked for:
   * a half of all is beyond the reach of a crowd, and of its half a half is for partners.
   */
  holding(stranger: Stranger): () => JointHolding {
    const own = new Holding(limits.peers.laneHeldBytesMax);
    return () => new JointHolding([own, ...this.#circlesOf(stranger), this.#all]);
  }

  #circlesOf(stranger: Stranger): readonly Holding[] {
    const his = this.#accountsOf(stranger).map(({ holding }) => holding);
    if (this.#isFriend(stranger.peer)) return his.slice(0, 1);
    const isPartner = this.#roleOf(stranger) === "partner";
    return isPartner ? [...his, this.#crowd] : [...his, this.#newcomers, this.#crowd];
  }

  /** A stream of his begins; false when he has too many. Each that begins must end. */
  begin(stranger: Stranger): boolean {
    const accounts = this.#accountsOf(stranger);
    const { streamsMax } = limits.strangers;
    const fits = accounts.every(({ streams }, at) => streams < streamsMax * (at === 0 ? 1 : many));
    if (!fits || this.isFlooding(stranger)) return false;
    for (const account of accounts) account.streams++;
    return true;
  }

  end(stranger: Stranger): void {
    for (const account of this.#accountsOf(stranger)) account.streams--;
  }

  /** Before a request is looked at: counts it, and refuses who has had his share. */
  admit(stranger: Stranger, cost: Cost, role: Role = this.#roleOf(stranger)): void {
    const nowMs = this.#clock.monotonicMs();
    const shares = this.#accountsOf(stranger).map((account) => account.shares[role]);
    const isSpent = shares.some((share) => share.isSpent(nowMs));
    for (const share of shares) share.spend(cost, nowMs);
    if (isSpent) throw new HiveError("Busy", "peers.stranger", stranger.peer);
  }

  /** After it: what the answer weighed, and whether the vault knew him. */
  charge(stranger: Stranger, cost: Cost): void {
    const nowMs = this.#clock.monotonicMs();
    const role = this.#roleOf(stranger);
    for (const { shares } of this.#accountsOf(stranger)) shares[role].spend(cost, nowMs);
  }

  welcome(stranger: Stranger): void {
    const [account] = this.#accountsOf(stranger);
    if (account === undefined) return;
    account.partnerUntilMs = this.#clock.monotonicMs() + limits.strangers.partnerMs;
  }

  /** A partner or a friend. */
  isKnown(stranger: Stranger): boolean {
    return this.#roleOf(stranger) === "partner" || this.#isFriend(stranger.peer);
  }

  isFlooding(stranger: Stranger): boolean {
    const nowMs = this.#clock.monotonicMs();
    return this.#accountsOf(stranger).some((account) => account.isFlooding(nowMs));
  }

  #roleOf({ peer }: Stranger): Role {
    const { partnerUntilMs = -Infinity } = this.#peers.get(peer) ?? {};
    return partnerUntilMs > this.#clock.monotonicMs() ? "partner" : "stranger";
  }

  #accountsOf({ peer, prefix }: Stranger): readonly Account[] {
    const own = this.#account(this.#peers, peer, 1);
    return prefix === undefined ? [own] : [own, this.#account(this.#prefixes, prefix, many)];
  }

  #account<K>(accounts: Map<K, Account>, key: K, share: number): Account {
    const known = accounts.get(key);
    if (known !== undefined) return known;
    const nowMs = this.#clock.monotonicMs();
    if (accounts.size >= limits.strangers.rememberedMax) sweep(accounts, nowMs);
    const account = new Account(nowMs, share);
    accounts.set(key, account);
    return account;
  }
}

/** A neighbourhood may be a school or a lab: so many times what one peer may. */
const many = limits.strangers.perPrefix;

/** Who has rested is as good as new; were there none, the one that came first goes. */
function sweep<K>(accounts: Map<K, Account>, nowMs: number): void {
  const before = accounts.size;
  for (const [key, account] of accounts) if (account.isIdle(nowMs)) accounts.delete(key);
  if (accounts.size < before) return;
  for (const [key, account] of accounts) {
    if (account.streams > 0 || account.holding.heldBytes > 0) continue;
    accounts.delete(key);
    return;
  }
}
