/**
 * Commits: the frozen layer becomes new pages, bottom-up, and a new root record. Operations go on
 * meanwhile in the active layer; between pages the commit lets them work.
 *
 * A commit that fails (no space, no peer to load a page from) keeps its frozen layer and is tried
 * again: writing the same changes over pages that have some of them gives the same tree. Pages
 * that a commit replaced are given up only once the store has the new root, and if no root that is
 * kept has them. Chunks that nothing links any more stay in the store until its garbage is
 * collected.
 */
import { HiveError, assert } from "../../base/errors.ts";
import { type Cid, rootIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import { sealRoot } from "../../dag/root.ts";
import { Breather, orLeftBehind } from "../attempt.ts";
import { lackingFault, lackingInRoot } from "../content/bringing.ts";
import { flushAll } from "../content/flush.ts";
import { forgetUnlinked, sealChunks } from "../content/sealing.ts";
import { promiseAgain } from "../content/telling.ts";
import { lacksBelow } from "../looking/content.ts";
import { groundOf } from "../looking/salts.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import { type Frozen, Layer } from "../state/layers.ts";
import { toldNow } from "../state/marking.ts";
import { snapshotOf } from "../state/plans.ts";
import type { State } from "../state/state.ts";
import type { TiesPart } from "../ties.ts";
import type { KeptRoots } from "./kept-roots.ts";
import { LayerPages } from "./layer-pages.ts";
import { Schedule, isResting } from "./schedule.ts";

interface Pace {
  readonly leisurely: boolean;
}

export class Commits {
  /** The roots of the past that stay. */
  readonly kept: KeptRoots;
  readonly ties: TiesPart;
  readonly #state: State;
  #frozen: Frozen | undefined = undefined;
  /** The commit that waits for its turn: whoever asks until then is served by it. */
  #next: Promise<void> | undefined = undefined;
  /** Settles after the commit asked for last, however it ended. */
  #last: Promise<void> = Promise.resolve();
  #running = false;
  /** Nobody who waits for the next commit needs all of it in the root. */
  #isLeisurely = false;
  readonly #schedule: Schedule;
  readonly #breather: Breather;
  readonly #pages: LayerPages;

  constructor(state: State, kept: KeptRoots, ties: TiesPart) {
    this.#state = state;
    this.kept = kept;
    this.ties = ties;
    this.#schedule = new Schedule(state);
    this.#breather = new Breather(() => state.needs.clock.monotonicMs());
    this.#pages = new LayerPages({ state, kept, breather: this.#breather });
    state.relieve = () => this.settle();
  }

  /**
   * Everything changed before this call is in the store's root when it resolves. Where peers do not
   * give what it takes to seal some of it, the rest is, and it fails.
   */
  async commit(): Promise<void> {
    const failure = await this.commitMost();
    if (failure !== undefined) throw failure;
  }

  /** The same, answering with that failure. */
  async commitMost(): Promise<HiveError | undefined> {
    const lacking = lackingInRoot(this.#state);
    const failure = lacking.length > 0
      ? await sealChunks(this.#state, lacking).catch(orLeftBehind) : undefined;
    await this.settle();
    return failure instanceof HiveError ? lackingFault(this.#state, failure) : undefined;
  }

  /**
   * The same without asking anybody: what peers have to give something for stays in the journal, as
   * durable; and so may what rests, if nobody asks for more.
   */
  settle({ leisurely }: Pace = { leisurely: false }): Promise<void> {
    this.#isLeisurely = leisurely && (this.#next === undefined || this.#isLeisurely);
    if (this.#next !== undefined) return this.#next;
    this.#next = this.#last.then(() => this.#run());
    this.#last = this.#next.catch(() => undefined);
    return this.#next;
  }

  /**
   * Runs the search between two commits, while no other one does: the first one publishes what was
   * removed, the second makes the store give up what was found, which the first might still name.
   */
  async collect(search: (state: State) => Promise<number>): Promise<number> {
    const state = this.#state;
    await this.settle().catch(orLeftBehind);
    const found = this.#last.then(() => (this.#frozen === undefined ? search(state) : 0));
    this.#last = found.then(() => undefined, () => undefined);
    const bytes = await found;
    if (bytes === 0) return 0;
    state.mark();
    await this.settle().catch(orLeftBehind);
    return bytes;
  }

  /** Runs this while no commit does. */
  async apart<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.then(() => undefined, () => undefined);
    return await done;
  }

  /** A background step: commits when changes are old or many. */
  step(): Step {
    const step = async (): Promise<"busy" | "idle"> => {
      const next = this.#running ? "nothing" : this.#schedule.next();
      if (next === "nothing") return "idle";
      const act = next === "save" ? this.#save() : this.settle({ leisurely: true });
      await act.catch((error: unknown) => {
        this.#state.needs.log.warn("tree.commit", { failed: describe(error) });
        this.#state.changedAtMs = this.#state.needs.clock.monotonicMs();
      });
      return "idle";
    };
    return { name: "commit", step };
  }

  /** As durable as by a commit, in the journal: a crash replays it. */
  async #save(): Promise<void> {
    this.#schedule.saves();
    await this.#flushAll({ leisurely: true });
    await this.#state.needs.store.sync();
  }

  async #run(): Promise<void> {
    const pace = { leisurely: this.#isLeisurely };
    this.#next = undefined;
    this.#running = true;
    this.#schedule.begins();
    try {
      await this.#commitAll(pace);
    } finally {
      this.#running = false;
      this.#schedule.ended();
    }
  }

  async #commitAll(pace: Pace): Promise<void> {
    const state = this.#state;
    assert(!state.readOnly, "a read-only tree has nothing to commit");
    for (let round = 0; round < limits.tree.settleRoundsMax; round++) {
      const withheld = await this.#commitWhatIsHere(pace);
      if (pace.leisurely || withheld.length === 0) return;
      // What was just committed goes up, and makes the room that the rest waits for.
      await state.blocks.arrive(withheld);
    }
    throw new HiveError("Busy", "tree.commit", "its writers are quicker than the store");
  }

  async #commitWhatIsHere(pace: Pace): Promise<readonly Cid[]> {
    const state = this.#state;
    if (this.#frozen !== undefined) await this.#write(this.#frozen);
    forgetUnlinked(state);
    const withheld = await this.#flushAll(pace).catch(orLeftBehind);
    if (state.changes > 0 || state.active.chunks.size > 0) await this.#write(this.#freeze());
    if (withheld instanceof HiveError) throw withheld;
    return withheld;
  }

  #flushAll({ leisurely }: Pace): Promise<readonly Cid[]> {
    const state = this.#state;
    const mayRest = leisurely && !state.blocks.isWaiting;
    const leaves = (chunk: DirtyChunk): boolean => {
      return lacksBelow(state, chunk) || (mayRest && isResting(state, chunk));
    };
    return flushAll(state, [...state.liveFiles], { leaves, withholds: true });
  }

  /** From here on, changes land in the next commit. Nothing of this may wait. */
  #freeze(): Frozen {
    const state = this.#state;
    if (state.journal.records === 0) state.mark();
    const through = state.journal.freeze();
    // As it is now: what changes it from here on belongs to the next commit.
    state.keep(state.nodes.root);
    const { active: layer } = state;
    this.#frozen = { layer, through, told: toldNow(state) };
    state.freshFrom = state.nextIno;
    state.frozen = layer;
    state.active = new Layer(layer.number + 1);
    state.changedAtMs = undefined;
    if (state.liveFiles.size > 0) state.changed();
    state.changes = 0;
    return this.#frozen;
  }

  async #write(frozen: Frozen): Promise<void> {
    const { layer } = frozen;
    await this.#pages.write(layer);
    await this.#commitRoot(frozen);
    await this.#thaw(layer);
  }

  async #commitRoot(frozen: Frozen): Promise<void> {
    const state = this.#state;
    const { layer, through, told } = frozen;
    const { node, inode } = snapshotOf(layer, rootIno);
    const committedAtMs = state.needs.clock.now();
    const record = {
      sequence: state.sequence + 1,
      committedAtMs,
      ...told,
      directory: { inode: this.#pages.spilled(inode, groundOf(state, node)), tree: node.tree },
      linked: state.linked,
      kept: await this.kept.next(committedAtMs),
      ties: await this.ties.next(),
    };
    await this.#pages.arrive();
    // What the old journal promised and no chunk holds, the new one must before the old one goes.
    await promiseAgain(state);
    await state.needs.store.commit(sealRoot(state.keys, record, state.needs.random), through);
    state.sequence++;
    this.kept.committed(record);
    this.ties.committed();
  }

  async #thaw(layer: Layer): Promise<void> {
    const state = this.#state;
    this.#frozen = undefined;
    state.frozen = undefined;
    for (const cid of this.#pages.takeReplaced()) {
      if (this.kept.lets(cid)) state.blocks.discard(cid);
    }
    for (const { node } of layer.inodes.values()) {
      node.pins--;
      state.nodes.settle(node);
      await this.#breather.breathe();
    }
  }
}
