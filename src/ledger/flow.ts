/**
 * The largest flow through a graph of bounded capacities (Dinic's way: shortest paths first, each
 * level of them at once). Flow that was sent stays, and a later call may lead it elsewhere without
 * making it less: so demands can be added one after the other. Pure, and over typed arrays.
 */
import { assert } from "../base/errors.ts";

const none = -1;

export class FlowGraph {
  /** Of each node its newest edge, and of each edge the one before it at the same node. */
  #first: number[] = [];
  readonly #next: number[] = [];
  readonly #to: number[] = [];
  /** What there is room for: edge e and its way back e ^ 1 stand side by side. */
  #left: number[] = [];

  get nodes(): number {
    return this.#first.length;
  }

  node(): number {
    return this.#first.push(none) - 1;
  }

  edge(from: number, to: number, capacity: number): number {
    assert(capacity >= 0 && from !== to, "an edge leads somewhere");
    this.#half(from, to, capacity);
    return this.#half(to, from, 0) - 1;
  }

  /** What flows through an edge now. */
  through(edge: number): number {
    return this.#left[edge ^ 1] as number;
  }

  /** Sends as much more as there is room for; answers how much that is. */
  send(source: number, sink: number): number {
    let sent = 0;
    for (;;) {
      const levels = this.#levels(source, sink);
      if (levels[sink] === none) return sent;
      const at = Int32Array.from(this.#first);
      for (;;) {
        const more = this.#path(source, sink, levels, at);
        if (more === 0) break;
        sent += more;
      }
    }
  }

  /** What an act adds and sends is as if it had never been, once it is over. */
  tryOut<T>(act: () => T): T {
    const edges = this.#to.length;
    const [first, left] = [this.#first, this.#left];
    this.#first = [...first];
    this.#left = [...left];
    const result = act();
    this.#first = first;
    this.#left = left;
    this.#to.length = this.#next.length = edges;
    return result;
  }

  #half(from: number, to: number, capacity: number): number {
    this.#to.push(to);
    this.#left.push(capacity);
    this.#next.push(this.#first[from] as number);
    return this.#first[from] = this.#to.length - 1;
  }

  /** How many edges with room lie between the source and each node. */
  #levels(source: number, sink: number): Int32Array {
    const levels = new Int32Array(this.nodes).fill(none);
    const queue = new Int32Array(this.nodes);
    levels[source] = 0;
    queue[0] = source;
    for (let head = 0, tail = 1; head < tail && levels[sink] === none; head++) {
      const node = queue[head] as number;
      let edge = this.#first[node] as number;
      for (; edge !== none; edge = this.#next[edge] as number) {
        const to = this.#to[edge] as number;
        if (levels[to] !== none || (this.#left[edge] as number) < least) continue;
        levels[to] = (levels[node] as number) + 1;
        queue[tail++] = to;
      }
    }
    return levels;
  }

  /** One path down the levels; `at` remembers which edges are of no use any more. */
  #path(source: number, sink: number, levels: Int32Array, at: Int32Array): number {
    const path: number[] = [];
    let node = source;
    while (node !== sink) {
      const edge = this.#onward(node, levels, at);
      if (edge !== none) {
        path.push(edge);
        node = this.#to[edge] as number;
      } else {
        const back = path.pop();
        if (back === undefined) return 0;
        node = this.#to[back ^ 1] as number;
        at[node] = this.#next[at[node] as number] as number;
      }
    }
    return this.#fill(path);
  }

  #onward(node: number, levels: Int32Array, at: Int32Array): number {
    for (let edge = at[node] as number; edge !== none; edge = this.#next[edge] as number) {
      at[node] = edge;
      const isDown = levels[this.#to[edge] as number] === (levels[node] as number) + 1;
      if (isDown && (this.#left[edge] as number) >= least) return edge;
    }
    at[node] = none;
    return none;
  }

  #fill(path: readonly number[]): number {
    const room = Math.min(...path.map((edge) => this.#left[edge] as number));
    for (const edge of path) {
      this.#left[edge] = (this.#left[edge] as number) - room;
      this.#left[edge ^ 1] = (this.#left[edge ^ 1] as number) + room;
    }
    return room;
  }
}

/** Less than this is what is left of sums that do not come out even. */
const least = 1e-6;
