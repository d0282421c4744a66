/**
 * Gives back the room on peers of what the drive refers to no more. A census tells what it refers
 * to; the catalog forgets the rest; segments with nothing left go (outgoing.ts), and sparse ones
 * are packed anew with others (move.ts). It decides when; it never drops a shard itself.
 *
 * Whoever has nothing but the newest published head must find all that its root names. So blocks
 * are forgotten only once a head is published of the census's root or a later one, and segments
 * go only with the head after that. Keys of the KeyValue:
 *
 *   x/census  varint: the head that was the last one when the last census began; varint: when
 */
import type { CensusTaker, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import { CidFilter } from "../../base/cid-filter.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import type { ReclaimReport } from "../../base/views/drive.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import type { SegmentBooks, SegmentState } from "../books.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import { lastTold, sequences } from "../heads/publish.ts";
import type { Roll } from "../roll.ts";
import type { BrakedUploader } from "../uploads/braked.ts";
import type { Uploader } from "../uploads/upload.ts";
import type { Clearing } from "./clearing.ts";
import type { Mover } from "./move.ts";
import { type Forgotten, forgetDead, occupiedBy, planRepacking } from "./occupancy.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Surplus } from "./surplus.ts";

export interface ReclaimNeeds {
  readonly census: CensusTaker;
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly roll: Pick<Roll, "heads" | "askSoon">;
  readonly clock: Clock;
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly mover: Mover;
  readonly outgoing: Outgoing;
  readonly clearing: Clearing;
  readonly doubt: Doubt;
  readonly uploader: Uploader;
  /** What only another device refers to is in no census of this one. */
  readonly devices?: { readonly areAny: boolean };
}

/** A census that waits for a head which does without what it does not name. */
interface Counted {
  readonly root: Uint8Array;
  readonly living: CidFilter;
  /** Rounds that had begun when it was over. */
  readonly begun: number;
  /** All that somebody must not have any more was garbage when it began. */
  readonly clears: boolean;
  /** When the oldest root was made that is kept of the past. */
  readonly oldestMs: number;
}

interface Found extends Forgotten {
  /** Segments that the catalog was gone through for. */
  readonly staying: readonly SegmentState[];
}

interface Batch {
  readonly segments: readonly SegmentId[];
  /** The policy that they were placed under. */
  readonly name: string;
}

const censusKey = transferKeys.census;

export class Reclaimer implements Step {
  readonly name = "reclaim";
  readonly #needs: ReclaimNeeds;
  /** The agent's loop, and whoever asks for it at once. */
  readonly #turns = new Gate({ seats: 1, queueMax: 4 });
  #counted: Counted | undefined;
  #batches: readonly Batch[] = [];
  #pauseMs: number = limits.reclaim.pauseMsMin;
  #found: ReclaimReport = { blocks: 0, segments: 0, bytes: 0 };

  constructor(needs: ReclaimNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    using _turn = await this.#turns.enter(signal);
    if (this.#needs.doubt.isOn) return "idle";
    await this.#needs.clearing.settle();
    if (this.#batches.length > 0) return await this.#repackNext(signal);
    if (this.#counted === undefined && await this.#isDue()) await this.#count();
    return this.#counted === undefined ? "idle" : await this.#forget();
  }

  /** All of it now, whenever the last time was; what a head is waited for goes with later steps. */
  async run(signal: AbortSignal): Promise<ReclaimReport> {
    using _turn = await this.#turns.enter(signal);
    this.#needs.doubt.refuse();
    if (this.#needs.devices?.areAny === true) {
      const why = "another device, or a guest, may need it";
      throw new HiveError("Unsupported", "transfer.reclaim", why);
    }
    this.#found = { blocks: 0, segments: 0, bytes: 0 };
    await this.#needs.clearing.settle();
    await this.#count();
    if (this.#counted !== undefined) await this.#forget();
    while (this.#batches.length > 0) await this.#repackNext(signal);
    return this.#found;
  }

  async #isDue(): Promise<boolean> {
    const { books, clock, clearing, uploader, devices } = this.#needs;
    if (devices?.areAny === true) return false;
    const { published } = await sequences(books);
    const last = await this.#last();
    const agoMs = clock.now() - last.atMs;
    const pauseMs = clearing.isDue ? limits.reclaim.clearAgainMs : this.#pauseMs;
    const isRested = agoMs < 0 || agoMs >= pauseMs;
    return isRested && (clearing.isDue || published > last.sequence) && uploader.done;
  }

  async #last(): Promise<{ readonly sequence: number; readonly atMs: number }> {
    const value = await this.#needs.books.get(censusKey);
    if (value === undefined) return { sequence: 0, atMs: 0 };
    const reader = new Reader(value, "transfer.census");
    return { sequence: reader.varint(), atMs: reader.varint() };
  }

  async #count(): Promise<void> {
    const { census, books, catalog, clearing, clock, uploader } = this.#needs;
    const clears = clearing.wanted?.isSealed === true;
    const { published } = await sequences(books);
    const startMs = clock.monotonicMs();
    const told = new Writer(16).varint(published).varint(clock.now()).finish();
    await books.put(censusKey, told);
    catalog.since.begin();
    this.#counted = undefined;
    try {
      const found = await census.census(await catalog.count());
      if (found === undefined) return catalog.since.end();
      const { root, living, oldestMs = Infinity } = found;
      const { begun } = uploader.count;
      this.#counted = { root, living: new CidFilter(living), begun, clears, oldestMs };
    } catch (error) {
      catalog.since.end();
      if (!isFault(error)) throw error;
      // A page that no peer gives now: without it nobody knows what is referred to.
      this.#needs.log.debug("transfer.census.failed", { why: describe(error) });
    } finally {
      const { pauseMsMin, pauseFactor } = limits.reclaim;
      this.#pauseMs = Math.max(pauseMsMin, pauseFactor * (clock.monotonicMs() - startMs));
    }
  }

  /** Forgets what the census does not name, once no head needs it; plans what follows from it. */
  async #forget(): Promise<"busy" | "idle"> {
    const { catalog, uploader, log } = this.#needs;
    const counted = this.#counted as Counted;
    // Whoever came meanwhile may refer to what no census of this device names.
    const isVoid = catalog.since.isFull || this.#needs.devices?.areAny === true;
    const forgotten = isVoid ? undefined : await uploader.apart(() => this.#tryForget(counted));
    if (forgotten === undefined && !isVoid) return "idle";
    this.#counted = undefined;
    catalog.since.end();
    if (forgotten === undefined) return "idle";
    await this.#follow(forgotten);
    if (counted.clears) this.#needs.clearing.counted(counted.oldestMs);
    log.info("transfer.reclaimed", { ...this.#found, repacking: this.#batches.length });
    return "busy";
  }

  async #tryForget(counted: Counted): Promise<Found | undefined> {
    if (!(await this.#isPublished(counted))) return undefined;
    const { catalog, clearing, segments, outgoing } = this.#needs;
    // What a move makes meanwhile is not looked at: it would seem to have nothing in it.
    const staying = segments.all().filter(({ placed, segment }) => {
      return placed && !outgoing.has(segment);
    });
    return { ...await forgetDead(catalog, counted.living, clearing), staying };
  }

  async #isPublished({ root, begun }: Counted): Promise<boolean> {
    const { books, uploader } = this.#needs;
    if (uploader.count.hasPublishedAfter(begun)) return true;
    const { last, published } = await sequences(books);
    const newest = await lastTold(this.#needs);
    if (newest === undefined || newest.standIn !== undefined) return false;
    return last === published && asBuffer(newest.root).equals(root);
  }

  async #follow({ blocks, occupancy, staying }: Found): Promise<void> {
    const { outgoing, groups, clearing } = this.#needs;
    const occupied = occupiedBy(staying, occupancy);
    const empty = occupied.filter(({ usedBytes }) => usedBytes === 0).map(({ state }) => state);
    for (const { segment } of empty) await outgoing.add(segment);
    const bytes = empty.reduce((sum, { n, shardBytes }) => sum + n * shardBytes, 0);
    this.#found = { blocks, segments: empty.length, bytes };
    const byGroup = Map.groupBy(occupied, ({ state }) => state.group);
    const hasToGo = (segment: SegmentId): boolean => clearing.hasToGo(segment);
    const batches = [...byGroup].flatMap(([group, those]) => {
      const plan = planRepacking(those, hasToGo);
      return plan.map((batch) => ({ segments: batch, name: groups.nameOf(group) }));
    });
    this.#batches = batches.sort((a, b) => Number(b.segments.some(hasToGo))
      - Number(a.segments.some(hasToGo)));
  }

  /** Those that cannot be packed anew now have their turn after the next census. */
  async #repackNext(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { groups, mover, outgoing, segments, clearing, log } = this.#needs;
    const [batch, ...rest] = this.#batches;
    this.#batches = rest;
    const those = batch?.segments.flatMap((segment) => {
      return outgoing.has(segment) ? [] : segments.get(segment) ?? [];
    }) ?? [];
    if (batch === undefined || those.length !== batch.segments.length) return "busy";
    try {
      const target = await groups.forNewSegments(batch.name);
      const isMoved = "peers" in target && await mover.move(batch.segments, target, signal);
      if (isMoved) log.debug("transfer.repacked", { segments: those.length });
      else if (batch.segments.some((one) => clearing.hasToGo(one))) throw stillThere(batch);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      log.debug("transfer.repack.failed", { why: describe(error) });
      clearing.missed();
    }
    return "busy";
  }
}

function stillThere({ segments }: Batch): HiveError {
  return new HiveError("Unavailable", "transfer.repack", `${segments.length} segments stay`);
}

/** A whole turn of it: heads that do without what was found are published, and holders told. */
export async function reclaimNow(
  { reclaimer, uploader, outgoing, surplus, clock }: {
    readonly reclaimer: Reclaimer; readonly uploader: BrakedUploader; readonly outgoing: Outgoing;
    readonly surplus: Surplus; readonly clock: Clock;
  },
  timeoutMs: number,
): Promise<ReclaimReport> {
  const over = new AbortController();
  const late = new HiveError("TimedOut", "transfer.reclaim", `${timeoutMs} ms`);
  using _timer = clock.after(timeoutMs, () => over.abort(late));
  const found = await reclaimer.run(over.signal);
  while (outgoing.size > 0) {
    await outgoing.settle();
    const state = await uploader.step(over.signal, { patient: false });
    if (state === "idle") await clock.delay(limits.transfer.flushPauseMsMin, over.signal);
  }
  // Who is away is told later.
  while (await surplus.dropSome(over.signal) > 0);
  return found;
}
