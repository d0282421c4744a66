/**
 * Back-pressure for writers: room for so many bytes that are not on the peers yet. Whoever finds
 * none waits in order of arrival, is let in as blocks are placed or discarded, and gives up with
 * NoSpace once nobody was let in for a while.
 *
 * Small blocks (directory pages) may use a reserve on top: without it a full drive could not make
 * the commit whose upload is what frees room.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

interface Waiter {
  readonly lengthBytes: number;
  readonly sinceMs: number;
  readonly enter: () => void;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  timer?: Disposable;
}

export class DirtyRoom {
  readonly #clock: Clock;
  readonly #used: () => number;
  readonly #fullWaitMs: number;
  readonly #waiters: Waiter[] = [];
  /** What a writer waited for in vain: until there is room for it, nobody else need wait. */
  #vainBytes: number | undefined;
  /** When somebody who waited was last let in. */
  #movedAtMs = Number.NEGATIVE_INFINITY;
  bytesMax: number;

  constructor(
    needs: { clock: Clock; used: () => number },
    options: { bytesMax: number; fullWaitMs: number },
  ) {
    this.#clock = needs.clock;
    this.#used = needs.used;
    this.bytesMax = options.bytesMax;
    this.#fullWaitMs = options.fullWaitMs;
  }

  /** True when a block of this length may come in now. */
  hasRoom(lengthBytes: number): boolean {
    const small = lengthBytes <= limits.cache.smallBlockBytesMax;
    const reserve = small ? this.bytesMax * limits.cache.reserveShare : 0;
    if (!small && this.#waiters.length > 0) return false;
    return this.#used() + lengthBytes <= this.bytesMax + reserve;
  }

  /** True after a vain wait, for as long as there is no room for what waited. */
  get isExhausted(): boolean {
    if (this.#vainBytes === undefined) return false;
    if (this.#used() + this.#vainBytes <= this.bytesMax) this.#vainBytes = undefined;
    return this.#vainBytes !== undefined;
  }

  /** Waits for its turn; `enter` is called, once, in the moment in which there is room. */
  wait(lengthBytes: number, enter: () => void): Promise<void> {
    const crowded = this.#waiters.length >= limits.cache.waitersMax;
    if (crowded) throw new HiveError("NoSpace", "cache.put", "too many writers wait for room");
    if (this.isExhausted) {
      throw new HiveError("NoSpace", "cache.put", "nothing has made room since the last wait");
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sinceMs = this.#clock.monotonicMs();
    const waiter: Waiter = { lengthBytes, sinceMs, enter, resolve, reject };
    this.#waiters.push(waiter);
    this.#watch(waiter, this.#fullWaitMs);
    return promise;
  }

  /**
   * A queue that moves is as slow as the uplink, and no reason to give up. Nor is a wait in which
   * this process stood still itself, stopped or on a machine that slept: then it begins anew.
   */
  #watch(waiter: Waiter, waitMs: number): void {
    const dueMs = this.#clock.monotonicMs() + waitMs;
    waiter.timer = this.#clock.after(waitMs, () => {
      const isLate = this.#clock.monotonicMs() - dueMs > limits.cache.standstillMs;
      if (isLate) this.#movedAtMs = this.#clock.monotonicMs();
      const movedMs = Math.max(waiter.sinceMs, this.#movedAtMs);
      const leftMs = movedMs + this.#fullWaitMs - this.#clock.monotonicMs();
      if (leftMs > 0) this.#watch(waiter, leftMs);
      else this.#giveUp(waiter);
    });
  }

  #giveUp(waiter: Waiter): void {
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
    this.#vainBytes ??= waiter.lengthBytes;
    waiter.reject(new HiveError("NoSpace", "cache.put", "nothing was placed in time"));
    // A smaller one behind may fit.
    this.wake();
  }

  /** Lets in whoever fits now. */
  wake(): void {
    // Asked before others take the room: it may be room for what waited in vain.
    void this.isExhausted;
    let first = this.#waiters[0];
    while (first !== undefined && this.#used() + first.lengthBytes <= this.bytesMax) {
      this.#waiters.shift();
      this.#movedAtMs = this.#clock.monotonicMs();
      first.timer?.[Symbol.dispose]();
      first.enter();
      first.resolve();
      first = this.#waiters[0];
    }
  }

  /** Turns all away, for the end. */
  refuseAll(reason: HiveError): void {
    for (const { timer, reject } of this.#waiters.splice(0)) {
      timer?.[Symbol.dispose]();
      reject(reason);
    }
  }
}
