/**
 * A token bucket: so much at once, so much a second from then on. It may be overdrawn, and its rate
 * may change: what was earned by then stays, as far as it fits.
 */
export interface BucketRate {
  readonly perSecond: number;
  readonly burst: number;
}

export class Bucket {
  #rate: BucketRate;
  #left: number;
  #atMs: number;

  constructor(rate: BucketRate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#atMs = nowMs;
  }

  /** From now on it fills at another rate. */
  turn(rate: BucketRate, nowMs: number): void {
    this.#left = Math.min(this.left(nowMs), rate.burst);
    this.#rate = rate;
  }

  spend(amount: number, nowMs: number): void {
    this.#left = this.left(nowMs) - amount;
  }

  left(nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#left = Math.min(burst, this.#left + passedMs * perSecond / 1000);
    this.#atMs = nowMs;
    return this.#left;
  }

  isFull(nowMs: number): boolean {
    return this.left(nowMs) >= this.#rate.burst;
  }
}
