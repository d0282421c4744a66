/** What is to happen when, the earliest first: a binary heap by time. */
export interface Event {
  readonly atMs: number;
  readonly act: () => void;
}

export class Agenda {
  readonly #heap: Event[] = [];

  put(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1;
      const [one, other] = [heap[at] as Event, heap[parent] as Event];
      if (other.atMs <= one.atMs) return;
      [heap[at], heap[parent]] = [other, one];
      at = parent;
    }
  }

  next(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0;;) {
      const children = [2 * at + 1, 2 * at + 2].filter((child) => child < heap.length);
      children.sort((a, b) => (heap[a] as Event).atMs - (heap[b] as Event).atMs);
      const child = children[0];
      if (child === undefined || (heap[child] as Event).atMs >= (heap[at] as Event).atMs) return first;
      [heap[at], heap[child]] = [heap[child] as Event, heap[at] as Event];
      at = child;
    }
  }
}
