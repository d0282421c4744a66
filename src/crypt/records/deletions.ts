/**
 * A holder's signed word that it has let go of what an owner released: a record as the others
 * (records.ts), answered to a release. It says what the holder says; that no copy is left anywhere
 * is nothing that bytes can show.
 *
 *   deletion  signed by the holder: holder owner segment released at index?
 *
 * `released` is that of the release, `index` stands where one shard alone was.
 */
import { bytesOfId, parseSegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Deletion } from "../../base/records.ts";
import { type PeerKeys, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { digestBytes } from "../ciphers/sha256.ts";
import { type RecordShape, parseRecord, signRecord } from "../signed/envelope.ts";
import { ownerIn, peerIn, timeIn } from "../signed/record-fields.ts";

type Unsigned = Omit<Deletion, "bytes">;

export function signDeletion(
  keys: Pick<PeerKeys, "peer" | "sign">, told: Omit<Unsigned, "holder">,
): Deletion {
  return signRecord(deletionShape, { ...told, holder: keys.peer }, keys.sign);
}

export function parseDeletion(bytes: Uint8Array): Deletion {
  return parseRecord(deletionShape, bytes);
}

const deletionShape: RecordShape<Unsigned> = {
  kind: "deletion",
  signer: ({ holder }) => publicKeyOfPeer(holder),
  write: ({ holder, owner, segment, releasedAtMs, atMs, index }) => ({
    holder: publicKeyOfPeer(holder),
    owner: bytesOfId(owner),
    segment: bytesOfId(segment),
    released: releasedAtMs,
    at: atMs,
    ...(index === undefined ? {} : { index }),
  }),
  read: (fields) => ({
    holder: peerIn(fields, "holder"),
    owner: ownerIn(fields),
    segment: parseSegmentId(fields.exactly("segment", digestBytes).toString("hex")),
    releasedAtMs: timeIn(fields, "released"),
    atMs: timeIn(fields, "at"),
    ...(fields.has("index")
      ? { index: fields.count("index", { min: 0, max: limits.records.membersMax - 1 }) } : {}),
  }),
};
