/** How many bytes of others' requests and answers this node holds at once: never over its limit. */

export class Holding {
  readonly #maxBytes: number;
  #heldBytes = 0;
  readonly #waiting = new Set<() => void>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A single request always fits an empty hand, so that nobody waits for ever. */
  take(bytes: number): boolean {
    const fits = this.#heldBytes === 0 || this.#heldBytes + bytes <= this.#maxBytes;
    if (fits) this.#heldBytes += bytes;
    return fits;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Called once, when there may be room again. */
  onRoom(wake: () => void): void {
    this.#waiting.add(wake);
  }
}
