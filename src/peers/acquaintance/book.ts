/**
 * The address book: the newest signed offer of every peer we have heard of, whether it is online,
 * how far away it is, and when to try it again. Bounded, and kept so that a restarted node finds
 * its peers. It dials nobody; it says who is due.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { peopleKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { KnownPeer } from "../../base/network.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Offer } from "../../base/records.ts";
import { parseOffer } from "../../crypt/records/records.ts";

interface Entry {
  offer: Offer;
  online: boolean;
  roundTripMs: number | undefined;
  /** When it last spoke with us; 0 for a peer known from hearsay only. */
  lastSeenMs: number;
  failures: number;
  dialAtMs: number;
  pingedAtMs: number;
  askedAtMs: number;
  lookedUpAtMs: number;
  readonly from: Source;
}

/** How an offer came to us. */
export interface Source {
  /** Who told of it, when not the peer itself. */
  readonly teller?: PeerId | undefined;
  /** The /24 or /48 that the peer itself came from. */
  readonly prefix?: string | undefined;
}

const prefix = peopleKeys.peer;
const friendPrefix = peopleKeys.friend;
/** Weight of a new round trip in the smoothed one, as TCP has it. */
const freshness = 1 / 8;

export class Book {
  readonly #needs: { clock: Clock; random: Random; log: Log; books: KeyValue };
  readonly #self: PeerId;
  readonly #entries = new Map<PeerId, Entry>();
  readonly #friends = new Set<PeerId>();
  /** What the books do not have yet, and when they shall. */
  readonly #dirty = new Set<PeerId>();
  #saveAtMs = Infinity;
  readonly #listeners = new Set<() => void>();
  #known: readonly KnownPeer[] | undefined;

  constructor(
    needs: { clock: Clock; random: Random; log: Log; books: KeyValue },
    options: { self: PeerId },
  ) {
    this.#needs = needs;
    this.#self = options.self;
  }

  async load(): Promise<void> {
    const spoilt: string[] = [];
    for await (const [key, value] of this.#needs.books.list(prefix)) {
      try {
        const reader = new Reader(value, "peers.book");
        const lastSeenMs = reader.varint();
        this.#remember(parseOffer(reader.bytes()), lastSeenMs, {});
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#needs.log.warn("book.spoilt", { key, fault: describe(error) });
        spoilt.push(key);
      }
    }
    for await (const [key] of this.#needs.books.list(friendPrefix)) {
      this.#friends.add(parsePeerId(key.slice(friendPrefix.length)));
    }
    const changes = spoilt.map((key) => ({ type: "delete", key }) as const);
    if (changes.length > 0) await this.#needs.books.batch(changes);
    this.#dirty.clear();
    this.#saveAtMs = Infinity;
  }

