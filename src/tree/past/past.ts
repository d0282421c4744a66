/**
 * What the drive was: its kept roots by the names under which people see them, each opened as a
 * tree of its own that nobody can change, made, let go, compared and brought back. A folder's past
 * is what stood at its path.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { FileSystem } from "../../base/filesystem.ts";
import { type Graft, type GraftPoint, directoryType } from "../../base/grafts.ts";
import { type Ino, type Name, parseName, rootIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Comparison, Difference, KeepRule, Reason, RestoreReport, Snapshot }
  from "../../base/snapshots.ts";
import type { KeptRoot } from "../../dag/kept.ts";
import type { RootRecord } from "../../dag/root.ts";
import type { Commits } from "../commit/commit.ts";
import { writerOf } from "../commit/new-root.ts";
import { BlockWalk, type Told, newCount } from "../looking/block-walk.ts";
import { isDirectory } from "../looking/names.ts";
import { findInos, nodeAt, placeOf } from "../looking/walking.ts";
import { State } from "../state/state.ts";
import { differences } from "./difference.ts";
import type { Moment } from "./moment.ts";
import { type Changed, restore } from "./restoring.ts";
import { nameOf } from "./snapshot-names.ts";

const { countMax, differencesMax } = limits.snapshots;

export interface RestoreOptions {
  /** What lies there now and did not then goes. */
  readonly exact: boolean;
  /** Where it goes; its own place if not told. */
  readonly to?: readonly string[];
  /** Is told each place that changed, and awaited. */
  readonly changed: Changed;
}

export class Past {
  readonly #state: State;
  readonly #commits: Commits;
  readonly #portOf: (state: State) => FileSystem;

  constructor(state: State, commits: Commits, portOf: (state: State) => FileSystem) {
    this.#state = state;
    this.#commits = commits;
    this.#portOf = portOf;
  }

