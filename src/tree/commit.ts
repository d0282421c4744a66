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
import type { PolicySlot, Sequence } from "../base/blocks.ts";
import { HiveError, assert } from "../base/errors.ts";
import { type Cid, type Ino, rootIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { describe } from "../base/log.ts";
import type { Step } from "../base/step.ts";
import { encodeEntry, encodeTableValue } from "../dag/entries.ts";
import { type Inode, type PageTree, encodeXattrs, typeMask, xattrBytes } from "../dag/inodes.ts";
import { renewPages } from "../dag/renew.ts";
import { type Changes, type PageWork, dropPages, rewritePages } from "../dag/rewrite.ts";
import { sealRoot } from "../dag/root.ts";
import { Breather, orLeftBehind } from "./attempt.ts";
import type { DirtyChunk } from "./dirty.ts";
import { flushAll, promiseAgain } from "./flush.ts";
import { InoMap } from "./ino-map.ts";
import { type Binding, type Frozen, Layer } from "./layers.ts";
import type { KeptRoots } from "./kept-roots.ts";
import { toldNow } from "./marking.ts";
import type { Node } from "./nodes.ts";
import { type Plan, byDepth, hasLeftTable, linkChanges, planFor, snapshotOf } from "./plans.ts";
import { Schedule, isFilling, isResting } from "./schedule.ts";
import { forgetUnlinked } from "./sealing.ts";
import { slotIn, withAttributes, writtenSlot } from "./slots.ts";
import type { State } from "./state.ts";

const secretBytes = 32;
const noChanges: Changes = { cutFrom: Infinity, keys: [], values: [] };

interface Pace {
  readonly leisurely: boolean;
}

interface Manner {
  /** A leaf of at most so many items stays inside its root. */
  readonly insideMax: number;
  /** The policy that new pages go by. */
  readonly slot: PolicySlot;
}

export class Commits {
  /** The roots of the past that stay. */
  readonly kept: KeptRoots;
  readonly #state: State;
  #frozen: Frozen | undefined = undefined;
  /** The commit that waits for its turn: whoever asks until then is served by it. */
  #next: Promise<void> | undefined = undefined;
  /** Settles after the commit asked for last, however it ended. */
  #last: Promise<void> = Promise.resolve();
  #running = false;
  /** Nobody who waits for the next commit needs all of it in the root. */
  #isLeisurely = false;
  /** Pages of the committed root that the next one does not have. */
  #replaced: Cid[] = [];
  /** Blocks of extended attributes that the commit under way has handed over. */
  #spilledCids: Cid[] = [];
  readonly #schedule: Schedule;
  readonly #breather: Breather;

  constructor(state: State, kept: KeptRoots) {
    this.#state = state;
    this.kept = kept;
    this.#schedule = new Schedule(state);
    this.#breather = new Breather(() => state.needs.clock.monotonicMs());
    state.relieve = () => this.commit();
  }

  /**
   * Everything changed before this call is in the store's root when it resolves; what rests may
   * stay in the journal, as durable, if nobody asks for more.
   */
  commit({ leisurely }: Pace = { leisurely: false }): Promise<void> {
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
    await this.commit().catch(orLeftBehind);
    const found = this.#last.then(() => (this.#frozen === undefined ? search(state) : 0));
    this.#last = found.then(() => undefined, () => undefined);
    const bytes = await found;
    if (bytes === 0) return 0;
    state.mark();
    await this.commit().catch(orLeftBehind);
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
      const act = next === "save" ? this.#save() : this.commit({ leisurely: true });
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
    if (state.changedAtMs !== undefined) await this.#write(this.#freeze());
    if (withheld instanceof HiveError) throw withheld;
    return withheld;
  }

  #flushAll({ leisurely }: Pace): Promise<readonly Cid[]> {
    const state = this.#state;
    const mayRest = leisurely && !state.blocks.isWaiting;
    const leaves = mayRest ? (chunk: DirtyChunk) => isResting(state, chunk) : undefined;
    return flushAll(state, [...state.liveFiles], { leaves, withholds: isFilling(state) });
  }

  /** From here on, changes land in the next commit. Nothing of this may wait. */
  #freeze(): Frozen {
    const state = this.#state;
    if (state.journal.records === 0) state.mark();
    state.seal();
    // As it is now: what changes it from here on belongs to the next commit.
    state.keep(state.nodes.root);
    const { active: layer } = state;
    this.#frozen = { layer, through: state.journal.last, told: toldNow(state) };
    state.freshFrom = state.nextIno;
    state.frozen = layer;
    state.active = new Layer(layer.number + 1);
    state.journal = { ...state.journal, records: 0, bytes: 0 };
    state.changedAtMs = undefined;
    if (state.liveFiles.size > 0) state.changed();
    return this.#frozen;
  }

  async #write(frozen: Frozen): Promise<void> {
    const { layer } = frozen;
    await this.#writeFiles(layer);
    await this.#writeDirectories(layer);
    await this.#writeTable(layer);
    for (const tree of layer.dropped) await dropPages(tree.root, this.#workFor(tree, 0));
    await this.#commitRoot(frozen);
    await this.#thaw(layer);
  }

  async #writeFiles(layer: Layer): Promise<void> {
    for (const [ino, changes] of layer.chunks) {
      const { node, home, inode } = snapshotOf(layer, ino);
      const gone = home.kind === "none" && node.handles + node.lookups === 0;
      if (gone) continue;
      const options = { insideMax: limits.tree.linksInsideMax, slot: this.#slotIn(layer, ino) };
      await this.#rewriteOf(node, linkChanges(changes), options);
      // Chunks of another policy than its pages: whoever looks for such files must find it.
      const mixed = writtenSlot(node, inode);
      if (node.inode.slot === inode.slot) node.inode = { ...node.inode, slot: mixed };
    }
    for (const { node } of layer.inodes.values()) {
      const isFile = node.tree.secret !== undefined && node.inode.content.kind === "chunks";
      if (!isFile || !this.#state.secrets.areStale(node)) continue;
      const options = { insideMax: limits.tree.linksInsideMax, slot: node.treeSlot };
      await this.#rewriteOf(node, noChanges, options);
    }
  }

  /** The deepest first: a directory's entry holds the name of its newest pages. */
  async #writeDirectories(layer: Layer): Promise<void> {
    const plans = await this.#planDirectories(layer);
    for (const directory of byDepth(layer, [...plans.keys()])) {
      const plan = plans.get(directory) as Plan;
      const { node } = snapshotOf(layer, directory);
      const changes = await this.#encodePlan(layer, plan);
      await this.#rewriteOf(node, changes, { insideMax: 0, slot: this.#slotIn(layer, directory) });
    }
  }

  async #planDirectories(layer: Layer): Promise<InoMap<Plan>> {
    const plans = new InoMap<Plan>();
    for (const { node, home } of layer.inodes.values()) {
      await this.#breather.breathe();
      if (home.kind === "root") this.#planRenewal(layer, node, plans);
      if (home.kind !== "entry") continue;
      if (node.inode.content.kind === "directory") this.#planRenewal(layer, node, plans);
      planFor(plans, home.parent.ino).set(home.key, { name: home.name, ino: node.ino });
    }
    for (const [ino, names] of layer.names) {
      if (snapshotOf(layer, ino).home.kind === "none") continue;
      const plan = planFor(plans, ino);
      for (const [key, binding] of names) plan.set(key, binding);
      await this.#breather.breathe();
    }
    return plans;
  }

  /** A folder whose policy is another by now has its pages made anew, be they changed or not. */
  #planRenewal(layer: Layer, node: Node, plans: InoMap<Plan>): void {
    const slot = this.#slotIn(layer, node.ino);
    if (this.#state.secrets.areStale(node)) return void planFor(plans, node.ino);
    if (node.treeSlot === slot) return;
    if (node.tree.root.kind === "page") planFor(plans, node.ino);
    else if (node.inode.xattrs.kind !== "block") node.treeSlot = slot;
  }

  #slotIn(layer: Layer, ino: Ino): PolicySlot {
    return this.#state.policies.names.length === 0 ? 0 : slotIn(layer, ino);
  }

  async #encodePlan(layer: Layer, plan: Plan): Promise<Changes> {
    const keys = [...plan.keys()].sort((a, b) => a - b);
    const values: (Buffer | undefined)[] = [];
    for (const key of keys) {
      await this.#breather.breathe();
      const binding = plan.get(key) ?? null;
      values.push(binding === null ? undefined : this.#entryOf(layer, binding));
    }
    return { cutFrom: Infinity, keys, values };
  }

  #entryOf(layer: Layer, { name, ino }: Binding): Buffer {
    const { node, inode, home } = snapshotOf(layer, ino);
    if (home.kind === "table") {
      return encodeEntry({ kind: "link", name, ino, type: inode.mode & typeMask });
    }
    assert(home.kind === "entry" && home.name === name, "a name leads to the inode it holds");
    const written = this.#written(layer, node, inode);
    return encodeEntry({ kind: "inode", name, inode: written, tree: node.tree });
  }

  #written(layer: Layer, node: Node, inode: Inode): Inode {
    const own = this.#slotIn(layer, node.ino);
    const spilled = this.#spilled(inode, own);
    const written = writtenSlot(node, inode);
    const slot = spilled === inode || written === own ? written : withAttributes(inode, own);
    return slot === inode.slot ? spilled : { ...spilled, slot };
  }

  /** Large extended attributes go into a block of their own. */
  #spilled(inode: Inode, slot: PolicySlot): Inode {
    const { xattrs } = inode;
    if (xattrs.kind === "block") return inode;
    if (xattrBytes(xattrs.values) <= limits.tree.xattrInsideBytesMax) return inode;
    const { link } = this.#state.blocks.putChunk(encodeXattrs(xattrs.values), slot);
    this.#spilledCids.push(link.cid);
    return { ...inode, xattrs: { kind: "block", link } };
  }

  async #writeTable(layer: Layer): Promise<void> {
    const state = this.#state;
    const linked = [...layer.inodes.values()].filter(({ home }) => home.kind === "table");
    const gone = [...layer.inodes.values()].filter(hasLeftTable);
    const empty = state.linked.root.kind === "empty";
    const all = (empty ? linked : [...linked, ...gone]).sort((a, b) => a.node.ino - b.node.ino);
    if (all.length === 0) return;
    const values = all.map(({ home, inode, node }) => {
      if (home.kind !== "table") return undefined;
      return encodeTableValue({ inode: this.#written(layer, node, inode), tree: node.tree });
    });
    const changes = { cutFrom: Infinity, keys: all.map(({ node }) => node.ino), values };
    state.linked = await this.#rewrite(await this.#tableNow(), changes, { insideMax: 0, slot: 0 });
  }

  async #tableNow(): Promise<PageTree> {
    const { linked, secrets, needs: { random } } = this.#state;
    if (linked.secret === undefined || !secrets.takesTable()) return linked;
    const secret = random.bytes(secretBytes);
    return { secret, root: await renewPages(linked.root, this.#workFor(linked, 0, secret)) };
  }

  /** A node's pages with the changes; all anew if they were under another policy or secret. */
  async #rewriteOf(node: Node, changes: Changes, manner: Manner): Promise<void> {
    const { slot } = manner;
    const isStale = this.#state.secrets.areStale(node);
    if (node.treeSlot !== slot || isStale) {
      const { secret: old, root } = node.tree;
      const secret = isStale ? this.#state.needs.random.bytes(secretBytes) : old;
      const work = this.#workFor(node.tree, slot, secret);
      node.tree = { secret, root: await renewPages(root, work) };
      node.treeSlot = slot;
      if (isStale) this.#state.secrets.renewed(node);
    }
    node.tree = await this.#rewrite(node.tree, changes, manner);
  }

  async #rewrite(
    tree: PageTree, changes: Changes, { insideMax, slot }: Manner,
  ): Promise<PageTree> {
    const secret = tree.secret ?? this.#state.needs.random.bytes(secretBytes);
    const work = this.#workFor({ ...tree, secret }, slot);
    return { secret, root: await rewritePages(tree.root, changes, { work, insideMax }) };
  }

  #workFor(tree: PageTree, slot: PolicySlot, secret = tree.secret): PageWork {
    const { blocks } = this.#state;
    return {
      load: (cid, level) => blocks.loadPage(tree, cid, level),
      save: async (page) => {
        return this.kept.made(await blocks.savePage(secret as Buffer, page, slot));
      },
      drop: (cid) => void this.#replaced.push(cid),
      breathe: () => this.#breather.breathe(),
    };
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
      directory: { inode: this.#spilled(inode, 0), tree: node.tree },
      linked: state.linked,
      kept: await this.kept.next(committedAtMs),
    };
    await state.blocks.arrive(this.#spilledCids.splice(0));
    // What the old journal promised and no chunk holds, the new one must before the old one goes.
    await promiseAgain(state);
    await state.needs.store.commit(sealRoot(state.keys, record, state.needs.random), through);
    state.sequence++;
    this.kept.committed(record);
  }

  async #thaw(layer: Layer): Promise<void> {
    const state = this.#state;
    this.#frozen = undefined;
    state.frozen = undefined;
    for (const cid of this.#replaced.splice(0)) if (this.kept.lets(cid)) state.blocks.discard(cid);
    for (const { node } of layer.inodes.values()) {
      node.pins--;
      state.nodes.settle(node);
      await this.#breather.breathe();
    }
  }
}
