/**
 * How long to go on asking for the next request before sleeping. A program that works with files
 * asks again within microseconds of its answer; one that thinks in between shall not cost a
 * processor. Pure: it is told the times.
 */
import { limits } from "../../base/limits.ts";

/** A sleep this much longer than our patience would have been worth waiting out: the wake-up. */
const wakeMs = 0.05;
/** Times in a row that waiting was in vain before it stops. */
const vainMax = 2;

export class Patience {
  #vain = vainMax;
  #sleptAtMs = Number.NEGATIVE_INFINITY;

  get us(): number {
    return this.#vain < vainMax ? limits.mount.patienceUs : 0;
  }

  /** A request has come after a sleep: soon enough, and the next may be worth waiting for. */
  woke(atMs: number): void {
    const soonMs = limits.mount.patienceUs / 1000 + wakeMs;
    if (atMs - this.#sleptAtMs < soonMs) this.#vain = 0;
  }

  /** No request came for as long as we were patient. */
  sleeps(atMs: number): void {
    this.#vain = Math.min(this.#vain + 1, vainMax);
    this.#sleptAtMs = atMs;
  }
}
