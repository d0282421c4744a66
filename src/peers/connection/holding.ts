/**
 * How many bytes of others' this node holds at once, be they requests and answers or what is under
 * way in streams: never over a limit, and shared. The hands of a request lie in each other: of its
 * stream, its peer, that one's part of the internet, its kind, everybody. Of each no more is taken
 * than the next wider one has left: so of many who take all that they can each ends with one share,
 * and there is one more for who comes.
 */

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

  get leftBytes(): number {
    return this.#maxBytes - this.#heldBytes;
  }

  /** A single request always fits an empty hand, so that nobody waits for ever. */
  fits(bytes: number): boolean {
    return this.#heldBytes === 0 || bytes <= this.leftBytes;
  }

  take(bytes: number): void {
    this.#heldBytes += bytes;
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

/** Several hands, from the narrowest to the widest: all hold the same bytes, or none does. */
export class JointHolding {
  readonly #hands: readonly Holding[];

  constructor(hands: readonly Holding[]) {
    this.#hands = hands;
  }

  take(bytes: number): boolean {
    const isRoom = this.#hands.every((hand, at) => {
      const wider = this.#hands[at + 1];
      const isShare = wider === undefined || wider.heldBytes === 0 ||
        hand.heldBytes + bytes <= wider.leftBytes;
      return hand.fits(bytes) && isShare;
    });
    if (isRoom) for (const hand of this.#hands) hand.take(bytes);
    return isRoom;
  }

  give(bytes: number): void {
    for (const hand of this.#hands) hand.give(bytes);
  }

  /** Called when one of the hands has room again; the others may still be full. */
  onRoom(wake: () => void): void {
    for (const hand of this.#hands) hand.onRoom(wake);
  }
}
