/**
 * What this node answers its fellows in a group: what it knows of the log, its pledge, its vote.
 * The decisions are guard/voter.ts's; here a ballot is on stable storage before its answer leaves,
 * and one question is answered at a time. What takes a while to check waits in no line before it is
 * known who sent it, and that he has not sent much of the kind.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { GuardAct, GuardHost } from "../../base/guard.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { KnownPeer, Requester } from "../../base/network.ts";
import type { Offer } from "../../base/records.ts";
import { Turnstile } from "../../base/turnstile.ts";
import type { PeerKeys } from "../../crypt/ciphers/peer-key.ts";
import { signPledge, signVote } from "../../crypt/records/guard-records.ts";
import { type Pot, bestFor, isRightful } from "../../guard/draw.ts";
import { termAt } from "../../guard/lease.ts";
import { type Standing, seatsOf } from "../../guard/log.ts";
import { type GroupName, type PledgeAsk, type VoteAsk } from "../../guard/messages.ts";
import { decodeName, decodePledgeAsk, decodeVoteAsk, decodeWord } from "../../guard/messages.ts";
import { decodeNotice, encodePledged, encodeWord, entryOfVoteAsk, newsIn, outlineOfWord }
  from "../../guard/messages.ts";
import type { Notices } from "../../guard/notices.ts";
import { type Ballot, type Voter, pledged, voted } from "../../guard/voter.ts";
import type { GroupShelf } from "../../vault/shelf.ts";

export interface AnswerNeeds {
  readonly shelf: GroupShelf;
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  readonly clock: Clock;
  /** Whom this node knows, itself among them. */
  readonly known: () => readonly KnownPeer[];
  readonly isDead: (peer: PeerId) => boolean;
  /** Who gives up seats, as they say it. */
  readonly notices: Notices;
  /** Whether this peer has a seat beside this node's, or one of its drives'. */
  readonly hasSeat: (peer: PeerId) => boolean | Promise<boolean>;
  /** Somebody told of a group: there may be something to do. */
  readonly onNews: () => void;
}

const none = Buffer.alloc(0);

export class GuardAnswers implements GuardHost {
  readonly #needs: AnswerNeeds;
  readonly #leaseMs: number;
  readonly #turn = new Gate({ seats: 1, queueMax: limits.guard.callQueueMax });
  /** Those who tell of groups that are not known here, or that they are not in. */
  readonly #strangers: Turnstile;
  readonly #checks: Turnstile;
  /** Each notice that is news wakes all that this node does. */
  readonly #noticed: Turnstile;

  constructor(needs: AnswerNeeds, options: { readonly leaseMs: number }) {
    this.#needs = needs;
    this.#leaseMs = options.leaseMs;
    this.#strangers = new Turnstile(needs.clock, limits.guard.strangers);
    this.#checks = new Turnstile(needs.clock, limits.guard.checks);
    this.#noticed = new Turnstile(needs.clock, limits.leave.notices);
  }

  async guard(from: Requester, act: GuardAct, payload: Uint8Array): Promise<Uint8Array> {
    if (act === "notice") return this.#hear(from, payload);
    const isOwn = from.peer === this.#needs.keys.peer;
    if (act === "tell" && !isOwn) await this.#weighWord(from, payload);
    if (act === "vote" && !isOwn) await this.#weighProposal(from, payload);
    using _turn = await this.#turn.enter();
    switch (act) {
      case "word": return await this.#word(from, decodeName(payload));
      case "tell": return await this.#tell(from, payload);
      case "pledge": return await this.#pledge(from, decodePledgeAsk(payload));
      case "vote": return await this.#vote(from, decodeVoteAsk(payload));
    }
  }

  /** Keys cost nothing: who has no seat to give up is not heard, and takes nobody's room. */
  async #hear(from: Requester, payload: Uint8Array): Promise<Uint8Array> {
    const { notices, hasSeat } = this.#needs;
    if (!await hasSeat(from.peer)) throw refusal("Denied", "no seat is known to be its own");
    if (!this.#noticed.lets(from)) throw refusal("Busy", "many notices");
    notices.hear(from.peer, decodeNotice(payload));
    return none;
  }

  async #word(from: Requester, name: GroupName): Promise<Uint8Array> {
    const standing = await this.#find(name);
    const isPartner = isFellow(standing, from) || from.owners.includes(standing.manifest.owner);
    if (!isPartner) throw refusal("Denied", "neither owner nor member");
    return encodeWord(await this.#needs.shelf.word(standing));
  }

