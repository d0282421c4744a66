/**
 * How often others may have us look into their books: checking the most that one of them can show
 * takes 50 milliseconds. So each peer may come a few times a minute, each part of the internet some
 * times more, and all together a bounded number.
 */
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Requester } from "../base/network.ts";

export class Turnstile {
  readonly #clock: Clock;
  /** How often in this minute, by key and by address prefix. */
  readonly #came = new Map<string, number>();
  #minute = 0;
  #all = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  lets({ peer, prefix }: Requester): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / 60_000);
    if (minute !== this.#minute) {
      this.#came.clear();
      this.#all = 0;
    }
    this.#minute = minute;
    const { settlesPerPeerMax, settlesPerPrefixMax, settlesPerMinuteMax } = limits.ledger;
    const times = (key: string): number => this.#came.get(key) ?? 0;
    const isMany = times(peer) >= settlesPerPeerMax || this.#all >= settlesPerMinuteMax ||
      // This machine's own peers are counted by key alone.
      (prefix !== undefined && times(prefix) >= settlesPerPrefixMax);
    if (isMany) return false;
    for (const key of [peer, prefix ?? []].flat()) this.#came.set(key, times(key) + 1);
    this.#all++;
    return true;
  }
}
