/**
 * Takes what the cache has to place, round by round: packs it, has it sent (sending.ts), and
 * publishes the head. One Step: bounded, and stoppable between any two writes of its books.
 *
 * A segment counts as placed when at least r of its n shards are acknowledged, r being its class's
 * repair threshold: all n are tried, and what is missing is left to repair, which sees the segment
 * as degraded. Fewer than r, and the round waits: no head names a block of it.
 * What a crash left half-placed is finished first (halves.ts).
 */
import type { KeyValue, RoundOptions, UploadSource } from "../../base/blocks.ts";
import { asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Cid, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Manifest } from "../../base/records.ts";
import type { HeldBack } from "../../base/stand-in.ts";
import type { Step } from "../../base/step.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import type { Coder } from "../../erasure/erasure.ts";
import type { SegmentBooks } from "../books.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import { type Placer, flightsMax } from "../groups/place.ts";
import { type Waiting, tooFewTook } from "../groups/waiting.ts";
import { type PublishNeeds, type Announcer, type Renewal, publishHead } from "../heads/publish.ts";
import { planSegment } from "../segments/pack.ts";
import type { Witness } from "../witness.ts";
import { Halves } from "./halves.ts";
import { type Lane, type LaneStatus, groupFor, isLaneDone, keepWaiting, laneStatus, lanesOf }
  from "./lanes.ts";
import { waitingOf } from "./lanes.ts";
import { type Round, RoundCount, type RoundNeeds, beginRenewal, roundOf } from "./round.ts";
import { Sending } from "./sending.ts";
import { StandingIn, type StandingInNeeds } from "./standing-in.ts";

export interface UploadNeeds extends Pick<StandingInNeeds, "standIns" | "outgoing"> {
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
  readonly roll: PublishNeeds["roll"];
  readonly devices?: { peers(): readonly PeerId[] };
  readonly renewal: Renewal;
  readonly doubt: Doubt;
  readonly witness: Witness;
  readonly lost: RoundNeeds["lost"];
  readonly onPublished?: () => void;
}

const headUnknown: Waiting = {
  for: "members", why: "what the last head named was lost with damaged books, and is not known yet",
};

export class Uploader implements Step {
  readonly name = "upload";
  readonly #needs: UploadNeeds;
  readonly #sending: Sending;
  readonly #halves: Halves;
  readonly #standingIn: StandingIn;
  #round: Round | undefined;
  #waiting: Waiting = { for: "nothing" };
  #running: Promise<unknown> = Promise.resolve();
  readonly count = new RoundCount();
  /** Blocks of this root that this disk does not give: they must not keep the others here. */
  #spoilt: { readonly root: Uint8Array; readonly cids: Set<Cid> } | undefined;

  constructor(needs: UploadNeeds) {
    this.#needs = needs;
    const read = (cid: Cid, into: Buffer): Promise<Uint8Array> => this.#read(cid, into);
    const placed = (cids: readonly Cid[]): Promise<void> => needs.source.placed(cids);
    this.#standingIn = new StandingIn(needs);
    const abandoned = (): void => void (this.#round = undefined);
    const parts = { ...needs, read, placed };
    this.#sending = new Sending(parts);
    this.#halves = new Halves({ ...parts, sending: this.#sending, abandoned });
  }

  get waiting(): Waiting {
    return this.#waiting;
  }

  /** What of this round is not on its way yet, by policy. */
  get lanes(): readonly LaneStatus[] {
    return this.#round?.lanes.filter((lane) => !isLaneDone(lane)).map(laneStatus) ?? [];
  }

  async open(): Promise<void> {
    await this.#standingIn.open();
  }

  /** Where the newest head is not as new as the rest of it; undefined when it is. */
  get heldBack(): HeldBack | undefined {
    return this.#standingIn.told;
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
    // A lane counts as done when its last segment was sent: no head before enough members took it.
    if (await this.#halves.finish(signal) > 0) return this.#idle(tooFewTook);
    this.#round ??= await this.#beginRound(options);
    const round = this.#round;
    if (round === undefined) return this.#idle({ for: "nothing" });
    if (!round.lanes.every(isLaneDone)) return this.#placeSome(round, options, signal);
    if (!this.#needs.doubt.mayTell) return this.#idle(headUnknown);
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
      await publishHead(this.#needs, round, signal);
    } catch (error) {
      if (!isFault(error, "Unavailable")) throw error;
      return this.#idle({ for: "members", why: describe(error) });
    }
    this.#needs.renewal.done();
    if (round.isRenewal !== true) await this.#ended(round);
    this.#round = undefined;
    return "busy";
  }

  /** A root that only stands in for the newest ends no round of the cache's. */
  async #ended(round: Round): Promise<void> {
    await this.#standingIn.published(round);
    if (round.standIn !== undefined) return;
    await this.#needs.source.endRound(round.root);
    this.count.published();
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
  async #wait(round: Round, options: RoundOptions): Promise<"busy" | "idle"> {
    const isOld = this.#needs.clock.monotonicMs() - round.beganMs >= limits.transfer.stuckRoundMs;
    const mayStandIn = isOld && this.#spoilt === undefined;
    const standIn = mayStandIn ? await this.#standingIn.roundFor(round) : undefined;
    if (standIn !== undefined) {
      this.#round = standIn;
      return this.#busy();
    }
    if (isOld) this.#round = await this.#beginRound({ ...options, stuck: true }) ?? round;
    // Whoever asks before the next step has looked is told what was so a moment ago.
    keepWaiting(this.#round?.lanes ?? [], round.lanes);
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
      const { half, coded } = await this.#sending.begin(layout, group);
      lane.from += taken;
      const flight = this.#sending.place(half, coded, signal);
      flights.push(flight);
      inTheAir.add(flight);
      const land = (): boolean => inTheAir.delete(flight);
      flight.then(land, land);
      if (inTheAir.size >= flightsMax(group, layout)) await Promise.race(inTheAir);
      if (signal.aborted) return;
    }
  }

  async #read(cid: Cid, into: Buffer): Promise<Uint8Array> {
    const made = this.#round?.made?.get(cid) ?? await this.#needs.catalog.page(cid);
    return made ?? this.#readHere(cid, into);
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

  #idle(waiting: Waiting): "idle" {
    this.#waiting = waiting;
    this.#sending.rest();
    return "idle";
  }

  #busy(): "busy" {
    this.#waiting = { for: "nothing" };
    return "busy";
  }
}
