/**
 * What may lie in our DHT under which key, and which of several is the one to keep. Pure; whoever
 * stores or answers a record asks here first. Anybody may carry them: they tell who signed, not
 * what is in the drive. Keys carry a version where their meaning may change.
 *
 *   /hive/head/OWNER         the newest head that the owner's own key signed; else a device's
 *   /hive/group/OWNER/GROUP  a placement group's newest manifest, likewise
 *   /hive/offer/PEER         a peer's newest offer
 *   /hive/slot/1/...         offers of a place; see slots.ts
 */
import type { SelectFn } from "@libp2p/kad-dht";
import { HiveError } from "../../base/errors.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Head, Manifest, Offer } from "../../base/records.ts";
import { parseHead, parseManifest, parseOffer } from "../../crypt/records/records.ts";
import { parseSlot, parseSlotKey } from "./slots.ts";

export type Found =
  | { readonly kind: "head"; readonly record: Head; readonly version: number }
  | { readonly kind: "group"; readonly record: Manifest; readonly version: number }
  | { readonly kind: "offer"; readonly record: Offer; readonly version: number }
  | { readonly kind: "slot"; readonly offers: readonly Offer[]; readonly version: number };

export function headKey(owner: OwnerId): Uint8Array {
  return Buffer.from(`/hive/head/${owner}`);
}

export function groupKey(owner: OwnerId, group: string): Uint8Array {
  return Buffer.from(`/hive/group/${owner}/${group}`);
}

export function offerKey(peer: PeerId): Uint8Array {
  return Buffer.from(`/hive/offer/${peer}`);
}

/** The index of the newest; all were validated before. */
export const selectRecord: SelectFn = (key, values) => {
  const versions = values.map((value) => believe(key, value).version);
  return versions.indexOf(Math.max(...versions));
};

/**
 * The record under this key, if it is one that may lie there; else Corrupt. Of a slot that a peer
 * puts, its own offer alone is found.
 */
export function believe(key: Uint8Array, value: Uint8Array, by?: PeerId): Found {
  if (key.length <= keyBytesMax && value.length <= limits.peers.recordBytesMax) {
    const text = Buffer.from(key).toString("latin1");
    const found = read(text, value, by);
    if (found !== undefined) return found;
  }
  throw new HiveError("Corrupt", "peers.dht", Buffer.from(key).toString("latin1", 0, keyBytesMax));
}

function read(text: string, value: Uint8Array, by: PeerId | undefined): Found | undefined {
  const [, space, kind] = text.split("/", 3);
  if (space !== "hive") return undefined;
  if (kind === "head") {
    const record = parseHead(value);
    const right = text === `/hive/head/${record.owner}`;
    return right ? { kind, record, version: versionOf(record, record.sequence) } : undefined;
  }
  if (kind === "group") {
    const record = parseManifest(value);
    const right = text === `/hive/group/${record.owner}/${record.group}`;
    return right ? { kind, record, version: versionOf(record, record.epoch) } : undefined;
  }
  if (kind === "offer") {
    const record = parseOffer(value);
    const right = text === `/hive/offer/${record.peer}`;
    return right ? { kind, record, version: record.atMs } : undefined;
  }
  const slot = parseSlotKey(text);
  if (slot === undefined) return undefined;
  const offers = parseSlot(slot, value, by);
  return { kind: "slot", offers, version: offers.length };
}

/**
 * What a device signed in the owner's stead goes behind all that he signed himself: nobody here can
 * tell whether it was shut out since, and the highest number would hide the drive for good. Whoever
 * finds the older record is led by it to those who have the newest.
 */
function versionOf({ by }: Head | Manifest, number: number): number {
  return by === undefined ? number : number - 2 ** 53;
}

/** An owner and a group in hex, and the words between. */
const keyBytesMax = 160;
