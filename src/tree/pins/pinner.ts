/**
 * Keeps on this machine what is pinned, in two turns. A judgement walks over all of it as the last
 * commit has it, between two commits, and tells the store what must stay: that is quick, and waits
 * for nobody. Then what turned out to be missing is fetched, a few blocks at a time. The first turn
 * comes again when the drive or the pins have changed, so what is written or moved below a pinned
 * folder is pinned too.
 *
 * It never holds up a program, and takes no more of the store than pins may have: what is beyond it
 * is told, and nothing else is given up for it.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { type Ino, nameToText } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import type { PinRow, PinStatus } from "../../base/views/drive.ts";
import type { Commits } from "../commit/commit.ts";
import { keepUncommitted } from "../commit/garbage.ts";
import { type BlockCount, BlockWalk, type Missing, newCount } from "../looking/block-walk.ts";
import { nodeAt } from "../looking/walking.ts";
import type { PinNeeds, State } from "../state/state.ts";
import { PinSearch, placeOf } from "./search.ts";

const { broughtAtOnce, judgePauseFactor, judgePauseMsMin, retryMs } = limits.pins;

export class Pinner {
  readonly #state: State;
  readonly #commits: Commits;
  readonly #needs: PinNeeds;
  readonly #search: PinSearch;
  readonly #counts = new Map<Ino, BlockCount>();
  readonly #listeners = new Set<() => void>();
  /** What the journal and the pins had told when the last judgement began. */
  #seen = { told: -1, changes: -1 };
  #triedChanges = -1;
  /** When the last one ended, and how long it took. */
  #judged = { atMs: -Infinity, tookMs: 0 };
  #bringFromMs = 0;
  #walk: AsyncGenerator<Missing, void> | undefined;
  #broughtBytes = 0;
  #failed = 0;
  #waitingFor: PinStatus["waitingFor"] = null;

  constructor(state: State, commits: Commits, needs: PinNeeds) {
    this.#state = state;
    this.#commits = commits;
    this.#needs = needs;
    this.#search = new PinSearch(state);
    // Without any list the store holds nothing back, and there is nothing to judge.
    if (needs.store.list() !== undefined) return;
    this.#seen.changes = state.pins.changes;
    this.#triedChanges = state.pins.changes;
  }

  /** Pins what is there, or leaves it out; what was said of things below it still holds. */
  async set(path: readonly string[], isKept: boolean): Promise<void> {
    const { pins } = this.#state;
    const node = await nodeAt(this.#state, path);
    if (isKept) return pins.set(node, { value: Buffer.from("1"), mode: "any" });
    if (!pins.isKept(node)) throw new HiveError("NotFound", "pins.set", "it is not pinned");
    if (pins.own(node.ino) !== undefined) await pins.remove(node.ino);
    if (pins.isKept(node)) await pins.set(node, { value: Buffer.from("0"), mode: "any" });
  }

  step(): Step {
    const step = async (signal: AbortSignal): Promise<"busy" | "idle"> => {
      if (this.#isDue()) await this.#judge();
      return this.#bring(signal);
    };
    return { name: "pins", step };
  }

  /** Undefined when nothing is pinned. */
  status(): PinStatus | undefined {
    if (this.#state.pins.size === 0) return undefined;
    const sum = this.#sum();
    const { pinnedBytesMax } = this.#needs.store.room();
    const wantedBytes = sum.hereBytes + sum.missingBytes;
    const missingBytes = Math.max(0, sum.missingBytes - this.#broughtBytes);
    const isSettled = !this.#isChanged() && sum.missingBlocks === 0;
    return {
      files: sum.files, hereBytes: wantedBytes - missingBytes, missingBytes, pinnedBytesMax,
      overBytes: Math.max(0, wantedBytes - pinnedBytesMax), isSettled,
      waitingFor: isSettled || this.#isChanged() ? null : this.#waitingFor,
    };
  }

  rows(): readonly PinRow[] {
    return this.#state.pins.entries().map(([ino, pin]) => {
      const { files, hereBytes, missingBytes } = this.#counts.get(ino) ?? newCount();
      const path = `/${placeOf(pin).map(nameToText).join("/")}`;
      return { path, isKept: pin.isKept, files, hereBytes, missingBytes };
    });
  }

  /** Until all is here, or something keeps it from coming; `told` hears of each step on the way. */
  async settled(told: (status: PinStatus) => void): Promise<PinStatus | undefined> {
    for (;;) {
      const status = this.status();
      if (status === undefined || status.isSettled || status.waitingFor !== null) return status;
      if (status.overBytes > 0 && !this.#isChanged()) return status;
      told(status);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#listeners.add(resolve);
      await promise;
      this.#listeners.delete(resolve);
    }
  }

  /** There may be room or leave now for what waits. */
  again(): void {
    this.#bringFromMs = 0;
    this.#waitingFor = null;
  }

  #sum(): BlockCount {
    const sum = newCount();
    for (const count of this.#counts.values()) {
      sum.files += count.files;
      sum.hereBytes += count.hereBytes;
      sum.missingBytes += count.missingBytes;
      sum.missingBlocks += count.missingBlocks;
    }
    return sum;
  }

  #isChanged(): boolean {
    return this.#seen.changes !== this.#state.pins.changes;
  }

  #isDue(): boolean {
    const { pins, journal, needs } = this.#state;
    if (this.#triedChanges !== pins.changes) return true;
    const { atMs, tookMs } = this.#judged;
    const restedMs = needs.clock.monotonicMs() - atMs - tookMs * judgePauseFactor;
    const isNews = pins.size > 0 && journal.told !== this.#seen.told;
    return (this.#isChanged() && restedMs >= 0) || (isNews && restedMs >= judgePauseMsMin);
  }

  async #judge(): Promise<void> {
    const { needs: { clock, log }, pins, journal } = this.#state;
    const startMs = clock.monotonicMs();
    // Another wish: what could not be had before may be another thing now.
    if (this.#triedChanges !== pins.changes) this.again();
    this.#triedChanges = pins.changes;
    try {
      await this.#search.findAll();
      const seen = { told: journal.told, changes: pins.changes };
      if (await this.#judgeAll()) await this.#accept(seen);
    } catch (error) {
      if (!isFault(error)) throw error;
      log.warn("tree.pins", { failed: describe(error) });
    }
    const atMs = clock.monotonicMs();
    this.#judged = { atMs, tookMs: atMs - startMs };
    this.#tell();
  }

  async #accept(seen: { readonly told: number; readonly changes: number }): Promise<void> {
    if (seen.changes !== this.#seen.changes) await this.#endWalk();
    this.#triedChanges = seen.changes;
    this.#seen = { ...seen };
    this.#broughtBytes = 0;
    // One that could not be read, or the last of them: the store holds nothing back any more.
    if (this.#state.pins.size === 0) await this.#state.pins.save();
  }

  /**
   * False when it has to be done again: something moved meanwhile, perhaps from where we had not
   * been yet, or there is a commit that cannot be finished now.
   */
  async #judgeAll(): Promise<boolean> {
    const { nodes, readOnly } = this.#state;
    const { moves } = nodes;
    if (readOnly) return this.#judgeNow(moves);
    let isWhole = false;
    await this.#commits.collect(async () => {
      isWhole = await this.#judgeNow(moves);
      return 0;
    });
    return isWhole;
  }

  async #judgeNow(moves: number): Promise<boolean> {
    const state = this.#state;
    const judgement = this.#needs.store.judge();
    const walk = new BlockWalk(state, (cid) => judgement.keep(cid), { mayFetch: false });
    this.#counts.clear();
    for (const [ino, { isKept, node }] of state.pins.entries()) {
      if (!isKept || node === undefined) continue;
      const count = newCount();
      for await (const _missing of walk.below(node, count));
      this.#counts.set(ino, count);
    }
    keepUncommitted(state, judgement);
    if (state.nodes.moves !== moves) return false;
    await judgement.finish();
    return true;
  }

  /** A few of the missing blocks at once. */
  async #bring(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock } = this.#state.needs;
    if (this.#sum().missingBlocks === 0 || clock.monotonicMs() < this.#bringFromMs) return "idle";
    if (!(await this.#needs.mayKeep())) return this.#rest("policy");
    this.#waitingFor = null;
    this.#walk ??= this.#missing();
    const { taken, isEnd } = await take(this.#walk);
    const bringing = taken.map(({ cid }) => this.#needs.store.bring(cid, { signal }));
    const outcomes = await Promise.allSettled(bringing);
    const isPage = taken.some(({ lengthBytes }) => lengthBytes === undefined);
    if (isPage) this.#seen.changes = -1;
    for (const [at, { status }] of outcomes.entries()) {
      if (status === "fulfilled") this.#broughtBytes += taken[at]?.lengthBytes ?? 0;
    }
    const reasons = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    if (signal.aborted) return "idle";
    return this.#brought(reasons, { isEnd, isVain: reasons.length === taken.length });
  }

  async #brought(
    reasons: readonly unknown[],
    { isEnd, isVain }: { readonly isEnd: boolean; readonly isVain: boolean },
  ): Promise<"busy" | "idle"> {
    const bug = reasons.find((reason) => !isFault(reason));
    if (bug !== undefined) throw bug;
    this.#failed += reasons.length;
    if (reasons.some((reason) => isFault(reason, "NoSpace"))) return this.#rest("room");
    this.#tell();
    if (!isEnd && !(isVain && reasons.length > 0)) return "busy";
    // All was asked for, or nobody answers.
    if (this.#failed > 0) return this.#rest("peers");
    await this.#endWalk();
    return "busy";
  }

  async #rest(why: NonNullable<PinStatus["waitingFor"]>): Promise<"idle"> {
    await this.#endWalk();
    this.#waitingFor = why;
    this.#bringFromMs = this.#state.needs.clock.monotonicMs() + retryMs;
    this.#tell();
    return "idle";
  }

  /** Another judgement tells what is left: nothing was known of what lies below an absent page. */
  async #endWalk(): Promise<void> {
    if (this.#walk !== undefined) this.#seen.changes = -1;
    await this.#walk?.return();
    this.#walk = undefined;
    this.#failed = 0;
  }

  async *#missing(): AsyncGenerator<Missing, void> {
    const walk = new BlockWalk(this.#state, () => undefined, { mayFetch: false });
    for (const [, { isKept, node }] of this.#state.pins.entries()) {
      if (isKept && node !== undefined) yield* walk.below(node, newCount());
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A few at once; a page by itself, since what lies below it is known once it is here. */
async function take(
  from: AsyncGenerator<Missing, void>,
): Promise<{ readonly taken: readonly Missing[]; readonly isEnd: boolean }> {
  const taken: Missing[] = [];
  while (taken.length < broughtAtOnce) {
    const next = await from.next();
    if (next.done === true) return { taken, isEnd: true };
    taken.push(next.value);
    if (next.value.lengthBytes === undefined) break;
  }
  return { taken, isEnd: false };
}
