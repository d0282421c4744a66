/**
 * Takes what the cache has to place, round by round: packs, codes, places, writes it down, and
 * publishes the head. One Step: bounded, and stoppable between any two writes of its books.
 *
 * A segment counts as placed when at least r of its n shards are acknowledged, r being its class's
 * repair threshold: all n are tried, and what is missing is left to repair, which sees the segment
 * as degraded. Fewer than r, and the round waits: no head names a block of it.
 *
 * A crash leaves half-placed segments in the books. Their blocks make the same shards again, so
 * they are finished first; if a block is gone since, nothing names the segment, and it is released.
 */
import type { BlockInfo, KeyValue, RoundOptions, UploadSource } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, assert, isFault } from "../base/errors.ts";
import type { Cid, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import type { Step } from "../base/step.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import type { Coder } from "../erasure/erasure.ts";
import { memberOfShard } from "../placement/seats.ts";
import { tellAbandoned } from "./abandon.ts";
import { type HalfPlaced, type SegmentBooks, type SegmentState } from "./books.ts";
import { freshState, heldCount } from "./books.ts";
import type { CatalogEntry } from "./catalog-page.ts";
import type { Catalog } from "./catalog.ts";
import { withFound } from "./found.ts";
import type { Groups } from "./groups.ts";
import {
  type Lane, type LaneStatus, groupFor, isLaneDone, laneStatus, lanesOf,
  waitingOf,
} from "./lanes.ts";
import { type Layout, planSegment } from "./pack.ts";
import { type Placer, flightsMax } from "./place.ts";
import { type Announcer, type Renewal, publishHead } from "./publish.ts";
import { type Round, RoundCount, beginRenewal, roundOf } from "./round.ts";
import { type CodedSegment, codeSegment, signSegment } from "./segment.ts";
import { ShardPool } from "./shard-pool.ts";
import { type Waiting, notHere, tooFewTook } from "./waiting.ts";
import type { Witness } from "./witness.ts";

export interface UploadNeeds {
  readonly network: PeerNetwork;
  readonly source: UploadSource;
  readonly books: KeyValue;
  readonly coder: Coder;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly catalog: Catalog;
  readonly groups: Groups;
  readonly placer: Placer;
  readonly announcer: Announcer;
  readonly devices?: { peers(): readonly PeerId[] };
  readonly renewal: Renewal;
  readonly witness: Witness;
  readonly onPublished?: () => void;
}

export class Uploader implements Step {
  readonly name = "upload";
  readonly #needs: UploadNeeds;
  readonly #pool = new ShardPool();
  #round: Round | undefined;
  #waiting: Waiting = { for: "nothing" };
  #running: Promise<unknown> = Promise.resolve();
  readonly count = new RoundCount();
  /** Blocks of this root that this disk does not give: they must not keep the others here. */
  #spoilt: { readonly root: Uint8Array; readonly cids: Set<Cid> } | undefined;

  constructor(needs: UploadNeeds) {
    this.#needs = needs;
  }

  get waiting(): Waiting {
    return this.#waiting;
  }

  /** What of this round is not on its way yet, by policy. */
  get lanes(): readonly LaneStatus[] {
    return this.#round?.lanes.filter((lane) => !isLaneDone(lane)).map(laneStatus) ?? [];
  }

  /** After an idle step: nothing is left to do, rather than something being in the way. */
  get done(): boolean {
    return this.#round === undefined && this.#waiting.for === "nothing";
  }

  /** Does this while no round is under way; undefined when one is. */
  apart<T>(act: () => Promise<T>): Promise<T | undefined> {
    const next = this.#running.then(() => (this.#round === undefined ? act() : undefined));
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** Steps asked for at once run one after another; whoever is patient lets new data rest. */
  step(signal: AbortSignal, { patient = true }: RoundOptions = {}): Promise<"busy" | "idle"> {
    const next = this.#running.then(() => this.#guarded(signal, { patient }));
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** A block that is gone makes the round stale: the next one is of a newer commit. */
  async #guarded(signal: AbortSignal, options: RoundOptions): Promise<"busy" | "idle"> {
    try {
      return await this.#step(signal, options);
    } catch (error) {
      if (!isFault(error, "NotFound", "Stale")) throw error;
      this.#needs.log.warn("transfer.round.stale", { why: describe(error) });
      this.#round = undefined;
      return this.#idle({ for: "members", why: describe(error) });
    }
  }

  async #step(signal: AbortSignal, options: RoundOptions): Promise<"busy" | "idle"> {
    signal.throwIfAborted();
    if (await this.#finishHalfPlaced(signal) > 0) return "idle";
    this.#round ??= await this.#beginRound(options);
    const round = this.#round;
    if (round === undefined) return this.#idle({ for: "nothing" });
    if (!round.lanes.every(isLaneDone)) return this.#placeSome(round, options, signal);
    const pages = await this.#needs.catalog.settle();
    if (pages.length === 0 && this.#spoilt !== undefined) return this.#leaveSpoilt();
    if (pages.length === 0) return this.#publish(round, signal);
    return this.#placeSome({ ...round, lanes: lanesOf(pages) }, options, signal);
  }

  /** No head may name them; a later root may do without them, or they are put again. */
  #leaveSpoilt(): "idle" {
    this.#round = undefined;
    return this.#idle({ for: "disk", spoiltBlocks: this.#spoilt?.cids.size ?? 0 });
  }

  async #publish(round: Round, signal: AbortSignal): Promise<"busy" | "idle"> {
    try {
      await publishHead(this.#needs, round.root, signal);
    } catch (error) {
      if (!isFault(error, "Unavailable")) throw error;
      return this.#idle({ for: "members", why: describe(error) });
    }
    this.#needs.renewal.done();
    if (round.isRenewal !== true) {
      await this.#needs.source.endRound(round.root);
      this.count.published();
    }
    this.#round = undefined;
    return "busy";
  }

  async #beginRound(options: RoundOptions): Promise<Round | undefined> {
    const found = await this.#needs.source.beginRound(options);
    if (found === undefined) return beginRenewal(this.#needs);
    this.count.begin();
    if (!asBuffer(found.root).equals(this.#spoilt?.root ?? found.root)) this.#spoilt = undefined;
    return roundOf(this.#needs, found, this.#spoilt?.cids ?? new Set());
  }

  /** A few segments, the next one coded while the last is on its way. */
  async #placeSome(
    round: Round, options: RoundOptions, signal: AbortSignal,
  ): Promise<"busy" | "idle"> {
    const { segmentsPerStepMax: count } = limits.transfer;
    const flights: Promise<boolean>[] = [];
    try {
      for (const lane of round.lanes) {
        if (isLaneDone(lane) || flights.length >= count || signal.aborted) continue;
        const group = await groupFor(lane, this.#needs.groups);
        if (group !== undefined) await this.#launch(lane, { group, flights, count }, signal);
      }
    } finally {
      // Whatever failed: the next step must not find one of these half-placed and give it up.
      await Promise.allSettled(flights);
    }
    const done = await Promise.all(flights);
    if (flights.length === 0) return this.#wait(round, options);
    return done.every(Boolean) ? this.#busy() : this.#idle(tooFewTook);
  }

  /** What is left waits for others. What was written since need not: it joins in now and then. */
  async #wait(round: Round, options: RoundOptions): Promise<"idle"> {
    const isOld = this.#needs.clock.monotonicMs() - round.beganMs >= limits.transfer.stuckRoundMs;
    if (isOld) this.#round = await this.#beginRound({ ...options, stuck: true }) ?? round;
    return this.#idle(waitingOf(round.lanes) ?? { for: "nothing" });
  }

  async #launch(
    lane: Lane,
    plan: {
      readonly group: Manifest; readonly count: number; readonly flights: Promise<boolean>[];
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { group, flights } = plan;
    // On a slow line a step takes minutes, and what was waited for before it is here.
    this.#waiting = { for: "nothing" };
    const inTheAir = new Set<Promise<boolean>>();
    while (flights.length < plan.count && !isLaneDone(lane)) {
      const { layout, taken } = planSegment(lane.blocks, { from: lane.from, k: group.class.k });
      const { half, coded } = await this.#beginSegment(layout, group);
      lane.from += taken;
      const flight = this.#placeSegment(half, coded, signal);
      flights.push(flight);
      inTheAir.add(flight);
      const land = (): boolean => inTheAir.delete(flight);
      flight.then(land, land);
      if (inTheAir.size >= flightsMax(group, layout)) await Promise.race(inTheAir);
      if (signal.aborted) return;
    }
  }

  /** Codes a segment and writes it down before its first shard leaves. */
  async #beginSegment(
    layout: Layout, group: Manifest,
  ): Promise<{ half: HalfPlaced; coded: CodedSegment }> {
    const coded = await this.#code(layout, group.class.n);
    const { roots } = coded;
    const { shardBytes, blocks } = layout;
    const told = { group: group.group, class: group.class, shardBytes, roots };
    const record = signSegment(this.#needs, told);
    const state = freshState(record);
    await this.#needs.segments.write(state, { record, blocks });
    return { half: { state, record, blocks }, coded };
  }

  #code(layout: Layout, n: number): Promise<CodedSegment> {
    const read = async (cid: Cid, into: Buffer): Promise<Uint8Array> => {
      return await this.#needs.catalog.page(cid) ?? this.#readHere(cid, into);
    };
    const take = (shardBytes: number): Buffer => this.#pool.take(shardBytes);
    return codeSegment(this.#needs.coder, layout, { n, read, take });
  }

  async #readHere(cid: Cid, into: Buffer): Promise<Uint8Array> {
    try {
      return await this.#needs.source.read(cid, into);
    } catch (cause) {
      if (!isFault(cause, "Corrupt") || this.#round === undefined) throw cause;
      this.#needs.log.error("transfer.block.spoilt", { cid });
      this.#spoilt ??= { root: this.#round.root, cids: new Set() };
      this.#spoilt.cids.add(cid);
      // The round begins anew without it.
      throw new HiveError("Stale", "transfer.read", cid, { cause });
    }
  }

  /** True when enough members have their shards. */
  async #placeSegment(
    half: HalfPlaced, coded: CodedSegment, signal: AbortSignal,
  ): Promise<boolean> {
    const { record, blocks } = half;
    const manifest = this.#needs.groups.get(record.group);
    assert(manifest !== undefined, "a segment has its group");
    const { r } = manifest.class;
    const startedMs = this.#needs.clock.monotonicMs();
    let state = await this.#sendMissing(half, coded, { haste: true, signal });
    if (heldCount(state) < r) {
      state = await this.#sendMissing({ ...half, state }, coded, { haste: false, signal });
    }
    const isOurLine = !this.#needs.witness.heardSince(startedMs);
    if (heldCount(state) < r && !isOurLine && await this.#replaceFailed(state, record)) {
      state = await this.#sendMissing({ ...half, state }, coded, { haste: false, signal });
    }
    if (heldCount(state) < r) {
      await this.#needs.segments.write(state, { record, blocks });
      return false;
    }
    await this.#accept({ state, record, blocks });
    return true;
  }

  async #sendMissing(
    half: HalfPlaced,
    coded: CodedSegment,
    options: { readonly haste: boolean; readonly signal: AbortSignal },
  ): Promise<SegmentState> {
    const { state, record } = half;
    const manifest = this.#needs.groups.get(record.group);
    assert(manifest !== undefined, "a segment has its group");
    const freed = (shard: Buffer) => () => this.#pool.give(shard);
    const shards = coded.shards.map((bytes, index) => ({ index, bytes, freed: freed(bytes) }));
    const missing = shards
      .filter(({ index }) => state.holders[index] !== memberOfShard(record, index, manifest));
    const taken = await this.#needs.placer.place(record, manifest, missing, options);
    const holders = state.holders.map((holder, index) => taken.get(index) ?? holder);
    return { ...state, holders };
  }

  /**
   * New members for as many seats as the round lacks, of those that took nothing: it cannot wait
   * for repair, and whoever keeps its seat has nothing to move.
   */
  async #replaceFailed(state: SegmentState, record: SegmentRecord): Promise<boolean> {
    const manifest = this.#needs.groups.get(record.group);
    assert(manifest !== undefined, "a segment has its group");
    const failed = new Set<PeerId>();
    for (const [index, holder] of state.holders.entries()) {
      if (holder === undefined) failed.add(memberOfShard(record, index, manifest));
    }
    let newest: Manifest | undefined;
    let lacking = manifest.class.r - heldCount(state);
    for (const peer of failed) {
      if (lacking === 0) break;
      const next = await this.#needs.groups.replace(record.group, [peer], failed);
      if (next !== undefined) lacking--;
      newest = next ?? newest;
    }
    if (newest !== undefined) await this.#needs.groups.tell(newest);
    return newest !== undefined;
  }

  /** The books first, then the cache: what it evicts can be found. */
  async #accept({ state, record, blocks }: HalfPlaced): Promise<void> {
    const { segment, group } = record;
    const entries = blocks.map((block): CatalogEntry => ({ ...block, segment, group }));
    const changes = await this.#needs.catalog.changesFor(entries);
    await this.#needs.segments.write({ ...state, placed: true }, { record, changes });
    const held = heldCount(state);
    this.#needs.log.debug("transfer.segment.placed", { segment, held, n: state.n });
    await this.#needs.source.placed(blocks.map(({ cid }) => cid));
  }

  /** How many remain unfinished. */
  async #finishHalfPlaced(signal: AbortSignal): Promise<number> {
    let left = 0;
    for (const half of await this.#needs.segments.halfPlaced()) {
      signal.throwIfAborted();
      if (!(await this.#finish(half, signal))) left++;
    }
    if (left > 0) this.#idle(tooFewTook);
    return left;
  }

  async #finish(half: HalfPlaced, signal: AbortSignal): Promise<boolean> {
    if (!this.#mayCode(half)) return false;
    const { groups } = this.#needs;
    const manifest = groups.get(half.record.group);
    const isLawful = manifest === undefined || groups.law.isLawful(manifest);
    const coded = await this.#codeAgain(half);
    if (coded !== undefined && !isLawful) {
      if (!(await this.#hasOtherGroup(half))) return false;
    } else if (coded !== undefined) {
      const state = await withFound(this.#needs, half, { shards: coded.shards, signal });
      if (await this.#placeSegment({ ...half, state }, coded, signal)) return true;
      // A group whose members are gone must not keep from the others what another group can take.
      if (!(await this.#hasOtherGroup(half))) return false;
    }
    await this.#abandon(half);
    return true;
  }

  /** The policy may have changed since it was begun. */
  #mayCode({ record }: HalfPlaced): boolean {
    const manifest = this.#needs.groups.get(record.group);
    return manifest === undefined || this.#needs.groups.law.mayHere("encode", manifest);
  }

  async #hasOtherGroup({ record }: HalfPlaced): Promise<boolean> {
    const { groups } = this.#needs;
    const next = await groupFor({ name: groups.nameOf(record.group), waiting: undefined }, groups);
    return next !== undefined && next.group !== record.group;
  }

  /** The shards as they were; undefined when a block of them is gone. */
  async #codeAgain({ record, blocks }: HalfPlaced): Promise<CodedSegment | undefined> {
    const { k, n, shardBytes } = record;
    try {
      const coded = await this.#code({ k, shardBytes, blocks }, n);
      const same = coded.roots.every((root, index) => root === record.roots[index]);
      return same ? coded : undefined;
    } catch (error) {
      if (isFault(error, "NotFound", "Stale", "Corrupt")) return undefined;
      throw error;
    }
  }

  /** Nothing names this segment and nothing will: its holders may forget it. */
  async #abandon(half: HalfPlaced): Promise<void> {
    await tellAbandoned(this.#needs, half);
    await this.#needs.segments.forget(half.record.segment);
    // Blocks of it that are still wanted come again with the next round.
    this.#round = undefined;
  }

  #idle(waiting: Waiting): "idle" {
    this.#waiting = waiting;
    this.#pool.clear();
    return "idle";
  }

  #busy(): "busy" {
    this.#waiting = { for: "nothing" };
    return "busy";
  }
}
