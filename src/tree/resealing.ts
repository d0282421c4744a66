/**
 * What was written under one policy and belongs to another by now is sealed anew under that one: a
 * folder was given a policy, or something moved between folders of two. Each file's inode tells the
 * slot of its blocks, so a walk below a folder finds what lies in the wrong place, and nothing but
 * the folder where to begin is remembered; after a crash, that is the root. A chunk is read,
 * sealed under its new key, made durable and linked, and the next commit takes it up; the pages of
 * a folder are made anew by that commit itself (commit.ts). Writers never wait for it, and what
 * they write meanwhile is of the right policy anyway. The old blocks are garbage like any other.
 */
import { isFault } from "../base/errors.ts";
import type { PolicySlot } from "../base/blocks.ts";
import type { Ino } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { describe } from "../base/log.ts";
import type { Step } from "../base/step.ts";
import { isLost } from "../dag/chunks.ts";
import { parseEntry } from "../dag/entries.ts";
import { type Inode, type PageTree, mixedSlot } from "../dag/inodes.ts";
import { Wanted, attempt } from "./attempt.ts";
import { type IndexedLink, linkAt, nextLink } from "./content.ts";
import { flush } from "./flush.ts";
import type { Change } from "./journal.ts";
import { type Found, isDirectory, nextName, nodeByIno, nodeOf } from "./names.ts";
import { type Node, allocatedFor } from "./nodes.ts";
import { hasBlocks, slotOf } from "./slots.ts";
import { type State, inodeChange } from "./state.ts";
import { valuesOf, withValues } from "./xattrs.ts";

const {
  resealPauseMs, resealShareMax, resealedBytesPerStep, resealedNamesPerStep, sealedAtOnce,
} = limits.tree;

export interface ResealProgress {
  /** Folders that are still to be looked through, as far as known. */
  readonly folders: number;
  readonly files: number;
  readonly bytes: number;
  /** Why it does not go on just now. */
  readonly waitingFor: string | null;
}

/** A folder that is being looked through: its names from this key on are still to come. */
interface Place {
  readonly node: Node;
  key: number;
}

export class Resealer {
  readonly #state: State;
  readonly #stack: Place[] = [];
  #files = 0;
  #bytes = 0;
  /** A file that could not be had: it is looked for again by another walk. */
  #leftBehind = 0;
  #notBeforeMs = 0;
  #waitingFor: string | null = null;

  constructor(state: State) {
    this.#state = state;
    state.reseal = (node) => this.#push(node);
    // A life that ended in the middle left word that there is something, and not where.
    if (state.policies.resealing) this.#push(state.nodes.root);
  }

