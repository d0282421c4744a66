/**
 * Leads a group through its term: asks the members for pledges, proposes, counts votes, and tells
 * everybody what was accepted. Of itself it asks what it asks of others. At most one proposal for a
 * position and term: whether it led before, its own ballot tells, after a restart and by a clock
 * that was set back as well.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Accepted, GuardAct, Replacement, Vote } from "../../base/guard.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Offer } from "../../base/records.ts";
import type { PeerKeys } from "../../crypt/ciphers/peer-key.ts";
import { parseVote, signReplacement } from "../../crypt/records/guard-records.ts";
import { supersedes } from "../../crypt/records/records.ts";
import { offersToTell, substituteFor } from "../../guard/draw.ts";
import { leaderOf, termAt } from "../../guard/lease.ts";
import { type Standing, baseOf, extend, quorumOf, seatsOf, tipOf } from "../../guard/log.ts";
import { decodePledged, decodeWord, encodeName, encodePledgeAsk } from "../../guard/messages.ts";
import { type VoteAsk, encodeVoteAsk, encodeWord } from "../../guard/messages.ts";
import type { Notices } from "../../guard/notices.ts";
import { type Pledged, acceptedBy, choose, draft, seatToGive } from "../../guard/propose.ts";
import { ballotAt } from "../../guard/voter.ts";
import type { GroupShelf } from "../../vault/shelf.ts";
import type { Reach } from "../asking/guard-reach.ts";
import { potOf } from "./guard-answers.ts";

export interface LeadNeeds {
  readonly shelf: GroupShelf;
  readonly reach: Reach;
  readonly notices: Notices;
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  readonly clock: Clock;
  readonly log: Log;
}

/** The seat that is to be given away, and when. */
interface Turn {
  readonly seat: number;
  readonly term: number;
}

export class Lead {
  readonly #needs: LeadNeeds;
  readonly #leaseMs: number;
  /** What its fellows were asked to follow in the last term that it led. */
  #tried: { readonly term: number; readonly tips: Set<string> } = { term: 0, tips: new Set() };

  constructor(needs: LeadNeeds, options: { readonly leaseMs: number }) {
    this.#needs = needs;
    this.#leaseMs = options.leaseMs;
  }

  /** Gives away seats of the dead and of who leaves, one by one; how many entries were accepted. */
  async step(first: Standing, signal: AbortSignal): Promise<number> {
    let standing = first;
    for (let count = 0; count < limits.guard.entriesPerStep; count++) {
      const next = await this.#leadOnce(standing, signal);
      if (next === undefined) return count;
      standing = next;
    }
    return limits.guard.entriesPerStep;
  }

  /** Hears what a fellow knows of the group, and tells it what it does not. */
  async sync(standing: Standing, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { reach, shelf } = this.#needs;
    try {
      const name = encodeName(standing.manifest);
      const told = decodeWord(await reach.guard(peer, "word", name, signal));
      const isNewer = supersedes(told.manifest, standing.manifest);
      if (isNewer || told.log.length > standing.log.length) {
        return await shelf.tell({ peer, owners: [] }, told);
      }
      if (told.log.length === standing.log.length) return;
    } catch (error) {
      if (!isFault(error, "NotFound", "Denied")) return this.#note("guard.word", peer, error);
    }
    await this.tell(standing, [peer], signal);
  }

  /** As far as they can be reached; who misses it hears it later. */
  async tell(standing: Standing, peers: readonly PeerId[], signal: AbortSignal): Promise<void> {
    const { reach, shelf } = this.#needs;
    const word = encodeWord(await shelf.word(standing));
    const others = peers.filter((peer) => peer !== reach.self);
    await Promise.all(others.map(async (peer) => {
      try {
        await reach.guard(peer, "tell", word, signal);
      } catch (error) {
        this.#note("guard.tell", peer, error);
      }
    }));
  }

  async #leadOnce(standing: Standing, signal: AbortSignal): Promise<Standing | undefined> {
    const { reach, shelf, log, notices, clock } = this.#needs;
    const seat = seatToGive(standing, {
      isDead: (peer) => reach.isDead(peer), isFresh: (peer) => reach.isFresh(peer),
      isOnline: (peer) => reach.isThere(peer),
      isLeaving: (peer) => notices.has(peer, standing.manifest.group),
      nowMs: clock.now(), leaseMs: this.#leaseMs,
    });
    const term = termAt(clock.now(), this.#leaseMs);
    if (seat === undefined || !await this.#mayLead(standing, term)) return undefined;
    this.#triedIn(term).add(tipOf(standing));
    const accepted = await this.#round(standing, { seat, term }, signal);
    if (accepted === undefined) return undefined;
    const next = extend(standing, accepted);
    await shelf.tell(reach.asSelf, await shelf.word(next));
    const { group, lost, peer } = accepted.entry;
    log.info("guard.replaced", { group, seat, lost, peer });
    await this.tell(next, [...seatsOf(next), lost], signal);
    return next;
  }

  /** It is drawn to, and has not led this term: who leads pledges itself before it proposes. */
  async #mayLead(standing: Standing, term: number): Promise<boolean> {
    const { reach: { self }, shelf } = this.#needs;
    const { manifest, log: { length: position } } = standing;
    const [base, seats] = [baseOf(manifest), seatsOf(standing)];
    if (!seats.includes(self) || leaderOf(seats, base, term) !== self) return false;
    if (this.#triedIn(term).has(tipOf(standing))) return false;
    const { from, pledged } = ballotAt(await shelf.ballot(manifest), base, position);
    return from <= position && pledged < term;
  }

  /** Where too few pledged themselves nothing on the disk tells of it; once a term is enough. */
  #triedIn(term: number): Set<string> {
    if (this.#tried.term !== term) this.#tried = { term, tips: new Set() };
    return this.#tried.tips;
  }

  async #round(
    standing: Standing, { term, seat }: Turn, signal: AbortSignal,
  ): Promise<Accepted | undefined> {
    const answers = await this.#pledgesFor(standing, { term, seat }, signal);
    const told = offersToTell(answers.map(({ offers }) => offers));
    const entry = await this.#entryOf(standing, seat, { answers, told });
    if (entry === undefined) return undefined;
    const pledges = answers.map(({ pledge }) => pledge);
    const votes = await this.#votesFor(standing, { entry, term, pledges, offers: told }, signal);
    return acceptedBy(standing, entry, votes);
  }

