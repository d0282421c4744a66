/**
 * Looks after folders of others that this machine's person may verify, whether their owners are
 * there or not: goes through the segments of their groups, asks every holder for a proof, and
 * brings back what is lost (care.ts). Whose shards they are the owner's signatures say: holders
 * tell which manifests and segments there are, and none can make one up. It has no key to them.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { GroupId, PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";
import type { Ward } from "../../base/sharing.ts";
import type { Step } from "../../base/step.ts";
import type { TendedView } from "../../base/views/sharing.ts";
import { supersedes } from "../../crypt/records/records.ts";
import type { Answer } from "../asking/ask.ts";
import { Care, type CareNeeds, type Looked } from "./care.ts";

const { tellersMax, roundMs, againMs, segmentsPerStep } = limits.wards;

export interface TendingNeeds {
  readonly network: Pick<PeerNetwork, "records" | "segments">;
  readonly reach: CareNeeds["reach"];
  readonly coder: CareNeeds["coder"];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wards: () => readonly Ward[];
}

/** A round under way. */
interface Round {
  readonly ward: Ward;
  readonly manifests: ReadonlyMap<GroupId, Manifest>;
  readonly records: AsyncIterator<SegmentRecord>;
  readonly found: Found;
}

/** What a round has found so far. */
interface Found {
  segments: number;
  missing: number;
  brought: number;
  readonly answers: Record<Answer, number>;
}

export class Tending {
  readonly #needs: TendingNeeds;
  readonly #care: Care;
  readonly #last = new Map<string, TendedView>();
  readonly #nextAtMs = new Map<string, number>();
  #round: Round | undefined;
  readonly step: Step = { name: "tending", step: (signal) => this.#step(signal) };

  constructor(needs: TendingNeeds) {
    this.#needs = needs;
    // Holders have the text of the policy by which they were seated.
    this.#care = new Care({ ...needs, policyOf: async () => undefined });
  }

  /** Of the last whole round; undefined before the first. */
  view(name: string): TendedView | undefined {
    return this.#last.get(name);
  }

  /** Goes through all of it now. */
  async verify(name: string, signal: AbortSignal): Promise<TendedView> {
    const ward = this.#needs.wards().find((one) => one.name === name);
    if (ward === undefined) throw new HiveError("NotFound", "ward.verify", name);
    const round = await this.#begin(ward, signal);
    while (await this.#lookAtNext(round, signal));
    return this.#end(round);
  }

  /** A few segments of one folder. */
  async #step(signal: AbortSignal): Promise<"busy" | "idle"> {
    this.#round ??= await this.#beginNext(signal);
    const round = this.#round;
    if (round === undefined) return "idle";
    try {
      for (let count = 0; count < segmentsPerStep; count++) {
        if (await this.#lookAtNext(round, signal)) continue;
        this.#round = undefined;
        this.#end(round);
        break;
      }
    } catch (error) {
      this.#round = undefined;
      if (!isFault(error)) throw error;
      this.#needs.log.debug("ward.round", { why: describe(error) });
    }
    return "busy";
  }

  /** The first round of each comes at a moment of its own: those who verify one folder spread. */
  async #beginNext(signal: AbortSignal): Promise<Round | undefined> {
    const { clock, random, wards, log } = this.#needs;
    const nowMs = clock.monotonicMs();
    for (const ward of wards()) {
      const nextAtMs = this.#nextAtMs.get(ward.name) ?? nowMs + random.below(roundMs);
      this.#nextAtMs.set(ward.name, nextAtMs);
      if (nextAtMs > nowMs || ward.groups === undefined || !ward.isTended) continue;
      // Until it came to its end it is tried again soon.
      this.#nextAtMs.set(ward.name, nowMs + againMs);
      try {
        return await this.#begin(ward, signal);
      } catch (error) {
        if (!isFault(error)) throw error;
        log.debug("ward.begin", { why: describe(error) });
      }
    }
    return undefined;
  }

  async #begin(ward: Ward, signal: AbortSignal): Promise<Round> {
    const manifests = await this.#manifestsOf(ward, signal);
    const answers = {
      right: 0, wrong: 0, absent: 0, gone: 0, late: 0, busy: 0, refused: 0, offline: 0,
    };
    return {
      ward, manifests, records: this.#recordsOf([...manifests.values()], signal),
      found: { segments: 0, missing: 0, brought: 0, answers },
    };
  }