  /** The oldest first; with a path, those that have something there. */
  async list(path: readonly string[] = []): Promise<readonly Snapshot[]> {
    const found: Snapshot[] = [];
    for (const [name, { root, untilMs, why }] of await this.#named()) {
      const { committedAtMs: fromMs, files, bytes } = root;
      const isThere = path.length === 0 || (await this.#has(root, path));
      if (isThere) found.push({ name, fromMs, untilMs, why, files, bytes });
    }
    return found;
  }

  /** Keeps the drive as it is now, for good; answers under which name. */
  async create(why: Reason = "asked"): Promise<string> {
    const { kept } = this.#commits;
    const asked = (await kept.all({ mayFetch: true })).filter((one) => one.why !== "rule");
    if (asked.length >= countMax / 2) {
      throw new HiveError("NoSpace", "tree.snapshot", `${asked.length} are kept for good`);
    }
    // Without what waits for peers it would be of no moment that ever was.
    if (!this.#state.readOnly) await this.#commits.commit();
    const { sequence } = await this.#newest();
    kept.keepLast(why);
    await this.#publish();
    const all = await kept.all({ mayFetch: true });
    // What is committed meanwhile may be kept by the rule, behind it.
    const made = all.find(({ root, ...one }) => root.sequence >= sequence && one.why !== "rule");
    if (made !== undefined) return nameOf(made);
    throw new HiveError("Unavailable", "tree.snapshot", "the list of snapshots is not here");
  }

  /** Its room is given back when garbage is collected. */
  async remove(name: string): Promise<void> {
    const { root } = await this.#find(name);
    this.#commits.kept.refuse([root]);
    await this.#publish();
  }

  /** All from before this moment that have something of the folder go; answers how many. */
  async removeWith(folder: Ino, beforeMs: number): Promise<number> {
    const { kept } = this.#commits;
    const all = await kept.all({ mayFetch: true });
    const older = all.map(({ root }) => root).filter((root) => root.committedAtMs < beforeMs);
    const found: RootRecord[] = [];
    for (const root of older) if (await this.#holds(root, folder)) found.push(root);
    if (found.length === 0) return 0;
    kept.refuse(found);
    await this.#publish();
    return found.length;
  }

  keep(rule: KeepRule): void {
    this.#commits.kept.rule = rule;
  }

  async open(name: string): Promise<Moment> {
    return this.#momentOf((await this.#find(name)).root);
  }

  /** What changed from one moment to another, or to now, below a path. */
  async compare(
    path: readonly string[], { from, to }: { readonly from: string; readonly to?: string },
  ): Promise<Comparison> {
    const { root: before } = await this.#find(from);
    const after = to === undefined ? await this.#newest() : (await this.#find(to)).root;
    const { kept } = this.#commits;
    using _before = kept.use(before);
    using _after = kept.use(after);
    const found: Difference[] = [];
    for await (const one of differences(this.#momentOf(before), this.#momentOf(after), path)) {
      if (found.length === differencesMax) return { differences: found, isCut: true };
      found.push(one);
    }
    return { differences: found, isCut: false };
  }

  /** Puts what stood at the path back; what it replaces is kept as a snapshot of its own. */
  async restore(
    name: string, path: readonly string[], options: RestoreOptions,
  ): Promise<RestoreReport> {
    const { root } = await this.#find(name);
    // It may be kept no more before all of it is back.
    using _use = this.#commits.kept.use(root);
    const then = this.#momentOf(root);
    const before = await this.create("restore");
    const now = { state: this.#state, files: this.#portOf(this.#state) };
    this.#state.quiet++;
    try {
      return await restore({ then, now, before }, { path, ...options });
    } finally {
      this.#state.quiet--;
      await this.#commits.commit();
    }
  }

  /**
   * Tells the blocks of what stands at the path, as it is now; one that several files have, once
   * for each. Pages that are not here are fetched; answers how many blocks nobody has any more.
   */
  async tellBlocks(path: readonly string[], told: Told): Promise<number> {
    const root = await this.#newest();
    using _use = this.#commits.kept.use(root);
    const { state } = this.#momentOf(root);
    const count = newCount();
    const walk = new BlockWalk(state, told, { mayFetch: true });
    for await (const _missing of walk.below(await nodeAt(state, path), count));
    return count.missingBlocks + count.lostBlocks;
  }

  /** The directory of a folder's past. */
  readonly pointAt = (folder: Ino): GraftPoint => {
    const path = () => placeOf(this.#state, folder);
    return {
      items: async () => (await this.list(path())).map(({ name }) => {
        return { name: parseName(name), type: directoryType };
      }),
      open: (name) => this.#graft(name, path()),
      watch: (changed) => this.onChange(changed),
    };
  };

  /** Is told the name of each that is kept from now on, or is not any more. */
  onChange(changed: (name: Name) => void): Disposable {
    return this.#commits.kept.onChange((one) => changed(nameOf(one)));
  }

  async #graft(name: Name, path: readonly string[]): Promise<Graft> {
    const { state, files } = await this.open(name);
    const node = await nodeAt(state, path);
    if (!isDirectory(node)) throw new HiveError("NotFound", "tree.snapshot", name);
    node.lookups++;
    return { files, root: node.ino, writable: false, [Symbol.asyncDispose]: async () => undefined };
  }

  async #has(root: RootRecord, path: readonly string[]): Promise<boolean> {
    try {
      await nodeAt(this.#momentOf(root).state, path);
      return true;
    } catch (error) {
      if (isFault(error, "NotFound", "NotDirectory")) return false;
      throw error;
    }
  }

  /** Wherever it was then. */
  async #holds(root: RootRecord, folder: Ino): Promise<boolean> {
    if (folder === rootIno) return true;
    const { state } = this.#momentOf(root);
    for await (const _node of findInos(state, new Set([folder]))) return true;
    return false;
  }

  /** A root that has all that was changed before this call. */
  async #newest(): Promise<RootRecord> {
    if (!this.#state.readOnly) await this.#commits.settle();
    const { last } = this.#commits.kept;
    if (last !== undefined) return last;
    throw new HiveError("NotFound", "tree.snapshot", "nothing was committed yet");
  }

  #momentOf(root: RootRecord): Moment {
    const { keys, policies, blocks } = this.#state;
    // What is kept on this machine is a matter of now.
    const { pins: _now, ...needs } = this.#state.needs;
    const state = new State(needs, keys, { ...root, policies }, {
      readOnly: true, device: writerOf(root), blocks,
    });
    return { state, files: this.#portOf(state) };
  }

  async #publish(): Promise<void> {
    this.#state.mark();
    await this.#commits.settle();
  }

  async #find(name: string): Promise<KeptRoot> {
    const found = (await this.#named()).get(name);
    if (found !== undefined) return found;
    throw new HiveError("NotFound", "tree.snapshot", name);
  }

  async #named(): Promise<ReadonlyMap<string, KeptRoot>> {
    const kept = await this.#commits.kept.all({ mayFetch: true });
    return new Map(kept.map((one) => [nameOf(one), one]));
  }
}
