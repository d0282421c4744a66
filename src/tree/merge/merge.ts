/**
 * Merging what another device made: its root comes in, and what differs is changed here, as if a
 * program had done it, journal and all. First everything is looked at while programs go on, which
 * brings what must be fetched; then once more while they wait, for as long as it takes to decide
 * from what is in memory. A crash in the middle costs nothing: merging again does the rest.
 *
 * Read rules.ts for what becomes of what; sides.ts looks, apply.ts acts.
 */
import type { Loan } from "../../base/devices.ts";
import { HiveError } from "../../base/errors.ts";
import type { Ino, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { openRoot } from "../../dag/root.ts";
import type { Commits } from "../commit/commit.ts";
import { publish } from "../content/flush.ts";
import { deviceFor, numbersOf } from "../state/devices.ts";
import { recordAsIs, together } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { MergedBefore } from "./alike.ts";
import { type How, Portion, type Stale, type Step, planOf } from "./apply.ts";
import { DeviceMeeting, type Meeting } from "./meeting.ts";
import { resolve } from "./rules.ts";
import { Comparison } from "./sides.ts";

/** Is told what changed under the kernel's feet. */
export type StaleListener = (stale: Stale) => Promise<void>;

interface Portioned {
  readonly stale: Stale;
  readonly isLast: boolean;
  /** The meeting has no more to bring in this turn. */
  readonly isCut: boolean;
}

export class Merger {
  readonly #state: State;
  readonly #commits: Commits;
  readonly #before = new MergedBefore();
  /** Settles after the merge asked for last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: State, commits: Commits) {
    this.#state = state;
    this.#commits = commits;
  }

  /**
   * Takes in another device's root; answers whether it changed anything. With a loan, some of what
   * the root names may be with that device alone.
   */
  merge(sealed: Uint8Array, tell: StaleListener, loan?: Loan): Promise<boolean> {
    const state = this.#state;
    return this.meet(() => new DeviceMeeting(state, openRoot(state.keys, sealed), loan), tell);
  }

  /** The same for whatever is laid beside this tree, or a folder of it. One merge at a time. */
  meet(meeting: () => Meeting, tell: StaleListener): Promise<boolean> {
    const done = this.#last.then(() => this.#state.readOnly ? false : this.#meet(meeting(), tell));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #meet(meeting: Meeting, tell: StaleListener): Promise<boolean> {
    using _meeting = meeting;
    this.#check(meeting);
    let hasChanged = false;
    let isAhead = false;
    let unready = 0;
    for (let portion = 0; portion < limits.devices.mergePortionsMax; portion++) {
      if (!isAhead) await this.#lookAhead(meeting);
      const done = await this.#alone(() => this.#mergePortion(meeting));
      // What it needs may have changed since it was looked at.
      isAhead = done !== "unready";
      if (done === "unready" && ++unready < limits.devices.unreadyMax) continue;
      if (done === "unready") throw new HiveError("Busy", "tree.merge", "it changes all the time");
      const { stale, isLast, isCut } = done;
      if (stale.names.length + stale.inos.length > 0) {
        hasChanged = true;
        await tell(stale);
      }
      if (isLast || isCut) return hasChanged;
    }
    throw new HiveError("Busy", "tree.merge", "portions without end");
  }

  #check({ news }: Meeting): void {
    const { number } = this.#state.device;
    if (number === 0) throw new HiveError("Invalid", "tree.merge", "a device without a number");
    const all = new Set([...this.#state.seen.keys(), ...news.keys()]);
    if (all.size <= limits.devices.countMax) return;
    throw new HiveError("Invalid", "tree.merge", `${all.size} devices`);
  }

  /** What has to come from peers comes while programs go on. */
  async #lookAhead(meeting: Meeting): Promise<void> {
    await this.#commits.settle();
    using comparison = await this.#compared(meeting);
    if (meeting.bring === undefined) return;
    await meeting.bring(await this.#resolve(comparison, meeting));
  }

  /** Folders that are alike are passed over, unless one needs all names of a file. */
  async #compared(meeting: Meeting): Promise<Comparison> {
    const { elsewhere } = meeting;
    const before = this.#before;
    const comparison = new Comparison(this.#state, meeting, { before, elsewhere });
    try {
      await comparison.run();
      if (!comparison.needsAll()) return comparison;
    } catch (error) {
      comparison[Symbol.dispose]();
      throw error;
    }
    comparison[Symbol.dispose]();
    const whole = new Comparison(this.#state, meeting, { elsewhere });
    await whole.run();
    return whole;
  }

  /**
   * While nobody changes anything, and all that was changed is in the root. But what waits for
   * peers is not: to ask them would take its time, in which nobody could change anything.
   */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const state = this.#state;
    state.merging = promise;
    try {
      await this.#commits.settle();
      return await this.#commits.apart(async () => {
        await publish(state, [...state.liveFiles]);
        return await work();
      });
    } finally {
      state.merging = undefined;
      release();
    }
  }

  async #mergePortion(
    meeting: Meeting,
  ): Promise<"unready" | Portioned> {
    if (this.#isMoving) throw new HiveError("Busy", "tree.merge", "data on its way");
    using comparison = await this.#compared(meeting);
    const steps = await this.#resolve(comparison, meeting);
    const some = steps.slice(0, limits.devices.mergedAtOnceMax);
    // What peers gave of a file meanwhile may be sealed and told: then it looks another by now.
    const ready = this.#isMoving ? undefined : await meeting.ready(some);
    if (ready === undefined || this.#isMoving) return "unready";
    const isLast = ready.length === steps.length;
    // Before anything is changed; what is looked at again for another portion is compared then.
    if (isLast) this.#before.learnFolders(comparison.alike());
    const stale: Stale = { names: [], inos: [] };
    const { isJudged } = meeting;
    this.#carryOut(ready, { stale, isJudged, slotOf: meeting.slots() });
    if (isLast) this.#hasSeen(meeting, { isNews: steps.length > 0 });
    return { stale, isLast, isCut: ready.length < some.length };
  }

  /** Some file has chunks that are in no page yet. */
  get #isMoving(): boolean {
    return this.#state.active.chunks.size > 0;
  }

  #carryOut(steps: readonly Step[], how: How): void {
    together(this.#state, () => {
      let portion = new Portion(this.#state, how);
      for (const step of steps) {
        portion.add(step);
        if (!portion.isFull) continue;
        portion.record();
        portion = new Portion(this.#state, how);
      }
      portion.record();
    });
  }

  async #resolve(comparison: Comparison, meeting: Meeting): Promise<readonly Step[]> {
    for (let round = 0; round < limits.devices.mergeRoundsMax; round++) {
      const { ours, theirs } = meeting.sidesOf(comparison);
      const isListed = (ino: Ino): boolean => comparison.isListed(ino);
      const isUnsealed = (ino: Ino): boolean => this.#state.nodes.find(ino)?.live !== undefined;
      const fresh = this.#state.nextIno;
      const root = meeting.folder.ino;
      const { takesTheirs, policies, crowdMax } = meeting;
      const terms = { isListed, isUnsealed, fresh, root, takesTheirs, policies, crowdMax };
      const resolved = resolve(ours, theirs, terms);
      if (resolved.kind === "merged") return planOf(ours, resolved.merged);
      await comparison.list(resolved.folders);
    }
    throw new HiveError("Busy", "tree.merge", "folders without end");
  }

  /** Told with what it brought; where it brought nothing, nobody needs a root for its sake. */
  #hasSeen(
    { news, root }: Meeting, { isNews }: { readonly isNews: boolean },
  ): void {
    if (isNews) recordAsIs(this.#state, [{ kind: "seen", devices: news }]);
    else this.#state.haveSeen(news);
    this.#before.learnTable(root.linked);
  }

  /** As the newest root says that was merged. */
  namesOf(peers: readonly PeerId[]): readonly (string | null)[] {
    const { seen } = this.#state;
    return peers.map((peer) => {
      const number = numbersOf(deviceFor(peer, "")).findLast((one) => seen.has(one));
      return number === undefined ? null : seen.get(number)?.name ?? null;
    });
  }
}
