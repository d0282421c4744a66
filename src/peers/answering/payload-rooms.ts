/**
 * Rooms for large payloads that come in, used again: V8 answers every 64 MiB of fresh buffers with
 * a collection of the whole heap, which cost half of a holder's time. A room that is not given back
 * is no loss, and when nobody sends any more, all are let go.
 */
import { KiB } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import { BufferPool } from "../../base/machine/pool.ts";

export class PayloadRooms {
  readonly #clock: Clock;
  readonly #pool = new BufferPool({
    lengthBytes: limits.peers.payloadBytesMax, countMax: limits.peers.roomsMax,
  });
  #usedAtMs = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined for what is too small to be worth a room. */
  take(lengthBytes: number): Buffer | undefined {
    if (lengthBytes < pooledBytesMin || lengthBytes > this.#pool.lengthBytes) return undefined;
    this.#usedAtMs = this.#clock.monotonicMs();
    return this.#pool.take().subarray(0, lengthBytes);
  }

  /** Of a payload that nobody holds any more; what is no room is left to the collector. */
  give(payload: Buffer): void {
    if (payload.buffer.byteLength !== this.#pool.lengthBytes) return;
    this.#pool.give(Buffer.from(payload.buffer));
    this.#timer ??= this.#clock.after(limits.peers.roomsRestMs, () => this.#rest());
  }

  #rest(): void {
    this.#timer = undefined;
    const idleMs = this.#clock.monotonicMs() - this.#usedAtMs;
    if (idleMs >= limits.peers.roomsRestMs) this.#pool.clear();
    else this.#timer = this.#clock.after(limits.peers.roomsRestMs, () => this.#rest());
  }
}

/** Below, a fresh buffer costs less than half a wasted MiB. */
const pooledBytesMin = 512 * KiB;
