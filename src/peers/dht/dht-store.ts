/**
 * The DHT records that this node keeps for others, in memory and bounded. The newest of a key
 * stays: an old one that somebody sends again does not push it out. What one peer or one address
 * prefix brought makes room among itself, and into a slot a peer puts its own offer only. Nothing
 * that is no record of ours is kept.
 */
import { NotFoundError } from "@libp2p/interface";
import { Libp2pRecord } from "@libp2p/record";
import { BaseDatastore } from "datastore-core";
import { base32 } from "multiformats/bases/base32";
import { sameBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Offer } from "../../base/records.ts";
import type { Stranger } from "../answering/strangers.ts";
import { type Found, believe } from "./dht-records.ts";
import { type Slot, encodeSlot, parseSlotKey, slotKey } from "./slots.ts";

type Key = Parameters<BaseDatastore["get"]>[0];

const { recordAgeMsMax } = limits.dht;

interface Item {
  readonly name: string;
  readonly value: Uint8Array;
  readonly version: number;
  readonly keptAtMs: number;
  /** Who sent it; undefined for what this node itself published or looked up. */
  readonly stranger: Stranger | undefined;
}

interface SlotItem extends Item {
  readonly offer: Offer;
}

export interface DhtStoreNeeds {
  readonly clock: Pick<Clock, "now">;
  /** Whose message is being answered now. */
  readonly stranger: () => Stranger | undefined;
}

export class DhtStore extends BaseDatastore {
  readonly #needs: DhtStoreNeeds;
  /** The one that was sent longest ago first. */
  readonly #items = new Map<string, Item>();
  readonly #slots = new Map<string, Map<string, SlotItem>>();
  readonly #counts = new Map<string, number>();
  #bytes = 0;

  constructor(needs: DhtStoreNeeds) {
    super();
    this.#needs = needs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  override put(key: Key, stored: Uint8Array): Key {
    const record = recordOf(stored);
    if (record === undefined) return key;
    const found = believeQuietly(record, this.#needs.stranger()?.peer);
    const name = textOf(record.key);
    if (found?.kind === "slot") this.#putOffers(name, found.offers);
    else if (found !== undefined) this.#putNewest(name, found, record.value);
    this.#makeRoom();
    return key;
  }

  override get(key: Key): Uint8Array {
    const name = nameOf(key);
    const value = this.#valueOf(name);
    if (value === undefined) throw new NotFoundError("not kept");
    const receivedAt = new Date(this.#needs.clock.now());
    return new Libp2pRecord(Buffer.from(name), value, receivedAt).serialize();
  }

  override has(key: Key): boolean {
    return this.#valueOf(nameOf(key)) !== undefined;
  }

  override delete(key: Key): void {
    this.#forget(nameOf(key));
  }

  override *_all(): Generator<never> {}
  override *_allKeys(): Generator<never> {}

  #now(): { readonly keptAtMs: number; readonly stranger: Stranger | undefined } {
    return { keptAtMs: this.#needs.clock.now(), stranger: this.#needs.stranger() };
  }

  #valueOf(name: string): Uint8Array | undefined {
    const slot = parseSlotKey(name);
    if (slot !== undefined) return this.#slotValue(slot);
    const item = this.#items.get(name);
    const aged = item !== undefined && this.#isPast(item.keptAtMs, recordAgeMsMax);
    if (!aged) return item?.value;
    this.#forget(name);
    return undefined;
  }

  #slotValue(slot: Slot): Uint8Array | undefined {
    const offers: Offer[] = [];
    for (const [name, { offer }] of this.#slots.get(slotKey(slot)) ?? []) {
      if (this.#isFresh(offer)) offers.push(offer);
      else this.#forget(name);
    }
    return offers.length === 0 ? undefined : encodeSlot(offers);
  }

  #putNewest(name: string, found: Exclude<Found, { kind: "slot" }>, value: Uint8Array): void {
    const { version } = found;
    const { keptAtMs, stranger } = this.#now();
    const known = this.#items.get(name);
    const isFresh = known !== undefined && !this.#isPast(known.keptAtMs, recordAgeMsMax);
    if (isFresh && known.version > version) return;
    // Whoever sends it again does not make it his, and so does not take it along with what is his.
    const isAgain = isFresh && sameBytes(known.value, value) && makerOf(found) !== stranger?.peer;
    const by = isAgain ? known.stranger : stranger;
    this.#keep({ name, version, keptAtMs, stranger: by, value: Buffer.from(value) });
  }

