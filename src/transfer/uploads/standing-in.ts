/**
 * Rounds for roots that stand in for the newest one. A policy that nobody satisfies keeps its own
 * blocks here, and the newest root names them; so that a lost machine does not cost what all other
 * folders had, a head tells a root in which only what waits is as it was. It asks for that root and
 * makes a round of it, now and then; the uploader places and publishes it as any other.
 *
 * Pages that such roots alone have are forgotten as soon as a later head does without them: one
 * that stands in for another may still have some of those that were made for the one before it.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { asBuffer } from "../../base/bytes.ts";
import { CidFilter } from "../../base/cid-filter.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { Cid, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { HeldBack, HeldPlace, StandIn, StandInMaker } from "../../base/stand-in.ts";
import type { ToldStandIn } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { type PublishNeeds, type ToldRoot, lastTold } from "../heads/publish.ts";
import { isLaneDone, lanesOf } from "./lanes.ts";
import type { Round } from "./round.ts";

export interface StandingInNeeds {
  readonly books: KeyValue;
  readonly roll: PublishNeeds["roll"];
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  /** Who has the tree; without it no root stands in for another. */
  readonly standIns?: StandInMaker | undefined;
  /** Whose segments are empty goes from its holders once no head needs it. */
  readonly outgoing?: { add(segment: SegmentId): Promise<void> };
}

const { standInPauseMs, standInToldMax, standInPathBytesMax } = limits.transfer;

export class StandingIn {
  readonly #needs: StandingInNeeds;
  /** The newest root that one was asked for. */
  #of: Uint8Array | undefined;
  #notBeforeMs = -Infinity;
  /** Pages that were made for such roots, and that the last published one has. */
  #pages: readonly Cid[] = [];
  #told: ToldStandIn | undefined;

  constructor(needs: StandingInNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    this.#told = (await lastTold(this.#needs))?.standIn;
  }

  /** What the last head lacks, where it does. */
  get told(): HeldBack | undefined {
    return this.#told;
  }

  /** Instead of this round, whose lanes wait; undefined when nothing can be told now. */
  async roundFor(round: Round): Promise<Round | undefined> {
    const { standIns, clock, log } = this.#needs;
    const nowMs = clock.monotonicMs();
    const isKnown = this.#of !== undefined && asBuffer(this.#of).equals(round.root);
    if (standIns === undefined || isKnown || nowMs < this.#notBeforeMs) return undefined;
    if (!mayStandIn(round)) return undefined;
    this.#notBeforeMs = nowMs + standInPauseMs;
    try {
      const last = await lastTold(this.#needs);
      const told = { root: round.root, before: last?.root, made: this.#pages };
      const asked = { ...told, ...waiting(round) };
      const made = await standIns.standIn(asked);
      this.#of = round.root;
      return made && roundOf(made, { last, round, beganMs: nowMs });
    } catch (error) {
      if (!isFault(error)) throw error;
      // A page that no peer gives now: next time, perhaps.
      log.debug("transfer.stand-in.none", { why: describe(error) });
      return undefined;
    }
  }

  /** A head of this round was taken: what only the one before had is needed no more. */
  async published({ made, still = [], standIn }: Round): Promise<void> {
    this.#told = standIn;
    const { catalog, outgoing } = this.#needs;
    const staying = new Set(still);
    const gone = this.#pages.filter((cid) => !staying.has(cid));
    this.#pages = [...still, ...made?.keys() ?? []];
    if (gone.length === 0) return;
    const left = await this.#segmentsOf(gone);
    await catalog.forget(gone);
    // A round's segments hold blocks of that round alone.
    const needed = await this.#segmentsOf(still);
    for (const segment of left) if (!needed.has(segment)) await outgoing?.add(segment);
  }

  async #segmentsOf(cids: readonly Cid[]): Promise<ReadonlySet<SegmentId>> {
    const places = await Promise.all(cids.map((cid) => this.#needs.catalog.find(cid)));
    return new Set(places.flatMap((place) => place?.segment ?? []));
  }
}

/** Some lanes wait and the drive's own does not; nothing else is in the way. */
function mayStandIn({ lanes, standIn, isRenewal }: Round): boolean {
  const left = lanes.filter((lane) => !isLaneDone(lane));
  const areWaiting = left.every((lane) => lane.waiting !== undefined && lane.slot !== 0);
  return standIn === undefined && isRenewal !== true && left.length > 0 && areWaiting;
}

function waiting({ lanes }: Round): { readonly slots: readonly number[]; waiting: Uint8Array } {
  const left = lanes.filter((lane) => !isLaneDone(lane));
  const blocks = left.flatMap((lane) => lane.blocks.slice(lane.from));
  const filter = CidFilter.for(blocks.length);
  for (const { cid } of blocks) filter.add(cid);
  return { slots: left.map(({ slot }) => slot), waiting: filter.bits };
}

function roundOf(
  { root, blocks, still, held }: StandIn,
  { last, round: { policies }, beganMs }: {
    readonly last: ToldRoot | undefined; readonly round: Round; readonly beganMs: number;
  },
): Round {
  const whole = last?.standIn === undefined ? last?.root : last.standIn.whole;
  const made = new Map(blocks.map(({ cid, bytes }) => [cid, bytes]));
  const infos = blocks.map(({ bytes: _, ...info }) => info);
  const standIn = { whole, ...told(held) };
  return { root, standIn, made, still, lanes: lanesOf(infos, policies), policies, beganMs };
}

function told(held: readonly HeldPlace[]): HeldBack {
  const short = held.filter(({ path }) => Buffer.byteLength(path) <= standInPathBytesMax);
  const named = short.slice(0, standInToldMax);
  return { held: named, more: held.length - named.length };
}
