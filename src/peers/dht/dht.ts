/**
 * Asking our own Kademlia DHT: tens of small records per owner, nothing per shard. A lookup goes
 * several ways that share no peer, believes no answer that it has not checked, and takes the
 * newest of all; so liars can be silent at most. What may lie where is in dht-records.ts.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Head, Manifest, Offer } from "../../base/records.ts";
import type { Node } from "../libp2p/node.ts";
import { type Found, believe, groupKey, headKey, offerKey } from "./dht-records.ts";
import { type Slot, anywhere, encodeSlot, narrower, slotDepths, slotKey, slotOf } from "./slots.ts";

/** Resolves when at least one other peer keeps the record. */
export function publishRecord(
  node: Node, record: Head | Manifest, signal: AbortSignal | undefined,
): Promise<void> {
  const key = "sequence" in record
    ? headKey(record.owner)
    : groupKey(record.owner, record.group);
  return put(node, key, record.bytes, signal);
}

export async function resolveHead(
  node: Node, owner: OwnerId, signal: AbortSignal | undefined,
): Promise<Head | undefined> {
  const found = newest(await lookUp(node, headKey(owner), signal));
  return found?.kind === "head" ? found.record : undefined;
}

export async function resolveManifest(
  node: Node, owner: OwnerId, group: string, signal: AbortSignal | undefined,
): Promise<Manifest | undefined> {
  const found = newest(await lookUp(node, groupKey(owner, group), signal));
  return found?.kind === "group" ? found.record : undefined;
}

/** A peer's own word of where it is. */
export async function resolveOffer(
  node: Node, peer: PeerId, signal: AbortSignal | undefined,
): Promise<Offer | undefined> {
  const found = newest(await lookUp(node, offerKey(peer), signal));
  return found?.kind === "offer" ? found.record : undefined;
}

/**
 * Puts an offer under its peer's name, and into the slots of the world and of its country: in each
 * the widest, and narrower ones as long as others fill them.
 */
export async function publishOffer(
  node: Node, offer: Offer, signal: AbortSignal | undefined,
): Promise<void> {
  await put(node, offerKey(offer.peer), offer.bytes, signal);
  const places = offer.country === undefined ? [anywhere] : [anywhere, offer.country];
  for (const place of places) {
    for (const depth of slotDepths.keys()) {
      const slot = slotOf(offer.peer, { place, depth });
      const others = await offersIn(node, slot, signal);
      await put(node, keyOf(slot), encodeSlot([offer]), signal);
      if (others.length < isFullAt) break;
    }
  }
}

export interface Told {
  readonly offer: Offer;
  /** Who answered with it; undefined when this node itself keeps it. */
  readonly teller: PeerId | undefined;
}

export interface SearchOptions {
  /** A country's two letters; anywhere when undefined. */
  readonly country?: string | undefined;
  /** Enough of them, if there are as many. */
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
}

/** Peers of a place by their offers: of the widest slot, and of narrower ones where it is full. */
export async function searchOffers(
  node: Node, random: Random, { country, count, signal }: SearchOptions,
): Promise<readonly Told[]> {
  const found = new Map<PeerId, Told>();
  let slots: readonly Slot[] = [{ place: country ?? anywhere, bits: "" }];
  for (let looks = 0; looks < limits.dht.slotLooksMax && found.size < count; looks++) {
    const [slot, ...rest] = slots;
    if (slot === undefined) break;
    const told = await offersIn(node, slot, signal);
    for (const one of told) keepNewer(found, one);
    const more = told.length < isFullAt ? [] : shuffled(narrower(slot), random);
    slots = [...rest, ...more.slice(0, limits.dht.slotLooksMax)];
  }
  return [...found.values()];
}

/** Somebody may have left it a moment ago: so many mean that others found no room. */
const isFullAt = Math.ceil(limits.dht.slotOffersMax * 3 / 4);

/** All that the keepers of a slot tell, each offer once and the newest of it. */
async function offersIn(
  node: Node, slot: Slot, signal: AbortSignal | undefined,
): Promise<readonly Told[]> {
  const offers = new Map<PeerId, Told>();
  for (const { found, from } of await lookUp(node, keyOf(slot), signal)) {
    if (found.kind !== "slot") continue;
    for (const offer of found.offers) keepNewer(offers, { offer, teller: from });
  }
  return [...offers.values()];
}

function keepNewer(offers: Map<PeerId, Told>, told: Told): void {
  const { peer, atMs } = told.offer;
  if ((offers.get(peer)?.offer.atMs ?? -1) < atMs) offers.set(peer, told);
}

function keyOf(slot: Slot): Uint8Array {
  return Buffer.from(slotKey(slot));
}

async function put(
  node: Node, key: Uint8Array, value: Uint8Array, signal: AbortSignal | undefined,
): Promise<void> {
  if (node.getConnections().length === 0) throw unavailable("peers.publish", key);
  let kept = 0;
  const within = bounded(signal, limits.dht.publishTimeoutMs);
  try {
    const query = node.services.dht.put(key, value, { signal: within });
    for await (const event of query) {
      if (event.name === "PEER_RESPONSE" && event.messageName === "PUT_VALUE") kept++;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (kept === 0) throw unavailable("peers.publish", key, cause);
  }
  if (kept === 0) throw unavailable("peers.publish", key);
}

interface Answer {
  readonly found: Found;
  readonly from: PeerId | undefined;
}

/** Every answer that is right, whoever gave it. */
async function lookUp(
  node: Node, key: Uint8Array, signal: AbortSignal | undefined,
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  const hear = (value: Uint8Array | undefined, from: string | undefined) => {
    const found = value === undefined ? undefined : believeQuietly(key, value);
    if (found !== undefined) answers.push({ found, from: from as PeerId | undefined });
  };
  const within = bounded(signal, limits.peers.resolveTimeoutMs);
  try {
    for await (const event of node.services.dht.get(key, { signal: within })) {
      // Each answer counts by itself: the last word fails when one peer takes no correction.
      if (event.name === "PEER_RESPONSE") hear(event.record?.value, event.from.toString());
      else if (event.name === "VALUE") hear(event.value, undefined);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (answers.length === 0) throw unavailable("peers.resolve", key, cause);
  }
  return answers;
}

function newest(answers: readonly Answer[]): Found | undefined {
  let best: Found | undefined;
  for (const { found } of answers) if (found.version > (best?.version ?? -Infinity)) best = found;
  return best;
}

function believeQuietly(key: Uint8Array, value: Uint8Array): Found | undefined {
  try {
    return believe(key, value);
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

function bounded(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

function unavailable(op: string, key: Uint8Array, cause?: unknown): HiveError {
  const options = cause === undefined ? {} : { cause };
  return new HiveError("Unavailable", op, Buffer.from(key).toString("latin1"), options);
}
