/**
 * What a member answers to who leads a term: its pledge, then its vote. Pure: the ballot that comes
 * out is to be on stable storage before the answer leaves, so that no crash makes it vote twice.
 *
 * Two rounds, as in Paxos. A pledge promises to vote in no older term, and tells the last vote. A
 * leader needs pledges of a majority, and must propose again what a majority may have accepted by
 * what they tell (`bindingOf`); only where nothing can have been is it free to choose. A voter
 * checks that against the pledges themselves, and by its own knowledge that the lost peer is dead
 * and that its substitute is the one that the draw gives.
 */
import { HiveError, type Kind } from "../base/errors.ts";
import type { Pledge, Replacement } from "../base/guard.ts";
import type { BaseId, EntryId, GroupId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { leaderOf } from "./lease.ts";
import { type Standing, baseOf, misfitOf, quorumOf, seatsOf } from "./log.ts";

/** What a voter must not forget, of one manifest. */
export interface Ballot {
  readonly base: BaseId;
  /** It votes from this position on: who lost its memory may have voted before. */
  readonly from: number;
  /** Where it stands now; what it said of earlier positions is over. */
  readonly position: number;
  /** The newest term that it pledged itself to; 0 for none. */
  readonly pledged: number;
  readonly voted: { readonly term: number; readonly entry: Replacement } | undefined;
}

/** For whoever never votes under a manifest. */
export const never = Number.MAX_SAFE_INTEGER;

export interface Voter {
  readonly self: PeerId;
  readonly standing: Standing;
  readonly ballot: Ballot;
  /** By its own clock. */
  readonly termNow: number;
}

/** What a leader asks of one position in its term. */
export interface Call {
  readonly from: PeerId;
  readonly base: BaseId;
  readonly position: number;
  readonly term: number;
}

export interface Proposal extends Call {
  readonly entry: Replacement;
  readonly pledges: readonly Pledge[];
}

/** What a voter knows by itself. */
export interface Judgement {
  isDead(peer: PeerId): boolean;
  /** Whether it gave notice of its seat in this group, and to this voter. */
  isLeaving(peer: PeerId, group: GroupId): boolean;
  /** Whether the draw gives it; or, where a choice is bound, whether the policy lets it. */
  isRightful(entry: Replacement, how: { readonly isBound: boolean }): boolean;
}

export function freshBallot(base: BaseId, from = 0): Ballot {
  return { base, from, position: 0, pledged: 0, voted: undefined };
}

/**
 * The ballot of a member that is told of a manifest, not by its owner, in a group of which it knew
 * nothing. Whom the manifest names has been here before and forgot; whom the last entry seats is
 * new, and votes on what follows.
 */
export function newcomersBallot(standing: Standing, self: PeerId): Ballot {
  const last = standing.log.at(-1)?.entry;
  const isNew = last?.peer === self && !standing.manifest.peers.includes(self);
  return freshBallot(baseOf(standing.manifest), isNew ? standing.log.length : never);
}

/** The ballot after a pledge; throws a refusal. */
export function pledged(voter: Voter, call: Call): Ballot {
  const ballot = checkCall(voter, call);
  return { ...ballot, pledged: call.term };
}

/** The ballot after a vote; throws a refusal. */
export function voted(voter: Voter, proposal: Proposal, judgement: Judgement): Ballot {
  const ballot = checkCall(voter, proposal);
  const { entry, term } = proposal;
  const why = misfitOf(voter.standing, entry);
  if (why !== undefined) throw refusal("Invalid", why);
  const isOther = ballot.voted?.term === term && ballot.voted.entry.id !== entry.id;
  if (isOther) throw refusal("Denied", "a second entry in one term");
  const isBound = checkChoice(voter, proposal);
  const { lost, group } = entry;
  const isGone = judgement.isDead(lost) || judgement.isLeaving(lost, group);
  if (!isGone) throw refusal("Denied", `${lost} is not dead here, and does not leave`);
  if (!judgement.isRightful(entry, { isBound })) throw refusal("Denied", "another is drawn here");
  return { ...ballot, pledged: term, voted: { term, entry } };
}

/** The ballot at this position, if the call is of a leader in its time. */
function checkCall(
  { self, standing, ballot, termNow }: Voter, { from, base, position, term }: Call,
): Ballot {
  if (base !== baseOf(standing.manifest)) throw refusal("Stale", "another manifest");
  if (position !== standing.log.length) throw refusal("Stale", `${standing.log.length} entries`);
  const seats = seatsOf(standing);
  if (!seats.includes(self) || ballot.from > position) throw refusal("Denied", "no vote here");
  if (leaderOf(seats, base, term) !== from) throw refusal("Denied", "another leads");
  if (Math.abs(term - termNow) > limits.guard.termsApart) throw refusal("Denied", "not its time");
  const here = ballotAt(ballot, base, position);
  if (term < here.pledged) throw refusal("Stale", `pledged to term ${here.pledged}`);
  return here;
}

/** What was said at earlier positions, or under an older manifest, binds nobody any more. */
export function ballotAt(ballot: Ballot, base: BaseId, position: number): Ballot {
  if (ballot.base !== base) return { ...freshBallot(base), position };
  if (ballot.position === position) return ballot;
  return { ...freshBallot(base, ballot.from), position };
}

/** Whether the leader had no choice; throws when it took one that it had not. */
function checkChoice({ standing }: Voter, { entry, pledges, ...call }: Proposal): boolean {
  const seats = seatsOf(standing);
  const voters = new Set(pledges.map(({ voter }) => voter));
  const areRight = pledges.every(({ voter, base, position, term }) => {
    const isHere = base === call.base && position === call.position && term === call.term;
    return isHere && seats.includes(voter);
  });
  const areEnough = voters.size === pledges.length && voters.size >= quorumOf(seats.length);
  if (!areRight || !areEnough) throw refusal("Invalid", "not the pledges of a majority");
  const binding = bindingOf(pledges, seats.length);
  if (binding.state === "torn") throw refusal("Denied", "two entries may have been accepted");
  const isBound = binding.state === "bound";
  if (isBound && binding.entry !== entry.id) throw refusal("Invalid", `bound to ${binding.entry}`);
  if (!isBound && entry.by !== call.from) throw refusal("Invalid", "another's entry");
  return isBound;
}

/** Free: nothing was accepted. Torn: nobody can tell which of two may have been. */
export type Binding =
  | { readonly state: "free" }
  | { readonly state: "bound"; readonly entry: EntryId }
  | { readonly state: "torn" };

/**
 * The entry that may have been accepted, by what these voters tell and for all that the others
 * might. Had one been accepted, then whoever voted for it and pledged here still names it: later
 * terms were bound to it as well. So of two that may have been, it is the one of the newer term.
 * Two of one term are a leader's lie, or its loss of memory; then nobody chooses, until more voters
 * tell or the owner is back.
 */
export function bindingOf(pledges: readonly Pledge[], seats: number): Binding {
  const votes = new Map<EntryId, { readonly count: number; readonly term: number }>();
  for (const { voted: last } of pledges) {
    if (last === undefined) continue;
    const { count, term } = votes.get(last.entry) ?? { count: 0, term: 0 };
    votes.set(last.entry, { count: count + 1, term: Math.max(term, last.term) });
  }
  const untold = seats - pledges.length;
  const possible = [...votes].filter(([, { count }]) => count + untold >= quorumOf(seats));
  const [newest, second] = possible.sort(([, a], [, b]) => b.term - a.term);
  if (newest === undefined) return { state: "free" };
  if (second?.[1].term === newest[1].term) return { state: "torn" };
  return { state: "bound", entry: newest[0] };
}

function refusal(kind: Kind, why: string): HiveError {
  return new HiveError(kind, "guard.vote", why);
}