  /** Undefined when all lies where it belongs. */
  get progress(): ResealProgress | undefined {
    if (!this.#state.policies.resealing) return undefined;
    const { length: folders } = this.#stack;
    return { folders, files: this.#files, bytes: this.#bytes, waitingFor: this.#waitingFor };
  }

  step(): Step {
    const step = async (signal: AbortSignal): Promise<"busy" | "idle"> => {
      if (this.#state.readOnly || !this.#state.policies.resealing) return "idle";
      try {
        return await this.#step(signal);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#waitingFor = describe(error);
        this.#state.needs.log.warn("tree.reseal", { failed: describe(error) });
        return "idle";
      }
    };
    return { name: "reseal", step };
  }

  async #step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, store } = this.#state.needs;
    if (this.#stack.length === 0 && clock.monotonicMs() < this.#notBeforeMs) return "idle";
    if (this.#stack.length === 0) this.#push(this.#state.nodes.root);
    const { dirtyBytes, dirtyBytesMax } = store.usage();
    this.#waitingFor = dirtyBytes > dirtyBytesMax * resealShareMax ? "room in the cache" : null;
    if (this.#waitingFor !== null) return "idle";
    const untilBytes = this.#bytes + resealedBytesPerStep;
    for (let names = 0; names < resealedNamesPerStep && this.#bytes < untilBytes; names++) {
      if (signal.aborted) return "idle";
      const place = this.#stack.at(-1);
      if (place === undefined) return this.#finish();
      await this.#next(place);
    }
    return "busy";
  }

  #push(node: Node): void {
    const known = this.#stack.find((place) => place.node === node);
    if (known !== undefined) {
      known.key = -1;
      return;
    }
    // Held until all below it was looked at.
    node.pins++;
    this.#stack.push({ node, key: -1 });
  }

  #pop(): void {
    const place = this.#stack.pop();
    if (place === undefined) return;
    place.node.pins--;
    this.#state.nodes.settle(place.node);
  }

  /** Only a walk that left nothing behind is the last one. */
  #finish(): "idle" {
    const state = this.#state;
    if (this.#leftBehind > 0) {
      this.#waitingFor = `${this.#leftBehind} files that cannot be read now`;
      this.#leftBehind = 0;
      this.#notBeforeMs = state.needs.clock.monotonicMs() + resealPauseMs;
      return "idle";
    }
    state.record([{ kind: "policies", policies: { ...state.policies, resealing: false } }]);
    // What was not with peers yet need not go to those of the old policy any more.
    state.collectSoon();
    state.needs.log.info("tree.resealed", { files: this.#files, bytes: this.#bytes });
    this.#files = 0;
    this.#bytes = 0;
    return "idle";
  }

  /** The folder itself first, then one name of it. */
  async #next(place: Place): Promise<void> {
    const { node, key } = place;
    if (key < 0) {
      if (!isDirectory(node)) return this.#tryTop(node);
      await attempt(() => this.#renew(node));
      place.key = 0;
      return;
    }
    const found = await attempt(() => nextName(this.#state, node, key));
    if (found === undefined) return this.#pop();
    place.key = found.key + 1;
    const below = await attempt(() => this.#strayAt(node, found));
    if (below === undefined) return;
    if (isDirectory(below)) this.#push(below);
    else await this.#tryFile(below);
  }

  /** What this name leads to, if it is a folder or lies in the wrong place. */
  #strayAt(folder: Node, found: Found): Node | undefined {
    const state = this.#state;
    const entry = found.source.kind === "page" ? parseEntry(found.source.bytes) : undefined;
    if (entry?.kind === "inode" && state.nodes.find(entry.inode.ino) === undefined) {
      const { inode, tree } = entry;
      const slot = slotOf(state, folder);
      if (inode.content.kind !== "directory" && !isStray({ inode, tree }, slot)) return undefined;
    }
    const isLink = entry?.kind === "link";
    const node = isLink ? nodeByIno(state, entry.ino) : nodeOf(state, folder, found);
    if (node.home.kind === "table") claim(state, folder, node);
    return isDirectory(node) || isMisplaced(state, node) ? node : undefined;
  }

  /** The next commit makes its pages anew; attributes that do not fit them go with them. */
  #renew(node: Node): void {
    const state = this.#state;
    const slot = slotOf(state, node);
    const isBlock = node.inode.xattrs.kind === "block";
    const isFine = node.treeSlot === slot || (node.tree.root.kind !== "page" && !isBlock);
    if (isFine) return;
    state.mayChange();
    const xattrs = withValues(valuesOf(state, node.inode));
    state.record([inodeChange(state, node, isBlock ? { xattrs } : {})]);
  }

  /** Off the stack first: whatever is pushed meanwhile comes on top of what lies below. */
  async #tryTop(node: Node): Promise<void> {
    const trying = this.#tryFile(node);
    this.#pop();
    await trying;
  }

  async #tryFile(node: Node): Promise<void> {
    node.pins++;
    try {
      await this.#resealFile(node);
    } catch (error) {
      if (!isFault(error, "Unavailable", "Corrupt")) throw error;
      // The others need not wait for it.
      this.#leftBehind++;
      this.#state.needs.log.warn("tree.reseal.file", { ino: node.ino, why: describe(error) });
    } finally {
      node.pins--;
      this.#state.nodes.settle(node);
    }
  }

  async #resealFile(node: Node): Promise<void> {
    const state = this.#state;
    await attempt(() => settled(state, node));
    const { placesChanged } = state;
    const slot = slotOf(state, node);
    if (!isMisplaced(state, node)) return;
    if (isSplit(node)) await this.#outOfTable(node, slot);
    for (let from = 0; ; ) {
      const links = await attempt(() => linksOf(state, node, from));
      const last = links.at(-1);
      if (last === undefined) break;
      await this.#resealChunks(node, links, slot);
      from = last.index + 1;
    }
    await attempt(() => {
      state.mayChange();
      settled(state, node);
      // Moved once more, or written under another policy meanwhile: the next walk does it again.
      if (state.placesChanged !== placesChanged || slotOf(state, node) !== slot) {
        return void this.#leftBehind++;
      }
      const xattrs = withValues(valuesOf(state, node.inode));
      const isBlock = node.inode.xattrs.kind === "block";
      state.record([inodeChange(state, node, { slot, ...(isBlock ? { xattrs } : {}) })]);
    });
    this.#files++;
  }

  /** Reads, seals and links a few chunks; one that was written meanwhile is left as it is. */
  async #resealChunks(
    node: Node, links: readonly IndexedLink[], slot: PolicySlot,
  ): Promise<void> {
    const state = this.#state;
    const plain = links.filter(({ link }) => !isLost(link));
    if (plain.length === 0) return;
    const bytes: Buffer[] = [];
    for (const { link } of plain) {
      bytes.push(Buffer.from(await attempt(() => state.blocks.chunk(link))));
    }
    const handed = await state.blocks.putChunksLater(bytes, slot);
    for (const { arrival } of handed) await arrival;
    await state.needs.store.sync();
    await attempt(() => {
      state.mayChange();
      settled(state, node);
      const changes = plain.flatMap(({ index, link }, at): Change[] => {
        const fresh = handed[at]?.link;
        const isSame = linkAt(state, node, index)?.cid === link.cid;
        if (!isSame || fresh === undefined || fresh.cid === link.cid) return [];
        return [{ kind: "chunk", ino: node.ino, index, link: fresh }];
      });
      if (changes.length === 0) return;
      state.record([...changes, inodeChange(state, node, { slot: mixedSlot })]);
    });
    for (const part of bytes) this.#bytes += part.length;
  }

  /** A short file with several names lies in the table, which goes by the default. */
  async #outOfTable(node: Node, slot: PolicySlot): Promise<void> {
    const state = this.#state;
    const { content } = node.inode;
    if (content.kind !== "inline") return;
    const { link, arrival } = state.blocks.putChunk(content.bytes, slot);
    await arrival;
    await state.needs.store.sync();
    await attempt(() => {
      state.mayChange();
      settled(state, node);
      if (node.inode.content !== content) return;
      const chunked = { kind: "chunks", allocatedBytes: allocatedFor(link.lengthBytes) } as const;
      state.record([
        { kind: "chunk", ino: node.ino, index: 0, link },
        inodeChange(state, node, { content: chunked, slot }),
      ]);
    });
  }
}

