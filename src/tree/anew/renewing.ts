/**
 * New secrets for all below a folder, after somebody was shut out of it who was given the old ones;
 * and for what left a folder that others may read, since they were given its secrets too.
 * From the moment that it is asked for, whatever a commit writes below the folder is under a new
 * secret, be it a directory's pages or a file's; a walk makes the rest of them new, and only when
 * all are is the folder like any other again. Contents are not read: their keys stand in those
 * pages, and what is written anew has keys that nobody was given. It keeps nothing on disk: whoever
 * asked asks again after a crash.
 */
import { isFault } from "../../base/errors.ts";
import { type Ino, rootIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { SealedEra } from "../../base/sharing.ts";
import type { Step } from "../../base/step.ts";
import type { Era } from "../../dag/eras.ts";
import { attempt } from "../attempt.ts";
import type { Commits } from "../commit/commit.ts";
import { directoryOf, isDirectory, nextName, nodeOf } from "../looking/names.ts";
import type { Home, Node } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import type { Resealer } from "./resealing.ts";

/** A folder that is being looked through: its names from this key on are still to come. */
interface Place {
  readonly node: Node;
  key: number;
}

interface Renewal {
  readonly folder: Node;
  /** Whatever has a new secret by now. */
  readonly done: Set<Ino>;
  readonly stack: Place[];
  /** As it was when this walk began: a folder that moved since may have been missed. */
  placesChanged: number;
  readonly ended: PromiseWithResolvers<void>;
}

/** What somebody is shut out of a folder by. */
export interface Withdrawal {
  /** The era that began with it. */
  readonly era: Era;
  /** Resolves when nothing there is under an old secret; it does not outlive this process. */
  readonly renewed: Promise<void>;
}

/** For the tree's face. */
export interface Renewing {
  /**
   * Whatever is written below this folder from now on is under keys that nobody was given, and all
   * that is there is sealed anew: a crash forgets that no more once this resolves.
   */
  withdraw(folder: Ino): Promise<Withdrawal>;
  /** Resolves when all that there was in such folders is sealed anew, and in the root. */
  resealed(): Promise<SealedEra>;
  /**
   * Whatever is written below this folder from now on is under new secrets. Resolves when nothing
   * there is under an old one; it does not outlive this process.
   */
  renew(folder: Ino): Promise<void>;
  /** The same of the whole drive: somebody had all of its secrets. */
  renewAll(): Promise<void>;
  /** From now on chunks are sealed with this secret. */
  rekey(secret: Uint8Array): void;
  /**
   * Others have the secrets of this folder: what leaves it is to have new ones, and what is sealed
   * in it is no block that was anywhere else.
   */
  share(folder: Ino): void;
  /** Goes through such folders: for the loop of the others. */
  readonly renewer: Step;
  /** Of renewals under way. */
  renewing(): { readonly renewed: number } | undefined;
}

interface RenewingWorks {
  readonly commits: Pick<Commits, "apart" | "settle">;
  readonly renewer: Renewer;
  readonly resealer: Resealer;
}

export function renewingPart(
  state: State, { commits, renewer, resealer }: RenewingWorks,
): Renewing {
  return {
    async withdraw(folder) {
      const node = directoryOf(state, folder);
      await attempt(() => resealer.owe(node));
      const renewed = renewer.renew(node);
      const { now: era } = state.eras;
      await state.needs.store.syncRecords();
      return { era, renewed };
    },
    async resealed() {
      await resealer.paid();
      const { now: era } = state.eras;
      // Whatever is committed after this has nothing that is older.
      const atMs = await commits.apart(async () => state.needs.clock.now());
      if (!state.readOnly) await commits.settle();
      return { era, atMs };
    },
    renew: (folder) => renewer.renew(directoryOf(state, folder)),
    renewAll: () => renewer.renewAll(),
    rekey: (secret) => state.keys.rekey(secret),
    share: (folder) => void state.given.add(folder),
    renewer: renewer.step(),
    renewing: () => renewer.progress,
  };
}

export class Renewer {
  readonly #state: State;
  readonly #commits: Pick<Commits, "settle">;
  readonly #renewals = new Map<Ino, Renewal>();
  /** Somebody had all secrets: those of files of several names and of their table go too. */
  #isAll = false;
  #takesTable = false;

  constructor(state: State, commits: Pick<Commits, "settle">) {
    this.#state = state;
    this.#commits = commits;
    state.secrets = {
      areStale: (node) => this.#over(node) !== undefined,
      areGiven: (node) => this.#sharedAbove(node, ({ home }) => home).size > 0,
      renewed: (node) => void this.#over(node)?.done.add(node.ino),
      moved: (movedFrom) => this.#moved(movedFrom),
      takesTable: () => {
        const takes = this.#takesTable;
        this.#takesTable = false;
        return takes;
      },
    };
  }

  /** Files and folders that have new secrets, of the renewals under way; undefined without any. */
  get progress(): { readonly renewed: number } | undefined {
    if (this.#renewals.size === 0) return undefined;
    return { renewed: [...this.#renewals.values()].reduce((sum, { done }) => sum + done.size, 0) };
  }

  /** The same of the whole drive. */
  renewAll(): Promise<void> {
    [this.#isAll, this.#takesTable] = [true, true];
    return this.renew(this.#state.nodes.root);
  }

  /** Resolves when nothing below the folder is under an old secret. */
  renew(folder: Node): Promise<void> {
    const before = this.#renewals.get(folder.ino);
    folder.pins++;
    const renewal: Renewal = {
      folder, done: new Set(), stack: [], placesChanged: -1,
      ended: before?.ended ?? Promise.withResolvers<void>(),
    };
    this.#renewals.set(folder.ino, renewal);
    if (before !== undefined) this.#letGo(before);
    return renewal.ended.promise;
  }

  step(): Step {
    const step = async (signal: AbortSignal): Promise<"busy" | "idle"> => {
      const renewal = [...this.#renewals.values()][0];
      if (renewal === undefined || this.#state.readOnly) return "idle";
      try {
        return await this.#step(renewal, signal);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#state.needs.log.warn("tree.renew", { failed: describe(error) });
        return "idle";
      }
    };
    return { name: "renew", step };
  }

  /** What left a folder of which others have the secrets is to have new ones; nobody waits. */
  #moved(movedFrom: ReadonlyMap<Node, Home>): void {
    if (this.#state.given.size === 0) return;
    const placeBefore = (node: Node): Home => movedFrom.get(node) ?? node.home;
    for (const node of movedFrom.keys()) {
      const still = this.#sharedAbove(node, ({ home }) => home);
      const isOut = [...this.#sharedAbove(node, placeBefore)].some((one) => !still.has(one));
      if (isOut && node.home.kind !== "none") void this.renew(node);
    }
  }

  #sharedAbove(node: Node, placeOf: (node: Node) => Home): ReadonlySet<Ino> {
    const found = new Set<Ino>();
    for (let at = placeOf(node); at.kind === "entry"; at = placeOf(at.parent)) {
      if (this.#state.given.has(at.parent.ino)) found.add(at.parent.ino);
    }
    return found;
  }

  /** The renewal that this node is to be part of; undefined when it was, or needs none. */
  #over(node: Node): Renewal | undefined {
    if (this.#renewals.size === 0) return undefined;
    for (let at: Node | undefined = node; at !== undefined; at = this.#above(at)) {
      const renewal = this.#renewals.get(at.ino);
      if (renewal !== undefined && !renewal.done.has(node.ino)) return renewal;
    }
    return undefined;
  }

  /** A file of several names is below all of the drive, and below no folder. */
  #above({ home }: Node): Node | undefined {
    if (home.kind === "entry") return home.parent;
    return home.kind === "table" && this.#isAll ? this.#state.nodes.root : undefined;
  }

  async #step(renewal: Renewal, signal: AbortSignal): Promise<"busy" | "idle"> {
    const { stack, folder } = renewal;
    if (stack.length === 0) this.#begin(renewal, folder);
    for (let names = 0; names < limits.tree.renewedNamesPerStep; names++) {
      if (signal.aborted) return "idle";
      const place = stack.at(-1);
      if (place === undefined) return this.#finish(renewal);
      await this.#next(renewal, place);
    }
    return "busy";
  }

  #begin(renewal: Renewal, folder: Node): void {
    renewal.placesChanged = this.#state.placesChanged;
    this.#push(renewal, folder);
  }

  #push({ stack }: Renewal, node: Node): void {
    // Held until all below it was looked at.
    node.pins++;
    stack.push({ node, key: -1 });
  }

  /** The folder itself first, then one name of it. */
  async #next(renewal: Renewal, place: Place): Promise<void> {
    const { node, key } = place;
    if (key < 0) {
      await this.#renew(node);
      place.key = 0;
      if (!isDirectory(node)) this.#pop(renewal);
      return;
    }
    const found = await attempt(() => nextName(this.#state, node, key));
    if (found === undefined) return this.#pop(renewal);
    place.key = found.key + 1;
    const below = await attempt(() => nodeOf(this.#state, node, found));
    if (isDirectory(below)) return this.#push(renewal, below);
    await this.#renew(below);
    this.#state.nodes.settle(below);
  }

  /** The next commit finds it, and makes its secret new. */
  async #renew(node: Node): Promise<void> {
    const state = this.#state;
    await attempt(() => {
      const isOfTable = node.home.kind === "table" && this.#takesTable;
      const isKept = node.tree.secret !== undefined || isOfTable;
      if (!isKept || !state.secrets.areStale(node)) return;
      state.mayChange();
      record(state, [inodeChange(state, node, {})]);
    });
  }

  #pop({ stack }: Renewal): void {
    const place = stack.pop();
    if (place === undefined) return;
    place.node.pins--;
    this.#state.nodes.settle(place.node);
  }

  async #finish(renewal: Renewal): Promise<"busy" | "idle"> {
    await this.#commits.settle();
    const { folder, ended } = renewal;
    if (this.#renewals.get(folder.ino) !== renewal) return "busy";
    if (renewal.placesChanged !== this.#state.placesChanged) return "busy";
    this.#renewals.delete(folder.ino);
    if (folder.ino === rootIno) this.#isAll = false;
    this.#state.needs.log.info("tree.renewed", { renewed: renewal.done.size });
    this.#letGo(renewal);
    ended.resolve();
    return "idle";
  }

  #letGo(renewal: Renewal): void {
    while (renewal.stack.length > 0) this.#pop(renewal);
    renewal.folder.pins--;
    this.#state.nodes.settle(renewal.folder);
  }
}