  #putOffers(slot: string, offers: readonly Offer[]): void {
    const { keptAtMs, stranger } = this.#now();
    for (const offer of offers) {
      const isOwn = stranger === undefined || stranger.peer === offer.peer;
      const name = `${slot}#${offer.peer}`;
      const known = this.#items.get(name);
      const isNews = known === undefined || known.version < offer.atMs;
      const fits = known !== undefined || this.#fits(slot, stranger);
      if (!isOwn || !isNews || !this.#isFresh(offer) || !fits) continue;
      const item = { name, value: offer.bytes, version: offer.atMs, keptAtMs, stranger, offer };
      this.#keep(item);
      const here = this.#slots.get(slot) ?? new Map<string, SlotItem>();
      this.#slots.set(slot, here.set(name, item));
    }
  }

  /** Who is there stays while its offer is fresh: a flood of newcomers does not push it out. */
  #fits(slot: string, stranger: Stranger | undefined): boolean {
    const here = this.#slots.get(slot);
    if (here === undefined) return true;
    for (const [name, { offer }] of here) if (!this.#isFresh(offer)) this.#forget(name);
    const { prefix } = stranger ?? {};
    const same = [...here.values()].filter((one) => one.stranger?.prefix === prefix).length;
    const few = prefix === undefined || same < limits.dht.slotOffersPerPrefixMax;
    return here.size < limits.dht.slotOffersMax && few;
  }

  #isFresh(offer: Offer): boolean {
    const ageMs = this.#needs.clock.now() - offer.atMs;
    return ageMs <= limits.dht.slotAgeMsMax && ageMs >= -limits.peers.offerAheadMsMax;
  }

  #isPast(atMs: number, agoMs: number): boolean {
    return Math.abs(this.#needs.clock.now() - atMs) > agoMs;
  }

  #keep(item: Item): void {
    this.#forget(item.name);
    this.#items.set(item.name, item);
    this.#bytes += item.value.length;
    for (const source of sourcesOf(item)) {
      this.#counts.set(source, (this.#counts.get(source) ?? 0) + 1);
    }
    const { recordsPerPeerMax, recordsPerPrefixMax } = limits.dht;
    const [peer, prefix] = sourcesOf(item);
    if (peer !== undefined) this.#shrink(peer, recordsPerPeerMax);
    if (prefix !== undefined) this.#shrink(prefix, recordsPerPrefixMax);
  }

  /** The oldest of one source goes when it has too many. */
  #shrink(source: string, most: number): void {
    if ((this.#counts.get(source) ?? 0) <= most) return;
    for (const item of this.#items.values()) {
      if (!sourcesOf(item).includes(source)) continue;
      return this.#forget(item.name);
    }
  }

  #makeRoom(): void {
    const { rememberedMax, rememberedBytesMax } = limits.peers;
    while (this.#items.size > rememberedMax || this.#bytes > rememberedBytesMax) {
      this.#forget(this.#items.keys().next().value as string);
    }
  }

  #forget(name: string): void {
    const item = this.#items.get(name);
    if (item === undefined) return;
    this.#items.delete(name);
    this.#bytes -= item.value.length;
    for (const source of sourcesOf(item)) {
      const left = (this.#counts.get(source) ?? 0) - 1;
      if (left > 0) this.#counts.set(source, left);
      else this.#counts.delete(source);
    }
    const [slot = ""] = name.split("#");
    const here = this.#slots.get(slot);
    here?.delete(name);
    if (here?.size === 0) this.#slots.delete(slot);
  }
}

/** Who made it himself, as far as it says so. */
function makerOf(found: Exclude<Found, { kind: "slot" }>): PeerId | undefined {
  return found.kind === "group" ? undefined : found.record.peer;
}

/** Names of the peer and of the prefix that a thing came from; none for our own. */
function sourcesOf({ stranger }: Item): readonly string[] {
  if (stranger === undefined) return [];
  return stranger.prefix === undefined ? [stranger.peer] : [stranger.peer, stranger.prefix];
}

/** The DHT's own envelope around a key and a value; undefined when it is none. */
function recordOf(stored: Uint8Array): Libp2pRecord | undefined {
  try {
    return Libp2pRecord.deserialize(stored);
  } catch {
    // A list of providers, or bytes of chance: neither is ours to keep.
    return undefined;
  }
}

function believeQuietly(record: Libp2pRecord, by: PeerId | undefined) {
  try {
    return believe(record.key, record.value, by);
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

/** The DHT names what it stores by the base32 of its key. */
function nameOf(key: Key): string {
  const last = key.toString().split("/").at(-1) ?? "";
  // Its lists of providers have other names, which are none of ours.
  return isBase32.test(last) ? textOf(base32.baseDecode(last)) : "";
}

const isBase32 = /^[a-z2-7]+$/;
