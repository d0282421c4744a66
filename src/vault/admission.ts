/**
 * The vault's door, as pure functions: may this shard come in, may this peer have an answer. What
 * they let through is typed and was checked against the owner's signature; nothing here does I/O.
 */
import { HiveError } from "../base/errors.ts";
import type { OwnerId, PeerId, ShardId } from "../base/ids.ts";
import type { Requester, StoreRequest } from "../base/network.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import { shardIdOf } from "../crypt/blocks/merkle.ts";
import { parseManifest, parseSegmentRecord } from "../crypt/records/records.ts";
import { type GroupLog, type Standing, seatsOf } from "../guard/log.ts";
import { seatOfShard } from "../placement/draws/seats.ts";
import type { Introduction } from "./book-entries.ts";

/** What somebody brings, parsed and signed by its owner. */
export interface Brought {
  readonly record: SegmentRecord;
  readonly manifest: Manifest;
  readonly index: number;
}

/** A shard that belongs here: by record, manifest or log, index and hash. */
export interface Admitted extends Brought {
  readonly shard: ShardId;
}

export function parseStore(request: StoreRequest): Brought {
  const record = parseSegmentRecord(request.record);
  const manifest = parseManifest(request.manifest);
  const { index } = request;
  if (!isOfGroup(record, manifest)) throw fault("Invalid", "record and manifest differ");
  const indexed = Number.isSafeInteger(index) && index >= 0 && index < record.n;
  if (!indexed) throw fault("Invalid", `index ${index}`);
  return { record, manifest, index };
}

/** What is known here of the manifest that was brought. */
export interface Known {
  readonly log: GroupLog;
  /** The manifest was here before, and its owner lets whoever brings it mend his segments. */
  readonly isMender: boolean;
}

/** Corrupt: not what the owner signed. Denied: not for this peer, or not from that one. */
export function admit(
  self: PeerId, from: Requester, brought: Brought & Known, shard: Uint8Array,
): Admitted {
  const { record, manifest, index, log, isMender } = brought;
  const seat = seatOfShard(record, index);
  // The owner overrules the log, and nobody else.
  const isOwners = from.owners.includes(record.owner) && manifest.peers[seat] === self;
  const isOurs = isOwners || seatsOf({ manifest, log })[seat] === self;
  if (!isOurs) throw fault("Denied", "another's seat");
  if (!isMender && !isPartner(from, record.owner, { manifest, log })) {
    throw fault("Denied", "neither owner nor member");
  }
  if (shard.length !== record.shardBytes) throw fault("Corrupt", `${shard.length} bytes`);
  const id = shardIdOf(shard);
  if (id !== record.roots[index]) throw fault("Corrupt", "the shard's hash");
  return { record, manifest, index, shard: id };
}

/** The owner's own devices, and the members of the group: nobody else gets a byte or a proof. */
export function isPartner(
  from: Requester, owner: OwnerId, standing: Standing | undefined,
): boolean {
  if (from.owners.includes(owner)) return true;
  return standing !== undefined && isMember(standing, from.peer);
}

/** By what the owner signed, or by what the members made of it. */
export function isMember(standing: Standing, peer: PeerId): boolean {
  return standing.manifest.peers.includes(peer) || seatsOf(standing).includes(peer);
}

/** A friend answers for his own drives, not for those whose shards he mends. */
export function introductionBy(from: Requester, owner: OwnerId): Introduction {
  const friend = from.friend === true && from.owners.includes(owner);
  return { peer: from.peer, prefix: from.prefix, friend };
}

function isOfGroup(record: SegmentRecord, manifest: Manifest): boolean {
  const { k, n } = manifest.class;
  const sameCode = record.k === k && record.n === n;
  return sameCode && record.owner === manifest.owner && record.group === manifest.group;
}

function fault(kind: "Invalid" | "Denied" | "Corrupt", why: string): HiveError {
  return new HiveError(kind, "vault.store", why);
}
