/**
 * The addresses that a node is told to begin with. Whoever answers there tells of everybody else;
 * until somebody does they are tried again, ever more seldom: the others may have started later, or
 * this machine without its network.
 */
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";

export interface BeginningNeeds {
  readonly clock: Clock;
  readonly connections: () => number;
  /** Dials, and never fails. */
  readonly connect: (address: string) => Promise<void>;
}

export class Beginning {
  readonly #needs: BeginningNeeds;
  readonly #addresses: readonly string[];
  #nextMs = -Infinity;
  #pauseMs: number = limits.peers.redialMsMin;

  constructor(needs: BeginningNeeds, addresses: readonly string[]) {
    this.#needs = needs;
    this.#addresses = addresses;
  }

  /** Tries them if it is alone and their time has come; waits for none. */
  step(): void {
    const nowMs = this.#needs.clock.monotonicMs();
    if (this.#needs.connections() > 0) this.#pauseMs = limits.peers.redialMsMin;
    else if (nowMs >= this.#nextMs) this.#try(nowMs);
  }

  #try(nowMs: number): void {
    this.#nextMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, limits.peers.redialMsMax);
    for (const address of this.#addresses) void this.#needs.connect(address);
  }
}