  #end({ ward, found }: Round): TendedView {
    const { right, wrong, absent, gone, late, busy, refused, offline } = found.answers;
    const view = {
      at: new Date(this.#needs.clock.now()).toISOString(),
      segments: found.segments, missing: found.missing, brought: found.brought,
      right, wrong, absent: absent + gone, late: late + busy,
      offline: offline + refused,
    };
    this.#last.set(ward.name, view);
    this.#nextAtMs.set(ward.name, this.#needs.clock.monotonicMs() + roundMs);
    this.#needs.log.info("ward.tended", { segments: view.segments, brought: view.brought });
    return view;
  }

  /** False when there is none any more. */
  async #lookAtNext(round: Round, signal: AbortSignal): Promise<boolean> {
    const next = await round.records.next();
    if (next.done === true) return false;
    const manifest = round.manifests.get(next.value.group) as Manifest;
    const standing = { manifest, log: [] };
    const looked = await this.#care.look(standing, next.value, signal);
    signal.throwIfAborted();
    count(round.found, looked);
    for (const mends of this.#care.plan(standing, [looked])) {
      round.found.brought += await this.#care.mend(standing, looked, mends, signal);
    }
    return true;
  }

  /** The newest of each group that anybody tells of. */
  async #manifestsOf(
    { owner, groups, keepers }: Ward, signal: AbortSignal,
  ): Promise<ReadonlyMap<GroupId, Manifest>> {
    const newest = new Map<GroupId, Manifest>();
    const told = await this.#ask(keepers, (peer) => {
      return this.#needs.network.records(peer, owner, { signal });
    });
    for (const manifest of told.flatMap(({ manifests }) => manifests)) {
      const known = newest.get(manifest.group);
      const isOne = groups?.has(manifest.group) === true && manifest.owner === owner;
      const isNewer = known === undefined || supersedes(manifest, known);
      if (isOne && isNewer) newest.set(manifest.group, manifest);
    }
    if (newest.size > 0) return newest;
    throw new HiveError("Unavailable", "ward.groups", "nobody who keeps it answers");
  }

  async *#recordsOf(
    manifests: readonly Manifest[], signal: AbortSignal,
  ): AsyncGenerator<SegmentRecord> {
    for (const manifest of manifests) yield* this.#recordsIn(manifest, signal);
  }

  /** In the order of their ids, as any of several members tells of them. */
  async *#recordsIn(
    { owner, group, peers }: Manifest, signal: AbortSignal,
  ): AsyncGenerator<SegmentRecord> {
    for (let after: SegmentId | undefined; ;) {
      const from = after;
      const pages = await this.#ask(peers, async (peer) => {
        const page = await this.#needs.network.segments(peer, owner, from, { signal });
        return page.filter(({ segment }) => from === undefined || segment > from);
      });
      // Behind the end of the shortest page its teller may know of more than the others.
      const until = pages.flatMap((page) => page.at(-1)?.segment ?? []).sort()[0];
      if (until === undefined) return;
      const records = new Map(pages.flat().map((record) => [record.segment, record]));
      for (const segment of [...records.keys()].sort()) {
        const record = records.get(segment) as SegmentRecord;
        if (segment <= until && record.group === group) yield record;
      }
      after = until;
    }
  }

  /** Several, at most so many that answered; Unavailable when nobody did. */
  async #ask<T>(
    peers: readonly PeerId[], ask: (peer: PeerId) => Promise<T>,
  ): Promise<readonly T[]> {
    const { reach, random } = this.#needs;
    const others = peers.filter((peer) => peer !== reach.self);
    const inOrder = shuffled(others, random)
      .sort((a, b) => Number(reach.isThere(b)) - Number(reach.isThere(a)));
    const answers: T[] = [];
    for (const peer of inOrder) {
      if (answers.length === tellersMax) break;
      try {
        answers.push(await ask(peer));
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#needs.log.debug("ward.ask", { peer, why: describe(error) });
      }
    }
    if (answers.length > 0) return answers;
    throw new HiveError("Unavailable", "ward.ask", "nobody who keeps it answers");
  }
}

function count(found: Found, { record: { k }, answers, there }: Looked): void {
  found.segments++;
  if (there.length < k) found.missing++;
  for (const answer of answers) found.answers[answer]++;
}
