/**
 * The fields that signed records have in common, each read from the map and believed once: ids by
 * their length, times and counts by their bounds, a class by the one list of them.
 */
import type { GroupId, OwnerId, PeerId, SegmentId } from "../../base/ids.ts";
import { parseGroupId, parseOwnerId, parseSegmentId, parseShardId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type ErasureClass, type ReleasedShard, type SegmentRecord, erasureClasses }
  from "../../base/records.ts";
import { publicKeyBytes } from "../ciphers/ed25519.ts";
import { peerOfPublicKey } from "../ciphers/peer-key.ts";
import { digestBytes } from "../ciphers/sha256.ts";
import type { Fields } from "./cbor.ts";

const { nameBytesMax, membersMax, timeMsMax } = limits.records;
export const groupIdBytes = 16;
const countMax = Number.MAX_SAFE_INTEGER;

export function ownerIn(fields: Fields): OwnerId {
  return parseOwnerId(fields.exactly("owner", publicKeyBytes).toString("hex"));
}

export function peerIn(fields: Fields, name: string): PeerId {
  return peerOfPublicKey(fields.exactly(name, publicKeyBytes));
}

export function groupIn(fields: Fields): GroupId {
  return parseGroupId(fields.exactly("group", groupIdBytes).toString("hex"));
}

export function segmentIn(fields: Fields): SegmentId {
  return parseSegmentId(fields.exactly("segment", digestBytes).toString("hex"));
}

export function releasedShardIn(fields: Fields): ReleasedShard {
  return {
    holder: peerIn(fields, "holder"),
    index: fields.count("index", { min: 0, max: membersMax - 1 }),
    epoch: fields.count("epoch", { min: 0, max: countMax }),
  };
}

export function timeIn(fields: Fields, name: string): number {
  return fields.count(name, { min: 0, max: timeMsMax });
}

export function countryIn(fields: Fields): string | undefined {
  if (!fields.has("country")) return undefined;
  const country = fields.text("country", 2);
  if (/^[A-Z]{2}$/.test(country)) return country;
  throw fields.corrupt("country");
}

export function classIn(fields: Fields): ErasureClass {
  const name = fields.text("name", nameBytesMax);
  const found = erasureClasses.find((known) => known.name === name);
  if (found === undefined) throw fields.corrupt("name");
  for (const key of ["k", "n", "r"] as const) {
    fields.count(key, { min: found[key], max: found[key] });
  }
  return found;
}

export function membersIn(fields: Fields, n: number): PeerId[] {
  const keys = fields.bytesList("peers", { countMax: membersMax, eachBytes: publicKeyBytes });
  const distinct = new Set(keys.map((key) => key.toString("latin1")));
  if (keys.length !== n || distinct.size !== n) throw fields.corrupt("peers");
  return keys.map(peerOfPublicKey);
}

export function shardBytesIn(fields: Fields): number {
  const size = fields.count("size", { min: 1, max: Math.max(...limits.segment.shardBytes) });
  if (limits.segment.shardBytes.some((step) => step === size)) return size;
  throw fields.corrupt("size");
}

export function rootsIn(fields: Fields, n: number): SegmentRecord["roots"] {
  const roots = fields.bytesList("roots", { countMax: membersMax, eachBytes: digestBytes });
  if (roots.length !== n) throw fields.corrupt("roots");
  return roots.map((root) => parseShardId(root.toString("hex")));
}
