/**
 * The vault's door, as pure functions: may this shard come in, may this peer have an answer. What
 * they let through is typed and was checked against the owner's signature; nothing here does I/O.
 */
import { HiveError } from "../base/errors.ts";
import type { OwnerId, PeerId, ShardId } from "../base/ids.ts";
import type { Requester, StoreRequest } from "../base/network.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import { shardIdOf } from "../crypt/merkle.ts";
import { parseManifest, parseSegmentRecord } from "../crypt/records.ts";
import { memberOfShard } from "../placement/seats.ts";

/** A shard that belongs here: by record, manifest, index and hash. */
export interface Admitted {
  readonly record: SegmentRecord;
  readonly manifest: Manifest;
  readonly index: number;
  readonly shard: ShardId;
}

/** Corrupt: not what the owner signed. Denied: not for this peer, or not from that one. */
export function admit(
  self: PeerId, from: Requester, request: StoreRequest, shard: Uint8Array,
): Admitted {
  const record = parseSegmentRecord(request.record);
  const manifest = parseManifest(request.manifest);
  const { index } = request;
  if (!isOfGroup(record, manifest)) throw fault("Invalid", "record and manifest differ");
  const indexed = Number.isSafeInteger(index) && index >= 0 && index < record.n;
  if (!indexed) throw fault("Invalid", `index ${index}`);
  if (memberOfShard(record, index, manifest) !== self) throw fault("Denied", "another's seat");
  if (!isPartner(from, record.owner, manifest)) throw fault("Denied", "neither owner nor member");
  if (shard.length !== record.shardBytes) throw fault("Corrupt", `${shard.length} bytes`);
  const id = shardIdOf(shard);
  if (id !== record.roots[index]) throw fault("Corrupt", "the shard's hash");
  return { record, manifest, index, shard: id };
}

/** The owner's own devices, and the members of the group: nobody else gets a byte or a proof. */
export function isPartner(
  from: Requester, owner: OwnerId, manifest: Manifest | undefined,
): boolean {
  return from.owners.includes(owner) || (manifest?.peers.includes(from.peer) ?? false);
}

function isOfGroup(record: SegmentRecord, manifest: Manifest): boolean {
  const { k, n } = manifest.class;
  const sameCode = record.k === k && record.n === n;
  return sameCode && record.owner === manifest.owner && record.group === manifest.group;
}

function fault(kind: "Invalid" | "Denied" | "Corrupt", why: string): HiveError {
  return new HiveError(kind, "vault.store", why);
}
