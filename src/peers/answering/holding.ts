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
  fits(bytes: number): boolean {
    return this.#heldBytes === 0 || this.#heldBytes + bytes <= this.#maxBytes;
  }

  take(bytes: number): boolean {
    const fits = this.fits(bytes);
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

/** Several hands that hold the same bytes, or none of them does. */
export class JointHolding {
  readonly #hands: readonly Holding[];

  constructor(hands: readonly Holding[]) {
    this.#hands = hands;
  }

  take(bytes: number): boolean {
    if (!this.#hands.every((hand) => hand.fits(bytes))) return false;
    for (const hand of this.#hands) hand.take(bytes);
    return true;
  }

  give(bytes: number): void {
    for (const hand of this.#hands) hand.give(bytes);
  }

  /** Called when one of the hands has room again; the others may still be full. */
  onRoom(wake: () => void): void {
    for (const hand of this.#hands) hand.onRoom(wake);
  }
}
