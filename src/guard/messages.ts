/**
 * What travels between members, as DAG-CBOR; every record in it is signed by whom it names.
 * Decoding checks sizes, fields and signatures; whether an entry fits a log, log.ts says.
 *
 *   word ask    {owner group}
 *   word, tell  {manifest policy? head? log: [accepted ...]}
 *               accepted = {entry votes: [vote ...]}
 *   pledge ask  {owner group base position term seat}        -> {pledge entry? offers: [offer ...]}
 *   vote ask    {entry term pledges: [pledge ...] offers: [offer ...]}          -> vote
 *   notice      {until groups?: [16 bytes ...]}
 */
import { sameBytes } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import type { Accepted, Pledge, Replacement } from "../base/guard.ts";
import type { BaseId, GroupId, OwnerId } from "../base/ids.ts";
import { bytesOfId, parseBaseId, parseGroupId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Head, Manifest, Offer } from "../base/records.ts";
import { knowing } from "../crypt/ciphers/known.ts";
import { digestBytes } from "../crypt/ciphers/sha256.ts";
import { parsePledge, parseReplacement, parseVote } from "../crypt/records/guard-records.ts";
import { parseHead, parseManifest, parseOffer } from "../crypt/records/records.ts";
import { Fields, decodePlain, encodePlain } from "../crypt/signed/cbor.ts";
import { groupIdBytes, groupIn, ownerIn, timeIn } from "../crypt/signed/record-fields.ts";
import { type Standing, extend, misfitOf } from "./log.ts";
import type { Notice } from "./notices.ts";
import type { Pledged } from "./propose.ts";

/** A group by its name. */
export interface GroupName {
  readonly owner: OwnerId;
  readonly group: GroupId;
}

/** All that a newcomer needs to know of a group. */
export interface Word {
  readonly manifest: Manifest;
  /** The canonical text of its policy; absent for the one that everybody has. */
  readonly policy: Uint8Array | undefined;
  /** The owner's newest: in the end newcomers may be all who have it. */
  readonly head: Head | undefined;
  readonly log: readonly Accepted[];
}

export interface PledgeAsk extends GroupName {
  readonly base: BaseId;
  readonly position: number;
  readonly term: number;
  /** That is to be given away: so that a voter can name whom it would draw. */
  readonly seat: number;
}

export interface VoteAsk {
  readonly entry: Replacement;
  readonly term: number;
  readonly pledges: readonly Pledge[];
  readonly offers: readonly Offer[];
}

const { membersMax, recordBytesMax } = limits.records;
const { entriesMax, offersMax, offersPerVoter } = limits.guard;
const countMax = Number.MAX_SAFE_INTEGER;
/** An entry and a vote of each member: 0.2 KB each. */
const acceptedBytesMax = recordBytesMax;

export function encodeName({ owner, group }: GroupName): Buffer {
  return encodePlain({ owner: bytesOfId(owner), group: bytesOfId(group) });
}

export function decodeName(bytes: Uint8Array): GroupName {
  const fields = fieldsOf(bytes, "guard.name");
  return { owner: ownerIn(fields), group: groupIn(fields) };
}

export function encodeLog(log: readonly Accepted[]): Buffer {
  return encodePlain({ log: log.map(encodeAccepted) });
}

export function decodeLog(bytes: Uint8Array): readonly Accepted[] {
  return entriesIn(fieldsOf(bytes, "guard.log")).map(parseAccepted);
}

export function encodeWord({ manifest, policy, head, log }: Word): Buffer {
  const text = policy === undefined ? {} : { policy };
  const newest = head === undefined ? {} : { head: head.bytes };
  const entries = log.map(encodeAccepted);
  return encodePlain({ manifest: manifest.bytes, ...text, ...newest, log: entries });
}

/** A word of which nothing was checked but the manifest: thousands of signatures may follow. */
export interface WordOutline {
  readonly manifest: Manifest;
  /** Entries, each with its votes. */
  readonly entries: readonly Uint8Array[];
}

export function outlineOfWord(bytes: Uint8Array): WordOutline {
  const fields = fieldsOf(bytes, "guard.word");
  return { manifest: parseManifest(recordIn(fields, "manifest")), entries: entriesIn(fields) };
}

/** How many of a word's entries would have to be checked by who stands there. */
export function newsIn({ manifest, entries }: WordOutline, here: Standing | undefined): number {
  const isSame = here !== undefined && sameBytes(here.manifest.bytes, manifest.bytes);
  if (!isSame) return entries.length;
  const known = here.log.map(encodeAccepted);
  return entries.filter((entry, at) => known[at]?.equals(entry) !== true).length;
}

/** Its log is checked as far as each entry fits the one before it. */
export function decodeWord(bytes: Uint8Array): Word {
  const fields = fieldsOf(bytes, "guard.word");
  const { canonicalBytesMax } = limits.policy;
  const manifest = parseManifest(recordIn(fields, "manifest"));
  return {
    manifest,
    policy: fields.has("policy")
      ? fields.bytes("policy", { min: 0, max: canonicalBytesMax }) : undefined,
    head: fields.has("head") ? parseHead(recordIn(fields, "head")) : undefined,
    log: logAfter(manifest, entriesIn(fields)),
  };
}

