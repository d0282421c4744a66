/**
 * Buffers of one length, used again: the system zeroes the pages of a fresh one, and V8 collects
 * garbage for every 64 MiB of them. Who takes one owns it until he gives it back; nobody must.
 */
import { assert } from "../errors.ts";

/** Whoever keeps something for speed alone, until he is asked to let go of it. */
export interface Spares {
  clear(): void;
}

/** Of this thread. Those that nobody else holds any more are gone. */
const known = new Set<WeakRef<Spares>>();

/** To be cleared at rest, for as long as their owner holds them. */
export function knowSpares(spares: Spares): void {
  known.add(new WeakRef(spares));
}

/** The next burst of work makes them anew: that costs less than keeping them all the while. */
export function clearSpares(): void {
  for (const reference of known) {
    const spares = reference.deref();
    if (spares === undefined) known.delete(reference);
    else spares.clear();
  }
}

export class BufferPool implements Spares {
  readonly lengthBytes: number;
  readonly #countMax: number;
  readonly #free: Buffer[] = [];

  constructor(options: { readonly lengthBytes: number; readonly countMax: number }) {
    this.lengthBytes = options.lengthBytes;
    this.#countMax = options.countMax;
    knowSpares(this);
  }

  /** Its bytes are anybody's guess. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.lengthBytes);
  }

  /** Nobody else may hold it any more. */
  give(buffer: Buffer): void {
    assert(buffer.length === this.lengthBytes && buffer.buffer.byteLength === this.lengthBytes);
    if (this.#free.length < this.#countMax) this.#free.push(buffer);
  }

  clear(): void {
    this.#free.length = 0;
  }
}
