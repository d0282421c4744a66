/**
 * Garbage: blocks that nothing refers to any more, of files that were removed or written over.
 * Blocks are shared between files, so there is no shorter way than to look at all that the
 * committed pages name, and to give up the rest.
 *
 * Those that wait for the peers go when the store gets full, or somebody waits for them. Then it
 * never fetches: a page that only peers have means that peers are there, and uploads make room.
 * A census is the same walk for the sake of what peers have: it also tells what is referred to.
 */
import type { Census, CensusTaker, Sweep } from "../../base/blocks.ts";
import { CidFilter } from "../../base/cid-filter.ts";
import { HiveError } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import { parseLink } from "../../dag/chunks.ts";
import { parseEntry, parseTableValue } from "../../dag/entries.ts";
import { type Inode, type PageTree, isFolderMode } from "../../dag/inodes.ts";
import type { KeptRoot } from "../../dag/kept.ts";
import { type Page, childOf } from "../../dag/pages.ts";
import type { RootRecord } from "../../dag/root.ts";
import { Breather } from "../attempt.ts";
import { isNearlyFull } from "../state/room.ts";
import type { State } from "../state/state.ts";
import type { Commits } from "./commit.ts";

/** What the leaves of a tree of pages hold; of a file that nobody can read, nothing counts. */
type Leaves = "names" | "links" | "linked" | "nothing";

export class Collector implements CensusTaker {
  readonly #state: State;
  readonly #commits: Commits;
  /** What the journal had told when garbage was looked for last. */
  #seen = -1;
  #notBeforeMs = 0;
  /** There is garbage that keeps something waiting, as likely as not. */
  #isWanted = false;

  constructor(state: State, commits: Commits) {
    this.#state = state;
    this.#commits = commits;
    state.collectSoon = () => void (this.#isWanted = true);
  }

  /** A background step: looks for garbage when the store is nearly full of what no peer has. */
  step(): Step {
    const step = async (): Promise<"busy" | "idle"> => {
      if (this.#isDue()) await this.#collect();
      return "idle";
    };
    return { name: "garbage", step };
  }

  async census(blocks: number): Promise<Census | undefined> {
    const { readOnly, needs: { store, log } } = this.#state;
    if (readOnly) return undefined;
    const living = CidFilter.for(blocks);
    let root: Uint8Array | undefined;
    let past: readonly KeptRoot[] = [];
    const bytes = await this.#commits.collect(async (state) => {
      root = store.root();
      past = await this.#commits.kept.all({ mayFetch: true });
      return this.#timed(() => sweep(state, this.#commits, { mayFetch: true, living }));
    });
    if (bytes > 0) log.info("tree.garbage", { bytes });
    const oldest = past.map((one) => one.root.committedAtMs).sort((a, b) => a - b)[0];
    const told = oldest === undefined ? {} : { oldestMs: oldest };
    return root === undefined ? undefined : { root, living: living.bits, ...told };
  }

  #isDue(): boolean {
    const { readOnly, needs, journal } = this.#state;
    if (readOnly || journal.told === this.#seen) return false;
    if (needs.clock.monotonicMs() < this.#notBeforeMs) return false;
    return this.#isWanted || isNearlyFull(this.#state);
  }

  async #collect(): Promise<void> {
    const { log } = this.#state.needs;
    this.#seen = this.#state.journal.told;
    const mayFetch = this.#isWanted;
    this.#isWanted = false;
    try {
      const bytes = await this.#commits.collect((state) => {
        return this.#timed(() => sweep(state, this.#commits, { mayFetch }));
      });
      if (bytes > 0) log.info("tree.garbage", { bytes });
    } catch (error) {
      log.warn("tree.garbage", { failed: describe(error) });
    }
  }

  /** What the search costs decides how often there is one; a commit may wait for room. */
  async #timed(search: () => Promise<number>): Promise<number> {
    const { clock } = this.#state.needs;
    const { garbagePauseMsMin, garbagePauseFactor } = limits.tree;
    const startMs = clock.monotonicMs();
    try {
      return await search();
    } finally {
      const endMs = clock.monotonicMs();
      const pauseMs = (endMs - startMs) * garbagePauseFactor;
      this.#notBeforeMs = endMs + Math.max(garbagePauseMsMin, pauseMs);
    }
  }
}