export function encodePledgeAsk({ owner, group, base, position, term, seat }: PledgeAsk): Buffer {
  const names = { owner: bytesOfId(owner), group: bytesOfId(group), base: bytesOfId(base) };
  return encodePlain({ ...names, position, term, seat });
}

export function decodePledgeAsk(bytes: Uint8Array): PledgeAsk {
  const fields = fieldsOf(bytes, "guard.pledge");
  return {
    owner: ownerIn(fields), group: groupIn(fields),
    base: parseBaseId(fields.exactly("base", digestBytes).toString("hex")),
    position: fields.count("position", { min: 0, max: entriesMax }),
    term: fields.count("term", { min: 1, max: countMax }),
    seat: fields.count("seat", { min: 0, max: membersMax - 1 }),
  };
}

export function encodePledged({ pledge, entry, offers }: Pledged): Buffer {
  const voted = entry === undefined ? {} : { entry: entry.bytes };
  return encodePlain({ pledge: pledge.bytes, ...voted, offers: offers.map(({ bytes }) => bytes) });
}

export function decodePledged(bytes: Uint8Array): Pledged {
  const fields = fieldsOf(bytes, "guard.pledged");
  return {
    pledge: parsePledge(recordIn(fields, "pledge")),
    entry: fields.has("entry") ? parseReplacement(recordIn(fields, "entry")) : undefined,
    offers: recordsIn(fields, "offers", offersPerVoter).map(parseOffer),
  };
}

export function encodeVoteAsk({ entry, term, pledges, offers }: VoteAsk): Buffer {
  const told = { pledges: bytesOfAll(pledges), offers: bytesOfAll(offers) };
  return encodePlain({ entry: entry.bytes, term, ...told });
}

/** Its entry alone: whose group it is of. */
export function entryOfVoteAsk(bytes: Uint8Array): Replacement {
  return parseReplacement(recordIn(fieldsOf(bytes, "guard.proposal"), "entry"));
}

export function decodeVoteAsk(bytes: Uint8Array): VoteAsk {
  const fields = fieldsOf(bytes, "guard.proposal");
  return {
    entry: parseReplacement(recordIn(fields, "entry")),
    term: fields.count("term", { min: 1, max: countMax }),
    pledges: recordsIn(fields, "pledges", membersMax).map(parsePledge),
    offers: recordsIn(fields, "offers", offersMax).map(parseOffer),
  };
}

export function encodeNotice({ untilMs, groups }: Notice): Buffer {
  const named = groups === undefined ? {} : { groups: groups.map(bytesOfId) };
  return encodePlain({ until: untilMs, ...named });
}

export function decodeNotice(bytes: Uint8Array): Notice {
  const fields = fieldsOf(bytes, "guard.notice");
  const untilMs = timeIn(fields, "until");
  if (!fields.has("groups")) return { untilMs, groups: undefined };
  const size = { countMax: limits.leave.groupsMax, eachBytes: groupIdBytes };
  const groups = fields.bytesList("groups", size);
  return { untilMs, groups: groups.map((group) => parseGroupId(group.toString("hex"))) };
}

function encodeAccepted({ entry, votes }: Accepted): Buffer {
  return encodePlain({ entry: entry.bytes, votes: bytesOfAll(votes) });
}

function entriesIn(fields: Fields): readonly Buffer[] {
  return fields.strings("log", { countMax: entriesMax, bytesMax: acceptedBytesMax });
}

/** Of a log that is none, no more is looked at than its first entry that does not fit. */
function logAfter(manifest: Manifest, entries: readonly Uint8Array[]): readonly Accepted[] {
  return entries.reduce<Standing>((standing, bytes) => {
    const why = misfitOf(standing, entryIn(bytes));
    if (why !== undefined) throw new HiveError("Corrupt", "guard.word", why);
    return extend(standing, parseAccepted(bytes));
  }, { manifest, log: [] }).log;
}

function entryIn(accepted: Uint8Array): Replacement {
  return parseReplacement(recordIn(fieldsOf(accepted, "guard.accepted"), "entry"));
}

/** All members tell of the same ones, each with the votes of a majority. */
const parseAccepted = knowing((bytes): Accepted => {
  const accepted = fieldsOf(bytes, "guard.accepted");
  return {
    entry: parseReplacement(recordIn(accepted, "entry")),
    votes: recordsIn(accepted, "votes", membersMax).map(parseVote),
  };
}, { countMax: limits.guard.entriesKnownMax });

function bytesOfAll(records: readonly { readonly bytes: Uint8Array }[]): Uint8Array[] {
  return records.map(({ bytes }) => bytes);
}

function recordIn(fields: Fields, name: string): Buffer {
  return fields.bytes(name, { min: 1, max: recordBytesMax });
}

function recordsIn(fields: Fields, name: string, most: number): Buffer[] {
  return fields.strings(name, { countMax: most, bytesMax: recordBytesMax });
}

function fieldsOf(bytes: Uint8Array, what: string): Fields {
  return new Fields(decodePlain(bytes, what), what);
}
