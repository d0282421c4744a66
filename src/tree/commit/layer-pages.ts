/**
 * The frozen layer as new pages, bottom-up: files, then directories from the deepest on, then the
 * table of linked files. It commits nothing: the store's root is commit.ts's. Writing the same
 * changes once more over pages that have some of them gives the same tree.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { assert } from "../../base/errors.ts";
import type { Cid, Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { encodeEntry, encodeTableValue } from "../../dag/entries.ts";
import { encodeXattrs, xattrBytes } from "../../dag/inode-bytes.ts";
import { type Inode, type PageTree, mergedSlot, typeMask } from "../../dag/inodes.ts";
import type { Ground } from "../../dag/keys.ts";
import { renewPages } from "../../dag/renew.ts";
import { type Changes, type PageWork, dropPages, rewritePages } from "../../dag/rewrite.ts";
import type { Breather } from "../attempt.ts";
import { saltOf } from "../looking/salts.ts";
import { slotIn, withAttributes, writtenSlot } from "../looking/slots.ts";
import { InoMap } from "../state/ino-map.ts";
import type { Binding, Layer } from "../state/layers.ts";
import type { Node } from "../state/nodes.ts";
import {
  type Plan,
  byDepth,
  hasLeftTable,
  linkChanges,
  planFor,
  snapshotOf,
} from "../state/plans.ts";
import type { State } from "../state/state.ts";
import type { KeptRoots } from "./kept-roots.ts";

const secretBytes = 32;
const noChanges: Changes = { cutFrom: Infinity, keys: [], values: [] };

interface Manner {
  /** A leaf of at most so many items stays inside its root. */
  readonly insideMax: number;
  /** The policy that new pages go by. */
  readonly slot: PolicySlot;
}

interface Needs {
  readonly state: State;
  readonly kept: KeptRoots;
  readonly breather: Breather;
}

export class LayerPages {
  readonly #state: State;
  readonly #kept: KeptRoots;
  readonly #breather: Breather;
  /** Pages of the committed root that the next one does not have. */
  #replaced: Cid[] = [];
  /** Blocks of extended attributes that were handed over since the last root. */
  #spilledCids: Cid[] = [];

  constructor({ state, kept, breather }: Needs) {
    this.#state = state;
    this.#kept = kept;
    this.#breather = breather;
  }

  async write(layer: Layer): Promise<void> {
    await this.#writeFiles(layer);
    await this.#writeDirectories(layer);
    await this.#writeTable(layer);
    for (const tree of layer.dropped) await dropPages(tree.root, this.#workFor(tree, 0));
  }

  /** Large extended attributes go into a block of their own. */
  spilled(inode: Inode, ground: Ground): Inode {
    const { xattrs } = inode;
    if (xattrs.kind === "block") return inode;
    if (xattrBytes(xattrs.values) <= limits.tree.xattrInsideBytesMax) return inode;
    const { link } = this.#state.blocks.putChunk(encodeXattrs(xattrs.values), ground);
    this.#spilledCids.push(link.cid);
    return { ...inode, xattrs: { kind: "block", link } };
  }

  /** Resolves when such blocks are in the store. */
  async arrive(): Promise<void> {
    await this.#state.blocks.arrive(this.#spilledCids.splice(0));
  }

  /** What may go once the store has the new root. */
  takeReplaced(): readonly Cid[] {
    return this.#replaced.splice(0);
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
      const { node, inode } = snapshotOf(layer, directory);
      const { treeSlot } = node;
      const changes = await this.#encodePlan(layer, plan);
      await this.#rewriteOf(node, changes, { insideMax: 0, slot: this.#slotIn(layer, directory) });
      // A block of attributes stays where it was: whoever looks for such folders must find it.
      if (inode.xattrs.kind === "block") node.treeSlot = mergedSlot(treeSlot, node.treeSlot);
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
    const spilled = this.spilled(inode, { slot: own, salt: saltOf(this.#state, node) });
    const written = writtenSlot(node, inode);
    const slot = spilled === inode || written === own ? written : withAttributes(inode, own);
    return slot === inode.slot ? spilled : { ...spilled, slot };
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
        return this.#kept.made(await blocks.savePage(secret as Buffer, page, slot));
      },
      drop: (cid) => void this.#replaced.push(cid),
      breathe: () => this.#breather.breathe(),
    };
  }
}
