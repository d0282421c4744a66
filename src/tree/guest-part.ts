/**
 * The tree's part among people: it takes in what the owner of a folder has, where it is that
 * folder, and what other devices of the same person wrote there; and what guests wrote in folders
 * of its own.
 */
import { HiveError, isFault } from "../base/errors.ts";
import type { Ino } from "../base/ids.ts";
import { parseRoot } from "../dag/root.ts";
import type { Commits } from "./commit/commit.ts";
import { isDirectory } from "./looking/names.ts";
import { findInos } from "./looking/walking.ts";
import { Contents } from "./merge/contents.ts";
import { GuestMeeting, OwnerMeeting } from "./merge/folder.ts";
import { KinMeeting } from "./merge/kin.ts";
import type { Merger, StaleListener } from "./merge/merge.ts";
import type { Node } from "./state/nodes.ts";
import type { State } from "./state/state.ts";

/** Somebody who may write a folder of this drive. */
export interface TreeGuest {
  readonly folder: Ino;
  /** Of the device that his changes are marked with, and what it is called here. */
  readonly number: number;
  readonly name: string;
  /** Of the other devices that he writes on, and wrote on. */
  readonly kin: readonly number[];
}

export interface GuestTurn {
  readonly hasChanged: boolean;
  /** There is more: the same root brings it in another turn. */
  readonly isCut: boolean;
}

/** Roots are not sealed. */
export interface GuestPart {
  /** Answers whether it changed anything. */
  mergeOwner(root: Uint8Array, tell: StaleListener): Promise<boolean>;
  /** The same of another device of the person who writes here. */
  mergeKin(root: Uint8Array, tell: StaleListener): Promise<boolean>;
  /**
   * Nothing of it is believed but what it says of that folder. NotFound without the folder;
   * TooLarge when it says more than anybody may at once.
   */
  mergeGuest(root: Uint8Array, guest: TreeGuest, tell: StaleListener): Promise<GuestTurn>;
  /** Somebody was shut out: of what guests wrote nothing comes in that was asked for before. */
  refuseBegun(): void;
}

export function guestPart(
  state: State, { commits, merger }: { readonly commits: Commits; readonly merger: Merger },
): GuestPart {
  let refusals = 0;
  const halves = new Halves(state);
  return {
    mergeOwner: (root, tell) => {
      const record = parseRoot(root);
      return merger.meet(() => new OwnerMeeting(state, record), tell);
    },
    mergeKin: (root, tell) => {
      const record = parseRoot(root);
      return merger.meet(() => new KinMeeting(state, record), tell);
    },
    async mergeGuest(root, { folder: ino, kin, ...guest }, tell) {
      // Whoever asks remembers what came in, and would not ask again.
      if (state.readOnly) throw new HiveError("ReadOnly", "tree.guest", "mounted read-only");
      const before = refusals;
      const isRefused = (): boolean => refusals > before;
      const record = parseRoot(root);
      const folder = await folderOf(state, ino);
      // It stays while others are merged.
      folder.pins++;
      try {
        let isCut = false;
        const cut = (): void => void (isCut = true);
        const numbers = new Set([guest.number, ...kin]);
        return await halves.with({ folder: ino, number: guest.number }, async (contents) => {
          const commit = (): Promise<void> => commits.settle();
          const terms = { ...guest, numbers, folder, contents, commit, cut, isRefused };
          const hasChanged = await merger.meet(() => new GuestMeeting(state, record, terms), tell);
          return { hasChanged, isCut };
        });
      } finally {
        folder.pins--;
        state.nodes.settle(folder);
      }
    },
    refuseBegun: () => {
      refusals++;
      halves.drop();
    },
  };
}

/** Files of guests that came in as far as a turn goes, for the next one. */
class Halves {
  readonly #state: State;
  readonly #idle = new Map<string, Contents>();
  #drops = 0;

  constructor(state: State) {
    this.#state = state;
  }

  async with(
    { folder, number }: { readonly folder: Ino; readonly number: number },
    turn: (contents: Contents) => Promise<GuestTurn>,
  ): Promise<GuestTurn> {
    const key = `${folder} ${number}`;
    const drops = this.#drops;
    const contents = this.#idle.get(key) ?? new Contents(this.#state, { folder, number });
    this.#idle.delete(key);
    let isLeft = false;
    try {
      const told = await turn(contents);
      isLeft = told.isCut;
      return told;
    } catch (error) {
      isLeft = isFault(error, "Unavailable");
      throw error;
    } finally {
      if (isLeft && drops === this.#drops && !this.#idle.has(key)) this.#idle.set(key, contents);
      else contents[Symbol.dispose]();
    }
  }

  /** Those of turns under way go with them. */
  drop(): void {
    this.#drops++;
    for (const contents of this.#idle.values()) contents[Symbol.dispose]();
    this.#idle.clear();
  }
}

/** Wherever it is by now. */
async function folderOf(state: State, ino: Ino): Promise<Node> {
  const known = state.nodes.find(ino);
  if (known !== undefined && isDirectory(known) && known.inode.links > 0) return known;
  for await (const node of findInos(state, new Set([ino]))) if (isDirectory(node)) return node;
  throw new HiveError("NotFound", "tree.guest", `folder ${ino}`);
}
