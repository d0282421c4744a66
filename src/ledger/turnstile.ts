/**
 * How often others may have us look into their books: checking what one of them shows takes a dozen
 * milliseconds, so each peer may come a few times a minute, and all together a bounded number.
 */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

export class Turnstile {
  readonly #clock: Clock;
  readonly #came = new Map<PeerId, number>();
  #minute = 0;
  #all = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  lets(peer: PeerId): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / 60_000);
    if (minute !== this.#minute) {
      this.#came.clear();
      this.#all = 0;
    }
    this.#minute = minute;
    const times = (this.#came.get(peer) ?? 0) + 1;
    const { settlesPerPeerMax, settlesPerMinuteMax } = limits.ledger;
    if (times > settlesPerPeerMax || this.#all >= settlesPerMinuteMax) return false;
    this.#came.set(peer, times);
    this.#all++;
    return true;
  }
}
