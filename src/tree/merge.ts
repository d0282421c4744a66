/**
 * Merging what another device made: its root comes in, and what differs is changed here, as if a
 * program had done it, journal and all. First everything is looked at while programs go on, which
 * brings what must be fetched; then once more while they wait, for as long as it takes to decide
 * from what is in memory. A crash in the middle costs nothing: merging again does the rest.
 *
 * Read merge-rules.ts for what becomes of what; merge-sides.ts looks, merge-apply.ts acts.
 */
import { LRUCache } from "lru-cache";
import { HiveError } from "../base/errors.ts";
import type { Cid, Ino, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { erasOfBoth } from "../dag/eras.ts";
import type { Seen } from "../dag/marks.ts";
import { type RootRecord, openRoot } from "../dag/root.ts";
import type { Commits } from "./commit.ts";
import { deviceFor } from "./devices.ts";
import { flushAll } from "./flush.ts";
import { Portion, type SlotOf, type Stale, type Step, planOf } from "./merge-apply.ts";
import { type Loan, Loans } from "./merge-loans.ts";
import { type Merged, type Side, resolve } from "./merge-rules.ts";
import { Comparison } from "./merge-sides.ts";
import type { State } from "./state.ts";

/** Is told what changed under the kernel's feet. */
export type StaleListener = (stale: Stale) => Promise<void>;

export class Merger {
  readonly #state: State;
  readonly #commits: Commits;
  /** Pages of others with nothing new in them or below. */
  readonly #known = new LRUCache<Cid, true>({ max: limits.devices.mergedPagesMax });
  /** Settles after the merge asked for last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: State, commits: Commits) {
    this.#state = state;
    this.#commits = commits;
  }

  /**
   * Takes in another device's root; answers whether it changed anything. With a loan, some of what
   * the root names may be with that device alone. One merge at a time.
   */
  merge(sealed: Uint8Array, tell: StaleListener, loan?: Loan): Promise<boolean> {
    const done = this.#last.then(() => this.#merge(sealed, tell, loan));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #merge(sealed: Uint8Array, tell: StaleListener, loan?: Loan): Promise<boolean> {
    const state = this.#state;
    if (state.readOnly) return false;
    const root = openRoot(state.keys, sealed);
    this.#check(root);
    const loans = loan && new Loans(state, loan);
    await this.#lookAhead(root, loans);
    let hasChanged = false;
    for (let portion = 0; portion < limits.devices.mergePortionsMax; portion++) {
      const { stale, isLast } = await this.#alone(() => this.#mergePortion(root, loans));
      if (stale.names.length + stale.inos.length > 0) {
        hasChanged = true;
        await tell(stale);
      }
      if (isLast) return hasChanged;
    }
    throw new HiveError("Busy", "tree.merge", "portions without end");
  }

  #check({ devices }: RootRecord): void {
    const { number } = this.#state.device;
    const theirs = [...devices.keys()];
    if (number === 0) throw new HiveError("Invalid", "tree.merge", "a device without a number");
    const all = new Set([...this.#state.seen.keys(), ...theirs]);
    if (all.size <= limits.devices.countMax) return;
    throw new HiveError("Invalid", "tree.merge", `${all.size} devices`);
  }

  /** What has to come from peers comes while programs go on. */
  async #lookAhead(root: RootRecord, loans: Loans | undefined): Promise<void> {
    await this.#commits.commit();
    using comparison = await this.#compared(root, loans);
    if (loans === undefined) return;
    this.#refuseNewPolicies(root);
    const { ours, merged } = await this.#resolve(comparison);
    await loans.bring(planOf(ours, merged), slotsOf(this.#state, root));
  }

  /** Folders that were merged before are passed over, unless one needs all names of a file. */
  async #compared(root: RootRecord, loans: Loans | undefined): Promise<Comparison> {
    const elsewhere = loans?.elsewhere;
    const isKnown = (cid: Cid): boolean => this.#known.has(cid);
    const comparison = new Comparison(this.#state, root, { isKnown, elsewhere });
    try {
      await comparison.run();
      if (!comparison.needsAll()) return comparison;
    } catch (error) {
      comparison[Symbol.dispose]();
      throw error;
    }
    comparison[Symbol.dispose]();
    const whole = new Comparison(this.#state, root, { elsewhere });
    await whole.run();
    return whole;
  }

  /** While nobody changes anything, and all that was changed is in the root. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const state = this.#state;
    state.merging = promise;
    try {
      await this.#commits.commit();
      return await this.#commits.apart(async () => {
        await flushAll(state, [...state.liveFiles]);
        return await work();
      });
    } finally {
      state.merging = undefined;
      release();
    }
  }

  async #mergePortion(
    root: RootRecord, loans: Loans | undefined,
  ): Promise<{ readonly stale: Stale; readonly isLast: boolean }> {
    const state = this.#state;
    if (state.active.chunks.size > 0) throw new HiveError("Busy", "tree.merge", "data on its way");
    using comparison = await this.#compared(root, loans);
    const { ours, merged } = await this.#resolve(comparison);
    const steps = planOf(ours, merged);
    await loans?.check(steps, slotsOf(state, root));
    const some = steps.slice(0, limits.devices.mergedAtOnceMax);
    const stale: Stale = { names: [], inos: [] };
    this.#learnPolicies(root);
    this.#carryOut(some, { stale, slotOf: slotsOf(state, root) });
    const isLast = some.length === steps.length;
    const { pages } = comparison;
    this.#keepEras(root);
    if (isLast) this.#hasSeen(root.devices, { pages, isNews: steps.length > 0 });
    return { stale, isLast };
  }

  #carryOut(
    steps: readonly Step[], how: { readonly stale: Stale; readonly slotOf: SlotOf },
  ): void {
    let portion = new Portion(this.#state, how);
    for (const step of steps) {
      portion.add(step);
      if (!portion.isFull) continue;
      portion.record();
      portion = new Portion(this.#state, how);
    }
    portion.record();
  }

  async #resolve(
    comparison: Comparison,
  ): Promise<{ readonly ours: Side; readonly merged: Merged }> {
    for (let round = 0; round < limits.devices.mergeRoundsMax; round++) {
      const ours = comparison.ours();
      const isListed = (ino: Ino): boolean => comparison.isListed(ino);
      const fresh = this.#state.nextIno;
      const resolved = resolve(ours, comparison.theirs(), { isListed, fresh });
      if (resolved.kind === "merged") return { ours, merged: resolved.merged };
      await comparison.list(resolved.folders);
    }
    throw new HiveError("Busy", "tree.merge", "folders without end");
  }

  /** Told with what it brought; where it brought nothing, nobody needs a root for its sake. */
  #hasSeen(devices: Seen, { pages, isNews }: { readonly pages: readonly Cid[]; isNews: boolean }) {
    if (isNews) this.#state.recordAsIs([{ kind: "seen", devices }]);
    else this.#state.haveSeen(devices);
    for (const cid of pages) this.#known.set(cid, true);
  }

  /** Whoever was shut out by another device is shut out here. */
  #keepEras({ eras }: RootRecord): void {
    const state = this.#state;
    if (eras.now <= state.eras.now) return;
    state.recordAsIs([{ kind: "eras", eras: erasOfBoth(state.eras, eras) }]);
    state.reseal(state.nodes.root);
  }

  /** As the newest root says that was merged. */
  namesOf(peers: readonly PeerId[]): readonly (string | null)[] {
    const { seen } = this.#state;
    return peers.map((peer) => seen.get(deviceFor(peer, "").number)?.name ?? null);
  }

  /** A name of a policy that is new here gets a number. */
  #learnPolicies(root: RootRecord): void {
    const state = this.#state;
    const more = newPolicies(state, root);
    if (more.length === 0) return;
    const names = [...state.policies.names, ...more].slice(0, limits.policy.slotsMax);
    const texts = state.policies.texts ?? root.policies.texts;
    state.recordAsIs([{ kind: "policies", policies: { ...state.policies, names, texts } }]);
  }

  /** They come with a block of texts, which lies with peers once the head is published. */
  #refuseNewPolicies(root: RootRecord): void {
    if (newPolicies(this.#state, root).length === 0) return;
    throw new HiveError("Unsupported", "tree.merge", "policies that are new here");
  }
}

function newPolicies({ policies }: State, root: RootRecord): readonly string[] {
  return root.policies.names.filter((name) => !policies.names.includes(name));
}

/** Their number of a policy's name, as ours. */
function slotsOf(state: State, { policies: { names } }: RootRecord): SlotOf {
  return (slot) => {
    const name = names[slot - 1];
    return name === undefined ? slot : state.policies.names.indexOf(name) + 1;
  };
}
