/**
 * What was written under one policy and belongs to another by now is sealed anew under that one: a
 * folder was given a policy, or something moved between folders of two. So is what lies in a folder
 * that somebody was shut out of, under keys of the era since. Each file's inode tells the slot and
 * the era of its blocks, so a walk below a folder finds what is to be done, and nothing but the
 * folder where to begin is remembered; after a crash, that is the root. A chunk is read, sealed
 * under its new key, made durable and linked, and the next commit takes it up; the pages of a
 * folder are made anew by that commit itself (commit.ts). Writers never wait for it, and what they
 * write meanwhile is as it should be anyway. The old blocks are garbage like any other.
 */
import { isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import { parseEntry } from "../../dag/entries.ts";
import { type Era, nextEra } from "../../dag/eras.ts";
import { attempt } from "../attempt.ts";
import { type Found, isDirectory, nextName, nodeByIno, nodeOf } from "../looking/names.ts";
import { jointIn, slotOf } from "../looking/slots.ts";
import { valuesOf, withValues } from "../names/xattrs.ts";
import type { Change } from "../state/journal.ts";
import type { Node } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { Forsaken } from "./forsaken.ts";
import { isMisplaced, isOld, isOldFile, isStray, sealAnew } from "./sealing-anew.ts";

const { resealPauseMs, resealShareMax, resealedBytesPerStep, resealedNamesPerStep } = limits.tree;

export interface ResealProgress {
  /** Folders among them that somebody was shut out of: these go first. */
  readonly owed: number;
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
  /** What was sealed before it is to be sealed anew. */
  era: Era;
}

export class Resealer {
  readonly #state: State;
  readonly #stack: Place[] = [];
  /** What others are to do; nothing else is left once the last walk is over. */
  readonly #forsaken: Forsaken;
  #isOver = true;
  #files = 0;
  #bytes = 0;
  /** A file that could not be had: it is looked for again by another walk. */
  #leftBehind = 0;
  #notBeforeMs = 0;
  #waitingFor: string | null = null;
  /** How many walks there were of what is owed, and how much had moved when the last began. */
  #walks = { count: 0, moves: 0 };
  #paid: PromiseWithResolvers<void> | undefined;

  constructor(state: State) {
    this.#state = state;
    this.#forsaken = new Forsaken(state);
    state.reseal = (node) => this.#push(node);
    state.resealLater = (nodes) => this.#forsaken.heard(nodes);
    // A life that ended in the middle left word that there is something, and not where.
    if (this.#isWanted) this.#push(state.nodes.root);
  }

  /** Undefined when all lies where it belongs. */
  get progress(): ResealProgress | undefined {
    if (!this.#isWanted) return undefined;
    const { size: owed } = this.#state.eras.owed;
    const { length: folders } = this.#stack;
    return { owed, folders, files: this.#files, bytes: this.#bytes, waitingFor: this.#waitingFor };
  }

  /** Another era begins, and all that was sealed below this folder before it is sealed anew. */
  owe(folder: Node): void {
    const state = this.#state;
    state.mayChange();
    record(state, [{ kind: "eras", eras: nextEra(state.eras, folder.ino) }]);
    this.#walks.count = 0;
    this.#push(folder);
  }

  /** Resolves when no folder is owed anything. */
  paid(): Promise<void> {
    if (this.#state.eras.owed.size === 0) return Promise.resolve();
    this.#paid ??= Promise.withResolvers<void>();
    return this.#paid.promise;
  }

  get #isWanted(): boolean {
    const { policies, eras } = this.#state;
    return policies.resealing || eras.owed.size > 0;
  }

  step(): Step {
    const step = async (signal: AbortSignal): Promise<"busy" | "idle"> => {
      if (this.#state.readOnly || !this.#isWanted) return "idle";
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
    const { store } = this.#state.needs;
    if (this.#stack.length === 0 && !this.#mayBegin()) return "idle";
    if (this.#stack.length === 0) this.#begin();
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

  #mayBegin(): boolean {
    const { eras, needs: { clock } } = this.#state;
    if (clock.monotonicMs() < this.#notBeforeMs) return false;
    const isOthers = this.#isOver && eras.owed.size === 0 && !this.#forsaken.isEmpty;
    if (!isOthers || this.#forsaken.isDue) return true;
    this.#waitingFor = "another device";
    return false;
  }

  /** Wherever something may have to be done. */
  #begin(): void {
    if (this.#forsaken.isDue) this.#forsaken.take((node) => this.#push(node));
    if (this.#stack.length > 0) return;
    const { policies, eras, nodes } = this.#state;
    const known = [...eras.owed.keys()].map((ino) => nodes.find(ino));
    const isKnown = !policies.resealing && known.every((node) => node !== undefined);
    for (const node of isKnown ? known : [nodes.root]) if (node !== undefined) this.#push(node);
  }

  #push(node: Node): void {
    const { nodes } = this.#state;
    this.#isOver = false;
    if (this.#stack.length === 0) this.#walks = { ...this.#walks, moves: nodes.moves };
    const era = eraAt(this.#state, node);
    const known = this.#stack.find((place) => place.node === node);
    if (known !== undefined) {
      Object.assign(known, { key: -1, era });
      return;
    }
    // Held until all below it was looked at.
    node.pins++;
    this.#stack.push({ node, key: -1, era });
  }

  #pop(): void {
    const place = this.#stack.pop();
    if (place === undefined) return;
    place.node.pins--;
    this.#state.nodes.settle(place.node);
  }

  /** Only a walk that left nothing behind is the last one, and none passed by what moved. */
  #finish(): "busy" | "idle" {
    const state = this.#state;
    const hasMoved = state.eras.owed.size > 0 && state.nodes.moves !== this.#walks.moves;
    if (hasMoved && ++this.#walks.count < limits.eras.walksMax) {
      this.#begin();
      return "busy";
    }
    if (this.#leftBehind > 0) {
      this.#waitingFor = `${this.#leftBehind} files that cannot be read now`;
      this.#leftBehind = 0;
      this.#notBeforeMs = state.needs.clock.monotonicMs() + resealPauseMs;
      return "idle";
    }
    this.#isOver = true;
    this.#record();
    // What was not with peers yet need not go to those of the old policy any more.
    state.collectSoon();
    state.needs.log.info("tree.resealed", { files: this.#files, bytes: this.#bytes });
    this.#files = 0;
    this.#bytes = 0;
    this.#paid?.resolve();
    this.#paid = undefined;
    return "idle";
  }

  #record(): void {
    const { policies, eras } = this.#state;
    const changes: Change[] = [];
    if (policies.resealing && this.#forsaken.isEmpty) {
      changes.push({ kind: "policies", policies: { ...policies, resealing: false } });
    }
    if (eras.owed.size > 0) changes.push({ kind: "eras", eras: { ...eras, owed: new Map() } });
    if (changes.length > 0) record(this.#state, changes);
  }

  /** The folder itself first, then one name of it. */
  async #next(place: Place): Promise<void> {
    const { node, key, era } = place;
    if (key < 0) {
      if (!isDirectory(node)) return this.#tryTop(place);
      await attempt(() => this.#renew(node, era));
      place.key = 0;
      return;
    }
    const found = await attempt(() => nextName(this.#state, node, key));
    if (found === undefined) return this.#pop();
    place.key = found.key + 1;
    const below = await attempt(() => this.#strayAt(place, found));
    if (below === undefined) return;
    if (isDirectory(below)) this.#push(below);
    else await this.#tryFile(below, era);
  }

  /** What this name leads to, if it is a folder or lies in the wrong place. */
  #strayAt({ node: folder, era }: Place, found: Found): Node | undefined {
    const state = this.#state;
    const entry = found.source.kind === "page" ? parseEntry(found.source.bytes) : undefined;
    if (entry?.kind === "inode" && state.nodes.find(entry.inode.ino) === undefined) {
      const { inode, tree } = entry;
      const slot = slotOf(state, folder);
      const isFine = !isStray({ inode, tree }, slot) && !isOld(inode, era);
      if (inode.content.kind !== "directory" && isFine) return undefined;
    }
    const isLink = entry?.kind === "link";
    const node = isLink ? nodeByIno(state, entry.ino) : nodeOf(state, folder, found);
    if (node.home.kind === "table") claim(state, folder, node);
    const isToSeal = isMisplaced(state, node) || isOldFile(node, era);
    return isDirectory(node) || isToSeal ? node : undefined;
  }

  /** The next commit makes its pages anew; attributes that do not fit them go with them. */
  #renew(node: Node, era: Era): void {
    const state = this.#state;
    const slot = slotOf(state, node);
    const isBlock = node.inode.xattrs.kind === "block";
    const isFine = node.treeSlot === slot || (node.tree.root.kind !== "page" && !isBlock);
    if (isFine && !isOld(node.inode, era)) return;
    state.mayChange();
    const xattrs = withValues(valuesOf(state, node.inode));
    const { now } = state.eras;
    record(state, [inodeChange(state, node, isBlock ? { xattrs, era: now } : {})]);
  }

  /** Off the stack first: whatever is pushed meanwhile comes on top of what lies below. */
  async #tryTop({ node, era }: Place): Promise<void> {
    const trying = this.#tryFile(node, era);
    this.#pop();
    await trying;
  }

  async #tryFile(node: Node, era: Era): Promise<void> {
    node.pins++;
    try {
      const { isLeft, bytes } = await sealAnew(this.#state, node, era);
      this.#bytes += bytes;
      if (isLeft) this.#leftBehind++;
      else this.#files++;
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
}

/** The era that this folder is owed, by itself or by one above it. */
function eraAt(state: State, node: Node): Era {
  const { owed } = state.eras;
  const own = owed.get(node.ino) ?? 0;
  if (node.home.kind !== "entry" || owed.size === 0) return own;
  return Math.max(own, eraAt(state, node.home.parent));
}

/** It goes by the policies of all folders that it has a name in. */
function claim(state: State, folder: Node, node: Node): void {
  const { policy } = node.inode;
  const joint = jointIn(state, policy, slotOf(state, folder));
  if (joint === policy) return;
  state.mayChange();
  record(state, [inodeChange(state, node, { policy: joint })]);
}
