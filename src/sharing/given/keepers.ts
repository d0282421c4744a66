/**
 * Which of the drive's devices does for a folder what one alone has to do: take in what guests
 * write, end what has had its time. It is the one that gave the folder last; where that was not met
 * for long, any other one takes its part. Two that cannot meet may both do it for a while: then
 * what a guest wrote comes in twice, and nothing is lost.
 */
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { GivenTie } from "./given-ties.ts";

const { deviceGoneMs } = limits.sharing;

export interface KeepersNeeds {
  readonly clock: Clock;
  /** This device. */
  readonly self: PeerId;
  /** Whether that device is connected, or can be met otherwise. */
  readonly isThere: (device: PeerId) => boolean;
}

export class Keepers {
  readonly #needs: KeepersNeeds;
  /** When each was met last, or since when it is waited for. */
  readonly #metAtMs = new Map<PeerId, number>();

  constructor(needs: KeepersNeeds) {
    this.#needs = needs;
  }

  isOurs({ keeper }: Pick<GivenTie, "keeper">): boolean {
    return keeper === this.#needs.self;
  }

  /** Asked now and then: how long it is away is counted from the first time. */
  isGone(device: PeerId): boolean {
    const { clock, self, isThere } = this.#needs;
    const nowMs = clock.monotonicMs();
    const isMet = device === self || isThere(device);
    const metAtMs = isMet ? nowMs : this.#metAtMs.get(device) ?? nowMs;
    this.#metAtMs.set(device, metAtMs);
    return nowMs - metAtMs >= deviceGoneMs;
  }
}