  /**
   * Its fellows' first, and its own where that makes a majority: the term of a clock that is far
   * ahead, which they refuse, would take its vote away until that time comes. No majority without
   * its own: were that not on stable storage, it might lead this term once more.
   */
  async #pledgesFor(
    standing: Standing, { term, seat }: Turn, signal: AbortSignal,
  ): Promise<readonly Pledged[]> {
    const { self } = this.#needs.reach;
    const { manifest, log: { length: position } } = standing;
    const { owner, group } = manifest;
    const base = baseOf(manifest);
    const seats = seatsOf(standing);
    const call = encodePledgeAsk({ owner, group, base, position, term, seat });
    const ask = (peers: readonly PeerId[]): Promise<readonly Pledged[]> => {
      return this.#askAll(standing, { peers, act: "pledge", call }, (peer, bytes) => {
        const answer = decodePledged(bytes);
        const { pledge } = answer;
        const isRight = pledge.voter === peer && pledge.base === base
          && pledge.position === position && pledge.term === term;
        return isRight ? answer : undefined;
      }, signal);
    };
    const fellows = await ask(seats.filter((peer) => peer !== self));
    if (fellows.length + 1 < quorumOf(seats.length)) return fellows;
    const own = await ask([self]);
    return own.length === 0 ? [] : [...own, ...fellows];
  }

  async #entryOf(
    standing: Standing, seat: number,
    { answers, told }: { readonly answers: readonly Pledged[]; readonly told: readonly Offer[] },
  ): Promise<Replacement | undefined> {
    const { reach, clock, keys, log } = this.#needs;
    const choice = choose(standing, answers);
    if (choice.state === "bound") return choice.entry;
    const { group } = standing.manifest;
    if (choice.state === "none") {
      log.debug("guard.too-few", { group, pledges: answers.length });
      return undefined;
    }
    const pot = await potOf({ ...this.#needs, known: () => reach.known() }, standing);
    const peer = substituteFor({ ...pot, told }, seat);
    if (peer === undefined) log.warn("guard.nobody", { group, seat });
    if (peer === undefined) return undefined;
    const why = reach.isDead(seatsOf(standing)[seat] as PeerId) ? "dead" : "leaving";
    return signReplacement(keys, draft(standing, { seat, peer, why, atMs: clock.now() }));
  }

  #votesFor(
    standing: Standing, ask: VoteAsk, signal: AbortSignal,
  ): Promise<readonly Vote[]> {
    const { entry, term } = ask;
    const asked = { peers: seatsOf(standing), act: "vote", call: encodeVoteAsk(ask) } as const;
    return this.#askAll(standing, asked, (peer, bytes) => {
      const vote = parseVote(bytes);
      const isRight = vote.voter === peer && vote.term === term && vote.entry === entry.id;
      return isRight ? vote : undefined;
    }, signal);
  }

  /** What those who are there answer, within half a lease: two rounds are one. */
  async #askAll<T>(
    standing: Standing,
    { peers, act, call }: {
      readonly peers: readonly PeerId[]; readonly act: GuardAct; readonly call: Uint8Array;
    },
    read: (peer: PeerId, answer: Uint8Array) => T | undefined, signal: AbortSignal,
  ): Promise<readonly T[]> {
    const { reach, clock } = this.#needs;
    const late = new AbortController();
    using _timer = clock.after(this.#leaseMs / 2, () => {
      late.abort(new HiveError("TimedOut", "guard.ask", act));
    });
    const until = AbortSignal.any([signal, late.signal]);
    const there = peers.filter((peer) => reach.isThere(peer));
    const found = await Promise.all(there.map(async (peer) => {
      try {
        return read(peer, await reach.guard(peer, act, call, until));
      } catch (error) {
        this.#note(`guard.${act}`, peer, error);
        // One of us has missed something.
        if (isFault(error, "Stale", "NotFound")) await this.sync(standing, peer, until);
        return undefined;
      }
    }));
    signal.throwIfAborted();
    return found.flatMap((one) => (one === undefined ? [] : [one]));
  }

  #note(event: string, peer: PeerId, error: unknown): void {
    if (!isFault(error)) throw error;
    this.#needs.log.debug(event, { peer, why: describe(error) });
  }}
