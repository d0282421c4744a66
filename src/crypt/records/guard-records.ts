/**
 * The signed records of a group's log, in the envelope and the form of records.ts.
 *
 *   kind         signed by  fields of the body
 *   replacement  by         owner group epoch base position previous seat lost peer why by at
 *   pledge       voter      voter base position term (entry voted)?
 *   vote         voter      voter entry term
 *
 * An entry's id is the SHA-256 of its body.
 */
import type { Pledge, Replacement, ReplacementReason, Vote } from "../../base/guard.ts";
import { replacementReasons } from "../../base/guard.ts";
import { type BaseId, type EntryId, bytesOfId, parseBaseId, parseEntryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type PeerKeys, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { digestBytes } from "../ciphers/sha256.ts";
import type { Fields } from "../signed/cbor.ts";
import { type RecordShape, parseRecord, signRecord } from "../signed/envelope.ts";
import { groupIn, ownerIn, peerIn, timeIn } from "../signed/record-fields.ts";

type Signer = Pick<PeerKeys, "peer" | "sign">;

const countMax = Number.MAX_SAFE_INTEGER;
const { membersMax } = limits.records;

export function signReplacement(
  keys: Signer, told: Omit<Replacement, "id" | "by" | "bytes">,
): Replacement {
  return signRecord(replacementShape, { ...told, id: unnamed, by: keys.peer }, keys.sign);
}

export function parseReplacement(bytes: Uint8Array): Replacement {
  return parseRecord(replacementShape, bytes);
}

export function signPledge(keys: Signer, told: Omit<Pledge, "voter" | "bytes">): Pledge {
  return signRecord(pledgeShape, { ...told, voter: keys.peer }, keys.sign);
}

export function parsePledge(bytes: Uint8Array): Pledge {
  return parseRecord(pledgeShape, bytes);
}

export function signVote(keys: Signer, told: Omit<Vote, "voter" | "bytes">): Vote {
  return signRecord(voteShape, { ...told, voter: keys.peer }, keys.sign);
}

export function parseVote(bytes: Uint8Array): Vote {
  return parseRecord(voteShape, bytes);
}

const replacementShape: RecordShape<Omit<Replacement, "bytes">> = {
  kind: "replacement",
  signer: (entry) => publicKeyOfPeer(entry.by),
  write: (entry) => ({
    owner: bytesOfId(entry.owner),
    group: bytesOfId(entry.group),
    epoch: entry.epoch,
    base: bytesOfId(entry.base),
    position: entry.position,
    previous: bytesOfId(entry.previous),
    seat: entry.seat,
    lost: publicKeyOfPeer(entry.lost),
    peer: publicKeyOfPeer(entry.peer),
    why: entry.why,
    by: publicKeyOfPeer(entry.by),
    at: entry.atMs,
  }),
  read: (fields, bodyHash) => ({
    id: parseEntryId(bodyHash),
    owner: ownerIn(fields),
    group: groupIn(fields),
    epoch: fields.count("epoch", { min: 0, max: countMax }),
    base: baseIn(fields),
    position: positionIn(fields),
    previous: entryIn(fields, "previous"),
    seat: fields.count("seat", { min: 0, max: membersMax - 1 }),
    lost: peerIn(fields, "lost"),
    peer: peerIn(fields, "peer"),
    why: reasonIn(fields),
    by: peerIn(fields, "by"),
    atMs: timeIn(fields, "at"),
  }),
};

const pledgeShape: RecordShape<Omit<Pledge, "bytes">> = {
  kind: "pledge",
  signer: ({ voter }) => publicKeyOfPeer(voter),
  write: ({ voter, base, position, term, voted }) => ({
    voter: publicKeyOfPeer(voter),
    base: bytesOfId(base),
    position,
    term,
    ...(voted === undefined ? {} : { entry: bytesOfId(voted.entry), voted: voted.term }),
  }),
  read: (fields) => {
    const term = termIn(fields, "term");
    return {
      voter: peerIn(fields, "voter"),
      base: baseIn(fields),
      position: positionIn(fields),
      term,
      voted: fields.has("entry")
        ? { term: termIn(fields, "voted"), entry: entryIn(fields, "entry") }
        : undefined,
    };
  },
};

const voteShape: RecordShape<Omit<Vote, "bytes">> = {
  kind: "vote",
  signer: ({ voter }) => publicKeyOfPeer(voter),
  write: ({ voter, term, entry }) => ({
    voter: publicKeyOfPeer(voter), entry: bytesOfId(entry), term,
  }),
  read: (fields) => ({
    voter: peerIn(fields, "voter"),
    term: termIn(fields, "term"),
    entry: entryIn(fields, "entry"),
  }),
};

/** Stands in for an entry's name until its body is written; `read` gives the true one. */
const unnamed = parseEntryId("0".repeat(2 * digestBytes));

function baseIn(fields: Fields): BaseId {
  return parseBaseId(fields.exactly("base", digestBytes).toString("hex"));
}

function entryIn(fields: Fields, name: string): EntryId {
  return parseEntryId(fields.exactly(name, digestBytes).toString("hex"));
}

function positionIn(fields: Fields): number {
  return fields.count("position", { min: 0, max: limits.guard.entriesMax - 1 });
}

function termIn(fields: Fields, name: string): number {
  return fields.count(name, { min: 1, max: countMax });
}

function reasonIn(fields: Fields): ReplacementReason {
  const why = fields.text("why", limits.records.nameBytesMax);
  const found = replacementReasons.find((reason) => reason === why);
  if (found !== undefined) return found;
  throw fields.corrupt("why");
}
