/**
 * A group's log: which seats went to other peers since the owner signed its newest manifest, each
 * change co-signed by a majority. Pure; signatures were checked where the bytes were parsed.
 *
 * What makes it one log: an entry at a position counts by the seats as all entries before it left
 * them, so that everybody who knows the same beginning counts the same voters; two majorities of
 * them share a voter; and a voter votes in one term once, and in a later one for nothing else than
 * what a majority may have accepted before (voter.ts). By induction over positions there is never
 * a second log. A newer manifest begins anew with position 0.
 *
 * A log takes nothing away: whoever the manifest gives a seat keeps its shards whatever the log
 * says, until the owner gives the seat to another.
 */
import { createHash } from "node:crypto";
import { HiveError } from "../base/errors.ts";
import type { Accepted, Replacement } from "../base/guard.ts";
import { type BaseId, type EntryId, type PeerId, parseBaseId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Manifest } from "../base/records.ts";

export type GroupLog = readonly Accepted[];

/** A manifest, and what the members made of it. */
export interface Standing {
  readonly manifest: Manifest;
  readonly log: GroupLog;
}

export function baseOf({ bytes }: Pick<Manifest, "bytes">): BaseId {
  return parseBaseId(createHash("sha256").update(bytes).digest("hex"));
}

/**
 * How many must vote: a majority of the seats, living or not. In a group where that would be fewer
 * than three, two who were cut off could outvote the third; there nobody replaces anybody, and the
 * shards wait for their owner. So a mirror of three is never changed but by all three.
 */
export function quorumOf(seats: number): number {
  return Math.max(limits.guard.quorumMin, Math.floor(seats / 2) + 1);
}

/** Who sits where. */
export function seatsOf({ manifest, log }: Standing): readonly PeerId[] {
  return log.reduce<readonly PeerId[]>((seats, { entry }) => {
    return seats.with(entry.seat, entry.peer);
  }, manifest.peers);
}

/** What the next entry has to name as the one before it. */
export function tipOf({ manifest, log }: Standing): EntryId | BaseId {
  return log.at(-1)?.entry.id ?? baseOf(manifest);
}

/** Why this cannot be the log's next entry; undefined when it can. */
export function misfitOf(standing: Standing, entry: Replacement): string | undefined {
  const { manifest, log } = standing;
  const { owner, group, epoch } = manifest;
  const isOfGroup = entry.owner === owner && entry.group === group && entry.epoch === epoch;
  if (!isOfGroup || entry.base !== baseOf(manifest)) return "another manifest's";
  if (entry.position !== log.length) return `position ${entry.position}, not ${log.length}`;
  if (log.length >= limits.guard.entriesMax) return "the log is full";
  if (entry.previous !== tipOf(standing)) return "it follows another entry";
  const seats = seatsOf(standing);
  if (seats[entry.seat] !== entry.lost) return "the seat is another's";
  if (seats.includes(entry.peer)) return "its peer has a seat";
  return undefined;
}

/** The log with one more entry; Corrupt for one that was not accepted. */
export function extend(standing: Standing, accepted: Accepted): Standing {
  const why = misfitOf(standing, accepted.entry) ?? miscountOf(standing, accepted);
  if (why !== undefined) throw new HiveError("Corrupt", "guard.log", why);
  return { manifest: standing.manifest, log: [...standing.log, accepted] };
}

/** All of it checked, from the manifest on. */
export function standingOf(manifest: Manifest, entries: readonly Accepted[]): Standing {
  return entries.reduce(extend, { manifest, log: [] } as Standing);
}

function miscountOf(standing: Standing, { entry, votes }: Accepted): string | undefined {
  const seats = seatsOf(standing);
  const voters = new Set(votes.map(({ voter }) => voter));
  if (votes.some((vote) => vote.entry !== entry.id)) return "votes for another entry";
  if (new Set(votes.map(({ term }) => term)).size !== 1) return "votes of several terms";
  if (voters.size !== votes.length) return "somebody votes twice";
  if ([...voters].some((voter) => !seats.includes(voter))) return "a stranger votes";
  return voters.size < quorumOf(seats.length) ? "too few votes" : undefined;
}

/** The first position at which two logs of one manifest differ; undefined when one begins both. */
export function forkOf(ours: GroupLog, theirs: GroupLog): number | undefined {
  const common = Math.min(ours.length, theirs.length);
  for (let at = 0; at < common; at++) {
    if (ours[at]?.entry.id !== theirs[at]?.entry.id) return at;
  }
  return undefined;
}

/** Those who signed both of two entries in one term: their votes are the proof. */
export function perjurersOf(one: Accepted, other: Accepted): readonly PeerId[] {
  const signed = new Set(one.votes.map(({ voter, term }) => `${term}/${voter}`));
  const twice = other.votes.filter(({ voter, term }) => signed.has(`${term}/${voter}`));
  return twice.map(({ voter }) => voter);
}

/** Whether any of what the owner and the members signed gives this peer the seat. */
export function mayKeep(standing: Standing, seat: number, peer: PeerId): boolean {
  return standing.manifest.peers[seat] === peer || seatsOf(standing)[seat] === peer;
}
