/**
 * Where the pinned files and folders are. After a start each is looked up where it was when the
 * list was saved; one that a crash made forget its last move is looked for from the root on. Found
 * ones are held in memory, so that a move is known at once, and the list follows.
 */
import { isFault } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { findInos, nodeAt, pathOf } from "../looking/walking.ts";
import type { HeldPin } from "../state/pins.ts";
import type { State } from "../state/state.ts";

/** The names that lead to it now, or did when they were told last. */
export function placeOf({ node, path }: HeldPin): HeldPin["path"] {
  return node?.home.kind === "entry" ? pathOf(node) : path;
}

export class PinSearch {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** What has no name any more is pinned no more. */
  async findAll(): Promise<void> {
    const { pins } = this.#state;
    const lost = new Map<Ino, HeldPin>();
    for (const [ino, pin] of pins.entries()) {
      if (pin.node === undefined && !(await this.#find(ino, pin))) lost.set(ino, pin);
    }
    if (lost.size > 0) await this.#search(lost);
    for (const [ino, pin] of pins.entries()) {
      const isGone = pin.node === undefined || pin.node.home.kind === "none";
      if (isGone) await this.#forget(ino, pin);
    }
    await this.#follow();
  }

  async #find(ino: Ino, pin: HeldPin): Promise<boolean> {
    const state = this.#state;
    try {
      const node = state.nodes.find(ino) ?? (await nodeAt(state, pin.path));
      if (node.ino !== ino) return false;
      state.pins.hold(pin, node);
      return true;
    } catch (error) {
      if (isFault(error, "NotFound", "NotDirectory")) return false;
      throw error;
    }
  }

  async #search(lost: ReadonlyMap<Ino, HeldPin>): Promise<void> {
    for await (const node of findInos(this.#state, new Set(lost.keys()))) {
      const pin = lost.get(node.ino);
      if (pin !== undefined) this.#state.pins.hold(pin, node);
    }
  }

  async #forget(ino: Ino, { node }: HeldPin): Promise<void> {
    const { pins, nodes, needs: { log } } = this.#state;
    log.info("tree.pin-gone", { ino });
    await pins.remove(ino);
    if (node !== undefined) nodes.settle(node);
  }

  /** The list says where they are now. */
  async #follow(): Promise<void> {
    const { pins } = this.#state;
    let isNews = false;
    for (const [, pin] of pins.entries()) {
      const path = placeOf(pin);
      isNews ||= path.join("/") !== pin.path.join("/");
      pin.path = path;
    }
    if (isNews) await pins.save();
  }
}
