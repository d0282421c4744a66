/**
 * Buffers of one length, used again: the system zeroes the pages of a fresh one, and V8 collects
 * garbage for every 64 MiB of them. Who takes one owns it until he gives it back; nobody must.
 */
import { assert } from "./errors.ts";

export class BufferPool {
  readonly lengthBytes: number;
  readonly #countMax: number;
  readonly #free: Buffer[] = [];

  constructor(options: { readonly lengthBytes: number; readonly countMax: number }) {
    this.lengthBytes = options.lengthBytes;
    this.#countMax = options.countMax;
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
