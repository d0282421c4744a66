/**
 * A folder's `.trash`: the names that stood in it in the last 30 days and do not any more, each as
 * the newest snapshot that has it. Nothing is moved when something is deleted, so that deleting
 * costs what it did; and so what no snapshot has is not here either. A folder's past is what stood
 * at its path, and what was moved elsewhere is gone from here too.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { Graft, GraftItem, GraftPoint } from "../../base/grafts.ts";
import type { Ino, Name } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Maybe } from "../../base/step.ts";
import { Breather, attempt } from "../attempt.ts";
import { directoryOf, findName, isDirectory } from "../looking/names.ts";
import { itemAfter, nodeAt, placeOf } from "../looking/walking.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { isSameTree } from "./comparing.ts";
import type { Moment } from "./moment.ts";
import type { Past } from "./past.ts";

const { trashMs, trashNamesMax } = limits.snapshots;
/** Behind the two dots. */
const firstCookie = 2;

/** A moment, and what stood then at some path. */
interface Stood {
  readonly moment: Moment;
  readonly node: Node;
}

export class Trash {
  readonly #state: State;
  readonly #past: Past;

  constructor(state: State, past: Past) {
    this.#state = state;
    this.#past = past;
  }

  readonly pointAt = (folder: Ino): GraftPoint => {
    const opened = new Set<Name>();
    return {
      items: () => this.#gone(folder),
      open: (name) => {
        opened.add(name);
        return this.#open(folder, name);
      },
      watch: (changed) => this.#past.onChange(() => {
        for (const name of opened) changed(name);
      }),
    };
  };

  async #gone(folder: Ino): Promise<readonly GraftItem[]> {
    const gone = new Map<Name, GraftItem>();
    const breather = new Breather(() => this.#state.needs.clock.monotonicMs());
    let newer: Node | undefined;
    for await (const { moment: { state }, node } of this.#stood(placeOf(this.#state, folder))) {
      const isKnown = newer !== undefined && isSameTree(newer.tree, node.tree);
      newer = node;
      if (isKnown || !isDirectory(node)) continue;
      for await (const item of itemsIn(state, node, breather)) {
        if (gone.has(item.name) || (await this.#has(folder, item.name))) continue;
        gone.set(item.name, item);
        if (gone.size === trashNamesMax) return [...gone.values()];
      }
    }
    return [...gone.values()];
  }

  async #open(folder: Ino, name: Name): Promise<Graft> {
    const isGone = !(await this.#has(folder, name));
    const path = [...placeOf(this.#state, folder), name];
    if (isGone) {
      for await (const { moment: { files }, node } of this.#stood(path)) {
        node.lookups++;
        const [root, writable] = [node.ino, false];
        return { files, root, writable, [Symbol.asyncDispose]: async () => undefined };
      }
    }
    throw new HiveError("NotFound", "tree.trash", name);
  }

  /** The newest first; moments at which nothing stood there are left out. */
  async *#stood(path: readonly string[]): AsyncGenerator<Stood> {
    const sinceMs = this.#state.needs.clock.now() - trashMs;
    for (const { name, untilMs } of (await this.#past.list()).toReversed()) {
      if (untilMs < sinceMs) continue;
      const moment = await this.#past.open(name);
      const node = await thereAt(moment, path);
      if (node !== undefined) yield { moment, node };
    }
  }

  #has(folder: Ino, name: Name): Maybe<boolean> {
    const state = this.#state;
    return attempt(() => findName(state, directoryOf(state, folder), name) !== undefined);
  }
}

async function thereAt({ state }: Moment, path: readonly string[]): Promise<Node | undefined> {
  try {
    return await nodeAt(state, path);
  } catch (error) {
    if (isFault(error, "NotFound", "NotDirectory")) return undefined;
    throw error;
  }
}

async function* itemsIn(state: State, node: Node, breather: Breather): AsyncGenerator<GraftItem> {
  for (let after = firstCookie; ; ) {
    const from = after;
    const found = await attempt(() => itemAfter(state, node, { after: from, plus: false }));
    if (found === undefined) return;
    const { name, type, cookie } = found.shown;
    yield { name: name as Name, type };
    after = cookie;
    await breather.breathe();
  }
}
