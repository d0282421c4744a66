/**
 * Where in the DHT offers are kept, so that a searcher finds peers of a place without a list of
 * everybody. An offer lies in slots: one for the whole world and one for its country, each of them
 * again in narrower ones that only peers with such a hash may enter. A slot holds few offers; who
 * finds one full goes on in the next narrower one, and so does who publishes. In a small network
 * all meet in two slots; in a large one each slot names a handful of many. Pure.
 *
 *   /hive/slot/1/PLACE/BITS    PLACE: two capital letters, or -- for anywhere
 *                              BITS: the first 0, 4, 8 or 12 bits of the peer's hash, as 0 and 1
 *   hash = SHA-256("hive slot 1" | 32-byte public key of the peer)
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Offer } from "../../base/records.ts";
import { publicKeyOfPeer } from "../../crypt/ciphers/peer-key.ts";
import { sha256 } from "../../crypt/ciphers/sha256.ts";
import { parseOffer } from "../../crypt/records/records.ts";
import { encodeList, parseList } from "../wire/message.ts";

export interface Slot {
  /** A country's two letters, or `anywhere`. */
  readonly place: string;
  readonly bits: string;
}

export const anywhere = "--";
/** How many bits the slots of each depth have. */
export const slotDepths: readonly number[] = [0, 4, 8, 12];

const shape = /^\/hive\/slot\/1\/([A-Z]{2}|--)\/([01]*)$/;

export function slotKey({ place, bits }: Slot): string {
  return `/hive/slot/1/${place}/${bits}`;
}

/** Undefined for the key of anything else. */
export function parseSlotKey(text: string): Slot | undefined {
  const found = shape.exec(text);
  if (found === null) return undefined;
  const [, place = "", bits = ""] = found;
  return slotDepths.includes(bits.length) ? { place, bits } : undefined;
}

export function slotOf(peer: PeerId, { place, depth }: { place: string; depth: number }): Slot {
  return { place, bits: hashBits(peer).slice(0, slotDepths[depth]) };
}

/** The slots that lie in this one: one depth further. */
export function narrower({ place, bits }: Slot): readonly Slot[] {
  const next = slotDepths[slotDepths.indexOf(bits.length) + 1];
  if (next === undefined) return [];
  const width = next - bits.length;
  return Array.from({ length: 2 ** width }, (_, number) => {
    return { place, bits: bits + number.toString(2).padStart(width, "0") };
  });
}

export function belongs(offer: Offer, { place, bits }: Slot): boolean {
  const isThere = place === anywhere || offer.country === place;
  return isThere && hashBits(offer.peer).startsWith(bits);
}

export function encodeSlot(offers: readonly Offer[]): Uint8Array {
  return encodeList(offers.map(({ bytes }) => bytes));
}

/**
 * Offers whose signatures are right and that may lie there; else Corrupt. Of what one peer puts
 * there its own is looked at and no other, as 32 signatures take a processor 5 ms.
 */
export function parseSlot(slot: Slot, value: Uint8Array, by?: PeerId): readonly Offer[] {
  const told = parseList(value, limits.dht.slotOffersMax);
  const offers = (by === undefined ? told : ownOf(by, told)).map(parseOffer);
  const distinct = new Set(offers.map(({ peer }) => peer));
  const right = offers.every((offer) => belongs(offer, slot)) && distinct.size === offers.length;
  if (right && told.length > 0) return offers;
  throw new HiveError("Corrupt", "peers.slot", slotKey(slot));
}

/** The first that has the peer's key in it. */
function ownOf(peer: PeerId, told: readonly Uint8Array[]): readonly Uint8Array[] {
  const key = publicKeyOfPeer(peer);
  return told.filter((bytes) => asBuffer(bytes).includes(key)).slice(0, 1);
}

function hashBits(peer: PeerId): string {
  const digest = sha256(Buffer.concat([Buffer.from("hive slot 1"), publicKeyOfPeer(peer)]));
  return digest.readUInt16BE(0).toString(2).padStart(16, "0");
}
