/**
 * What lies under another policy than its folder's though nobody here had it so: another device
 * gave a folder a policy, and is sealing anew; or one put a file where another one gave a policy
 * meanwhile, and neither knew of the other. Whoever did it sees to it, and the others take that
 * over. Only what nobody was heard of for long is looked at here; of several devices the one with
 * the smallest number begins, and each after it has longer to hear of that.
 */
import { limits } from "../../base/limits.ts";
import { devicesOf } from "../state/marking.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";

const { resealForsakenMax, resealForsakenMs } = limits.tree;

export class Forsaken {
  readonly #state: State;
  /** Held until they are looked at. */
  readonly #nodes = new Set<Node>();
  #dueAtMs = 0;

  constructor(state: State) {
    this.#state = state;
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  get isDue(): boolean {
    return !this.isEmpty && this.#state.needs.clock.monotonicMs() >= this.#dueAtMs;
  }

  /** Others were at it; these are still to be done. */
  heard(nodes: readonly Node[]): void {
    for (const node of nodes) this.#add(node);
    if (this.#nodes.size > resealForsakenMax) {
      this.take(() => undefined);
      this.#add(this.#state.nodes.root);
    }
    this.#dueAtMs = this.#state.needs.clock.monotonicMs() + this.#patienceMs;
  }

  take(see: (node: Node) => void): void {
    for (const node of this.#nodes) {
      see(node);
      node.pins--;
      this.#state.nodes.settle(node);
    }
    this.#nodes.clear();
  }

  #add(node: Node): void {
    if (this.#nodes.has(node)) return;
    node.pins++;
    this.#nodes.add(node);
  }

  get #patienceMs(): number {
    const { number } = this.#state.device;
    const before = [...devicesOf(this.#state).keys()].filter((other) => other < number);
    return resealForsakenMs * (1 + before.length);
  }
}