/** Bytes given up. Nothing may be committed meanwhile, and nothing wait to be. */
async function sweep(
  state: State, { kept, ties }: Pick<Commits, "kept" | "ties">,
  { mayFetch, living }: { readonly mayFetch: boolean; readonly living?: CidFilter },
): Promise<number> {
  const past = await kept.all({ mayFetch });
  const found = state.needs.store.sweep(living);
  const walk = new Walk(state, found, mayFetch);
  for (const cid of [...kept.blocks(), ...ties.blocks()]) found.keep(cid);
  for (const root of [...past.map((one) => one.root), ...kept.used]) await walk.past(root);
  await walk.visit(state.nodes.root.tree, "names");
  await walk.visit(state.linked, "linked");
  for (const ino of state.nodes.inos()) {
    const node = state.nodes.find(ino);
    if (node?.home.kind !== "none") continue;
    await walk.visit(node.tree, node.handles > 0 ? "links" : "nothing");
  }
  for (const tree of [...state.active.dropped]) await walk.visit(tree, "nothing");
  keepUncommitted(state, found);
  return found.finish();
}

/** What was changed since the commit; from here to the end nothing may wait. */
export function keepUncommitted(state: State, found: Pick<Sweep, "keep">): void {
  const { texts } = state.policies;
  if (texts !== undefined) found.keep(texts.cid);
  for (const handed of state.unlinked) for (const { link } of handed) found.keep(link.cid);
  for (const { links } of state.active.chunks.values()) {
    for (const [, link] of links) if (link !== null) found.keep(link.cid);
  }
  for (const ino of state.nodes.inos()) {
    const node = state.nodes.find(ino);
    if (node === undefined) continue;
    keepXattrs(node.inode, found);
    for (const { cid } of node.live?.links.values() ?? []) found.keep(cid);
  }
}

function keepXattrs({ xattrs }: Inode, found: Pick<Sweep, "keep">): void {
  if (xattrs.kind === "block") found.keep(xattrs.link.cid);
}

class Walk {
  readonly #state: State;
  readonly #found: Sweep;
  readonly #mayFetch: boolean;
  readonly #breather: Breather;
  /** Pages with all below them: most of a root that is kept is in the next one too. */
  readonly #visited = new Set<Cid>();

  constructor(state: State, found: Sweep, mayFetch: boolean) {
    this.#state = state;
    this.#mayFetch = mayFetch;
    this.#found = found;
    this.#breather = new Breather(() => state.needs.clock.monotonicMs());
  }

  /** All that a root of the past names, but for what the walk has met. */
  async past({ directory, linked }: RootRecord): Promise<void> {
    await this.#inode(directory);
    await this.visit(linked, "linked");
  }

  async visit(tree: PageTree, leaves: Leaves): Promise<void> {
    const { root } = tree;
    if (root.kind === "inside") await this.#leaf(root.page, leaves);
    if (root.kind === "page") await this.#page(tree, root, leaves);
  }

  async #page(
    tree: PageTree, at: { readonly cid: Cid; readonly level: number }, leaves: Leaves,
  ): Promise<void> {
    const { blocks } = this.#state;
    const { cid, level } = at;
    this.#found.keep(cid);
    if (level === 0 && leaves === "nothing") return;
    if (this.#visited.has(cid)) return;
    if (leaves !== "nothing") this.#visited.add(cid);
    if (!this.#mayFetch && !blocks.has(cid)) {
      throw new HiveError("Unavailable", "tree.garbage", "a page is on peers");
    }
    const page = await blocks.loadPage(tree, cid, level);
    await this.#breather.breathe();
    if (level === 0) return this.#leaf(page, leaves);
    for (const index of page.keys.keys()) {
      await this.#page(tree, { cid: childOf(page, index), level: level - 1 }, leaves);
    }
  }

  async #leaf(page: Page, leaves: Leaves): Promise<void> {
    if (leaves === "nothing") return;
    for (const value of page.values()) {
      if (leaves === "links") this.#found.keep(parseLink(value).cid);
      else if (leaves === "linked") await this.#inode(parseTableValue(value));
      else {
        const entry = parseEntry(value);
        if (entry.kind === "inode") await this.#inode(entry);
      }
    }
  }

  async #inode({ inode, tree }: { readonly inode: Inode; readonly tree: PageTree }): Promise<void> {
    keepXattrs(inode, this.#found);
    const isDirectory = isFolderMode(inode.mode);
    await this.visit(tree, isDirectory ? "names" : "links");
  }
}