  /** Takes an offer whose signature was checked; true when it is new to us and credible. */
  accept(offer: Offer, from: Source = {}): boolean {
    const known = this.#entries.get(offer.peer);
    if (offer.peer === this.#self || !this.#credible(offer)) return false;
    if (known !== undefined && known.offer.atMs >= offer.atMs) return false;
    this.#remember(offer, 0, from);
    return true;
  }

  /** Its user and ours know each other: it is never forgotten for want of room, if few are. */
  async befriend(peer: PeerId): Promise<void> {
    const isFull = this.#friends.size >= limits.strangers.friendsMax;
    if (this.#friends.has(peer) || isFull) return;
    this.#friends.add(peer);
    const atMs = new Writer(8).varint(this.#needs.clock.now()).finish();
    await this.#needs.books.batch([{ type: "put", key: friendPrefix + peer, value: atMs }]);
  }

  isFriend(peer: PeerId): boolean {
    return this.#friends.has(peer);
  }

  #remember(offer: Offer, lastSeenMs: number, from: Source): void {
    const known = this.#entries.get(offer.peer);
    const isThere = known?.offer.addresses.join() === offer.addresses.join();
    if (known === undefined) this.#entries.set(offer.peer, fresh(offer, lastSeenMs, from));
    else known.offer = offer;
    this.#save(offer.peer, isThere ? limits.peers.bookEveryMs : 0);
    this.#makeRoom(from);
    this.#changed();
  }

  offerOf(peer: PeerId): Offer | undefined {
    return this.#entries.get(peer)?.offer;
  }

  peers(): readonly KnownPeer[] {
    this.#known ??= [...this.#entries].map(([peer, entry]) => ({
      offer: entry.offer,
      friend: this.#friends.has(peer),
      online: entry.online,
      roundTripMs: entry.roundTripMs,
      lastSeenMs: entry.lastSeenMs,
    }));
    return this.#known;
  }

  /** Offers to pass on: of peers that are online or were met, in random order. */
  sample(count: number, except: PeerId): readonly Offer[] {
    const met = [...this.#entries.values()].filter((entry) => entry.lastSeenMs > 0);
    const offers = met.map((entry) => entry.offer)
      .filter((offer) => offer.peer !== except && this.#credible(offer));
    return shuffled(offers, this.#needs.random).slice(0, count);
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  met(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    this.#save(peer, entry.lastSeenMs === 0 ? 0 : limits.peers.bookEveryMs);
    entry.lastSeenMs = this.#needs.clock.now();
    entry.failures = 0;
    if (entry.online) return;
    entry.online = true;
    this.#changed();
  }

  lost(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry?.online !== true) return;
    entry.online = false;
    entry.dialAtMs = this.#needs.clock.now() + limits.peers.redialMsMin;
    this.#changed();
  }

  /** A dial or a call got no answer: the next try waits twice as long, a little at random. */
  failed(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    const { redialMsMin, redialMsMax } = limits.peers;
    const waitMs = Math.min(redialMsMax, redialMsMin * 2 ** Math.min(entry.failures++, 20));
    const spread = 0.75 + this.#needs.random.unit() / 2;
    entry.dialAtMs = this.#needs.clock.now() + waitMs * spread;
  }

  answered(peer: PeerId, roundTripMs: number): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    const before = entry.roundTripMs ?? roundTripMs;
    entry.roundTripMs = before + (roundTripMs - before) * freshness;
    entry.pingedAtMs = this.#needs.clock.now();
    this.#known = undefined;
    this.met(peer);
  }

  /** Lost peers whose time has come, the longest due first. */
  dueDials(count: number): readonly PeerId[] {
    const nowMs = this.#needs.clock.now();
    // Beyond the longest wait: the clock was set back meanwhile.
    const lastMs = nowMs + 2 * limits.peers.redialMsMax;
    const due = ({ dialAtMs }: Entry) => dialAtMs <= nowMs || dialAtMs > lastMs;
    return this.#pick(count, (entry) => !entry.online && due(entry), "dialAtMs");
  }

  duePings(count: number): readonly PeerId[] {
    const due = (entry: Entry) => this.#isPast(entry.pingedAtMs, limits.peers.pingEveryMs);
    return this.#pick(count, (entry) => entry.online && due(entry), "pingedAtMs");
  }

  /**
   * Whom to ask for offers next; asking is noted. However many there are, a few are asked: each
   * answers with a sample of all, so that asking all would bring everybody's offer from everybody.
   */
  dueAsk(): PeerId | undefined {
    const nowMs = this.#needs.clock.now();
    const due = (entry: Entry) => this.#isPast(entry.askedAtMs, limits.peers.offerRefreshMs);
    const asked = this.#countOf((entry) => !due(entry));
    if (asked >= limits.peers.offerAsksMax) return undefined;
    const [peer] = this.#pick(1, (entry) => entry.online && due(entry), "askedAtMs");
    const entry = peer === undefined ? undefined : this.#entries.get(peer);
    if (entry !== undefined) entry.askedAtMs = nowMs;
    return peer;
  }

  /** Somebody we met who is not where we know him to be; asking for him is noted. */
  dueLookUp(): PeerId | undefined {
    const isLost = ({ online, failures, lastSeenMs }: Entry) =>
      !online && failures >= failuresMin && lastSeenMs > 0;
    const [peer] = this.#pick(1, (entry) => {
      return isLost(entry) && this.#isPast(entry.lookedUpAtMs, limits.dht.lookUpEveryMs);
    }, "lookedUpAtMs");
    const entry = peer === undefined ? undefined : this.#entries.get(peer);
    if (entry !== undefined) entry.lookedUpAtMs = this.#needs.clock.now();
    return peer;
  }

  /** There is news of where it is: it is tried now. */
  hurry(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    entry.failures = 0;
    entry.dialAtMs = this.#needs.clock.now();
  }

  /**
   * Writes what changed, forgets hearsay that is too old; true when there was something to write.
   * Whom we met stays until room is needed: a clock that is set wrong must not cost us our peers.
   * That somebody is still there is news for nobody: unless it is the end, it waits for better.
   */
  async flush({ isEnd = false } = {}): Promise<boolean> {
    for (const [peer, entry] of this.#entries) {
      if (isHearsay(entry) && !this.#credible(entry.offer)) this.#forget(peer);
    }
    if (!isEnd && this.#needs.clock.monotonicMs() < this.#saveAtMs) return false;
    const changed = [...this.#dirty].slice(0, flushMax);
    for (const peer of changed) this.#dirty.delete(peer);
    if (this.#dirty.size === 0) this.#saveAtMs = Infinity;
    if (changed.length === 0) return false;
    await this.#needs.books.batch(changed.map((peer) => this.#change(peer)));
    return true;
  }

  /** Within so long, with all else that is not written yet. */
  #save(peer: PeerId, withinMs: number): void {
    this.#dirty.add(peer);
    this.#saveAtMs = Math.min(this.#saveAtMs, this.#needs.clock.monotonicMs() + withinMs);
  }

  #change(peer: PeerId) {
    const entry = this.#entries.get(peer);
    const key = prefix + peer;
    if (entry === undefined) return { type: "delete", key } as const;
    const value = new Writer().varint(entry.lastSeenMs).bytes(entry.offer.bytes).finish();
    return { type: "put", key, value } as const;
  }

  #countOf(holds: (entry: Entry) => boolean): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (holds(entry)) count++;
    return count;
  }

  #pick(
    count: number,
    due: (entry: Entry) => boolean,
    order: "dialAtMs" | "pingedAtMs" | "askedAtMs" | "lookedUpAtMs",
  ): readonly PeerId[] {
    const found = [...this.#entries.values()].filter(due);
    found.sort((a, b) => a[order] - b[order]);
    return found.slice(0, count).map((entry) => entry.offer.peer);
  }

  /** So long ago, or in a future that a wrong clock once showed. */
  #isPast(atMs: number, agoMs: number): boolean {
    const sinceMs = this.#needs.clock.now() - atMs;
    return sinceMs >= agoMs || sinceMs < 0;
  }

  #credible(offer: Offer): boolean {
    const ageMs = this.#needs.clock.now() - offer.atMs;
    return ageMs <= limits.peers.offerAgeMsMax && ageMs >= -limits.peers.offerAheadMsMax;
  }

  /**
   * One source's hearsay, or what one prefix brought, makes room among itself first: nobody who
   * makes up peers by the thousand can push out those that others know.
   */
  #makeRoom({ teller, prefix: place }: Source): void {
    const { hearsayPerSourceMax, entriesPerPrefixMax } = limits.strangers;
    const isTold = (entry: Entry) => isHearsay(entry) && entry.from.teller === teller;
    if (teller !== undefined) this.#shrink(hearsayPerSourceMax, isTold);
    if (place !== undefined) {
      this.#shrink(entriesPerPrefixMax, (entry) => entry.from.prefix === place);
    }
    this.#shrink(limits.peers.offersMax, () => true);
  }

  /** Hearsay goes first, then who has not been seen for longest; never friends or who is online. */
  #shrink(most: number, concerns: (entry: Entry) => boolean): void {
    if (this.#entries.size <= most) return;
    const concerned = [...this.#entries.values()].filter(concerns);
    const surplus = concerned.length - most;
    if (surplus <= 0) return;
    const victims = concerned.filter(({ online, offer }) => !online && !this.isFriend(offer.peer));
    victims.sort((left, right) => left.lastSeenMs - right.lastSeenMs);
    for (const { offer } of victims.slice(0, surplus)) this.#forget(offer.peer);
  }

  #forget(peer: PeerId): void {
    this.#entries.delete(peer);
    this.#save(peer, 0);
    this.#changed();
  }

  #changed(): void {
    this.#known = undefined;
    for (const listener of this.#listeners) listener();
  }
}

/** Two tries in vain: it may have moved. */
const failuresMin = 2;

/** Entries written in one batch: a step stays short. */
const flushMax = 256;

function fresh(offer: Offer, lastSeenMs: number, from: Source): Entry {
  const never = { failures: 0, dialAtMs: 0, pingedAtMs: 0, askedAtMs: 0, lookedUpAtMs: 0 };
  return { offer, online: false, roundTripMs: undefined, lastSeenMs, ...never, from };
}

/** Nobody of this node has spoken with it. */
function isHearsay(entry: Entry): boolean {
  return entry.lastSeenMs === 0 && !entry.online;
}
