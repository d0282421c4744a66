/** Back-pressure: a fixed number of seats. Whoever wants in awaits one, in order of arrival. */
import { HiveError, assert } from "./errors.ts";

export class Gate {
  readonly #seats: number;
  readonly #queueMax: number;
  #taken = 0;
  readonly #waiting: { admit: () => void; refuse: (reason: unknown) => void }[] = [];

  constructor(options: { seats: number; queueMax: number }) {
    assert(options.seats >= 1 && options.queueMax >= 0);
    this.#seats = options.seats;
    this.#queueMax = options.queueMax;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a seat; dispose of it to free it. Busy when the queue is full. */
  async enter(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#taken < this.#seats) this.#taken++;
    else await this.#queue(signal);
    return this.#seat();
  }

  #queue(signal?: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#queueMax) throw new HiveError("Busy", "gate.enter", "queue");
    return new Promise((resolve, reject) => {
      const waiter = { admit: done(resolve), refuse: reject };
      const leave = () => {
        const index = this.#waiting.indexOf(waiter);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      function done(act: () => void): () => void {
        return () => {
          signal?.removeEventListener("abort", leave);
          act();
        };
      }
      this.#waiting.push(waiter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #seat(): Disposable {
    let left = false;
    return {
      [Symbol.dispose]: () => {
        if (left) return;
        left = true;
        const next = this.#waiting.shift();
        // The seat passes on without being free in between.
        if (next === undefined) this.#taken--;
        else next.admit();
      },
    };
  }
}
