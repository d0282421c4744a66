/** A token bucket: so much at once, so much a second from then on. It may be overdrawn. */
export class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #atMs: number;

  constructor(rate: { readonly perSecond: number; readonly burst: number }, nowMs: number) {
    this.#perSecond = rate.perSecond;
    this.#burst = rate.burst;
    this.#left = rate.burst;
    this.#atMs = nowMs;
  }

  spend(amount: number, nowMs: number): void {
    this.#left = this.left(nowMs) - amount;
  }

  left(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#left = Math.min(this.#burst, this.#left + passedMs * this.#perSecond / 1000);
    this.#atMs = nowMs;
    return this.#left;
  }

  isFull(nowMs: number): boolean {
    return this.left(nowMs) >= this.#burst;
  }
}
