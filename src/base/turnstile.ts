/**
 * How often others may have this node do what costs it much: each peer so often in a minute, each
 * part of the internet some times more, and all together a bounded number. What costs more counts
 * for more.
 */
import type { Clock } from "./clock.ts";
import type { Requester } from "./network.ts";

export interface TurnstileOptions {
  readonly perPeerMax: number;
  readonly perPrefixMax: number;
  readonly perMinuteMax: number;
}

export class Turnstile {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #options: TurnstileOptions;
  /** How often in this minute, by key and by address prefix. */
  readonly #came = new Map<string, number>();
  #minute = 0;
  #all = 0;

  constructor(clock: Pick<Clock, "monotonicMs">, options: TurnstileOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  lets({ peer, prefix }: Requester, weight = 1): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / 60_000);
    if (minute !== this.#minute) {
      this.#came.clear();
      this.#all = 0;
    }
    this.#minute = minute;
    const { perPeerMax, perPrefixMax, perMinuteMax } = this.#options;
    const times = (key: string): number => this.#came.get(key) ?? 0;
    const isMany = times(peer) >= perPeerMax || this.#all >= perMinuteMax ||
      // This machine's own peers are counted by key alone.
      (prefix !== undefined && times(prefix) >= perPrefixMax);
    if (isMany) return false;
    for (const key of [peer, prefix ?? []].flat()) this.#came.set(key, times(key) + weight);
    this.#all += weight;
    return true;
  }
}