/** Unpublished data goes into chunks first: a link must not take its place. */
function settled(state: State, node: Node): void {
  if (node.live !== undefined) throw new Wanted(() => flush(state, node));
}

/** Of the policies of all folders that it has a name in, the one that the drive knows last. */
function claim(state: State, folder: Node, node: Node): void {
  const slot = slotOf(state, folder);
  if (slot <= node.inode.policy) return;
  state.mayChange();
  state.record([inodeChange(state, node, { policy: slot })]);
}

/** A file that has, or is about to have, blocks under another policy than its own. */
function isMisplaced(state: State, node: Node): boolean {
  const slot = slotOf(state, node);
  if (isStray(node, slot) || isSplit(node)) return true;
  const { live } = node;
  if (live === undefined) return false;
  const isSealing = [...live.dirty.values()].some(({ sealing }) => sealing !== undefined);
  return isSealing || (live.slot !== undefined && live.slot !== slot);
}

/** Blocks of it go by another policy than it does itself. */
function isStray({ inode, tree }: { inode: Inode; tree: PageTree }, slot: PolicySlot): boolean {
  return inode.slot !== slot && (hasBlocks(inode) || tree.root.kind !== "empty");
}

function isSplit({ inode, home }: Node): boolean {
  if (home.kind !== "table" || inode.content.kind !== "inline") return false;
  return inode.content.bytes.length > 0 && inode.policy > 0;
}

function linksOf(state: State, node: Node, from: number): readonly IndexedLink[] {
  const links: IndexedLink[] = [];
  for (let next = nextLink(state, node, from); next !== undefined; ) {
    links.push(next);
    if (links.length === sealedAtOnce) break;
    next = nextLink(state, node, next.index + 1);
  }
  return links;
}