  async #tell(from: Requester, payload: Uint8Array): Promise<Uint8Array> {
    await this.#needs.shelf.tell(from, decodeWord(payload));
    this.#needs.onNews();
    return none;
  }

  /** Strangers seat newcomers, seldom. */
  async #weighWord(from: Requester, payload: Uint8Array): Promise<void> {
    const outline = outlineOfWord(payload);
    const here = await this.#needs.shelf.find(outline.manifest);
    const isStrange = here === undefined || !isFellow(here, from);
    if (isStrange && !this.#strangers.lets(from)) throw refusal("Busy", "many strangers");
    if (!this.#checks.lets(from, 1 + newsIn(outline, here))) throw refusal("Busy", "many words");
  }

  async #weighProposal(from: Requester, payload: Uint8Array): Promise<void> {
    const standing = await this.#find(entryOfVoteAsk(payload));
    if (!isFellow(standing, from)) throw refusal("Denied", "not of the group");
    const { proposalChecks } = limits.guard;
    if (!this.#checks.lets(from, proposalChecks)) throw refusal("Busy", "many proposals");
  }

  async #pledge(from: Requester, ask: PledgeAsk): Promise<Uint8Array> {
    const { shelf, keys } = this.#needs;
    const { base, position, term, seat } = ask;
    const voter = await this.#voter(ask);
    const { standing } = voter;
    if (seat >= standing.manifest.class.n) throw refusal("Invalid", `seat ${seat}`);
    const ballot = pledged(voter, { from: from.peer, base, position, term });
    const pot = await this.#pot(standing);
    await shelf.keepBallot(standing.manifest, ballot);
    const { voted: vote } = ballot;
    const last = vote === undefined ? undefined : { term: vote.term, entry: vote.entry.id };
    const pledge = signPledge(keys, { base, position, term, voted: last });
    return encodePledged({ pledge, entry: vote?.entry, offers: bestFor(pot, seat) });
  }

  async #vote(from: Requester, ask: VoteAsk): Promise<Uint8Array> {
    const { shelf, keys, isDead, notices } = this.#needs;
    const { entry, term } = ask;
    const voter = await this.#voter(entry);
    const { standing } = voter;
    const pot = await this.#pot(standing);
    const { base, position } = entry;
    const ballot = voted(voter, { ...ask, from: from.peer, base, position }, {
      isDead,
      isLeaving: (peer, group) => notices.has(peer, group),
      isRightful: (one, how) => isRightful(withOwn(pot, ask.offers, one.seat), one, how),
    });
    await shelf.keepBallot(standing.manifest, ballot);
    return signVote(keys, { term, entry: entry.id }).bytes;
  }

  async #voter(name: GroupName): Promise<Voter & { readonly ballot: Ballot }> {
    const { shelf, keys, clock } = this.#needs;
    const standing = await this.#find(name);
    const ballot = await shelf.ballot(standing.manifest);
    return { self: keys.peer, standing, ballot, termNow: termAt(clock.now(), this.#leaseMs) };
  }

  async #find(name: GroupName): Promise<Standing> {
    const standing = await this.#needs.shelf.find(name);
    if (standing !== undefined) return standing;
    throw refusal("NotFound", name.group);
  }

  #pot(standing: Standing): Promise<Pot> {
    return potOf(this.#needs, standing);
  }
}

function isFellow(standing: Standing, { peer }: Requester): boolean {
  return standing.manifest.peers.includes(peer) || seatsOf(standing).includes(peer);
}

/** What a member draws from; Denied where the policy's text never came: nobody may guess it. */
export async function potOf(
  { shelf, clock, known }: Pick<AnswerNeeds, "shelf" | "clock" | "known">, standing: Standing,
): Promise<Pot> {
  const { manifest } = standing;
  const policy = await shelf.policyOf(manifest);
  if (policy === undefined) throw refusal("Denied", `the policy of ${manifest.group} is unknown`);
  const owners = await shelf.devicesOf(manifest.owner);
  return { standing, policy, nowMs: clock.now(), known: known(), told: [], owners };
}

/** Whom a voter would have named counts as well, whether or not its leader heard of it. */
function withOwn(pot: Pot, told: readonly Offer[], seat: number): Pot {
  return { ...pot, told: [...told, ...bestFor(pot, seat)] };
}

function refusal(kind: "Busy" | "Denied" | "Invalid" | "NotFound", why: string): HiveError {
  return new HiveError(kind, "guard.answer", why);
}
