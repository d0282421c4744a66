/**
 * How many messages there are in the bytes of a stream whose messages have their lengths before
 * them, as varints: one piece may bring a thousand, each to be answered. It looks at lengths alone
 * and keeps nothing; what cannot be a length is the reader's to refuse.
 */

/** So that a length stays exact; a longer one is more than any stream brings. */
const shiftMax = 42;

export class MessageCount {
  /** Of the length that is being read, by now. */
  #length = 0;
  #shift = 0;
  /** Of the message that began. */
  #leftBytes = 0;
  #longestBytes = 0;

  /** Of those that began so far. */
  get longestBytes(): number {
    return this.#longestBytes;
  }

  /** How many begin in these bytes. */
  push(bytes: Uint8Array | Iterable<Uint8Array>): number {
    let count = 0;
    for (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) count += this.#push(piece);
    return count;
  }

  #push(piece: Uint8Array): number {
    let count = 0;
    for (let at = 0; at < piece.length;) {
      const skipped = Math.min(this.#leftBytes, piece.length - at);
      this.#leftBytes -= skipped;
      at += skipped;
      if (at < piece.length && this.#isWhole(piece[at++] as number)) count++;
    }
    return count;
  }

  /** Takes a byte of a length; true with its last. */
  #isWhole(byte: number): boolean {
    this.#length += (byte & 127) * 2 ** this.#shift;
    this.#shift += 7;
    if (byte >= 128 && this.#shift <= shiftMax) return false;
    this.#leftBytes = this.#length;
    this.#longestBytes = Math.max(this.#longestBytes, this.#length);
    this.#length = 0;
    this.#shift = 0;
    return true;
  }
}
