/**
 * A record on its way to all who are to keep it: each is told once, and who was away is told again
 * a little later. A newer record takes its place with everybody.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";

const { tellAgainMs } = limits.sharing;

export interface TellingNeeds {
  readonly clock: Clock;
  readonly log: Log;
}

export class Telling {
  readonly #needs: TellingNeeds;
  readonly #told = new Set<PeerId>();
  #record: Uint8Array | undefined;
  #toldAtMs = -Infinity;

  constructor(needs: TellingNeeds) {
    this.#needs = needs;
  }

  begin(record: Uint8Array): void {
    this.#record = record;
    this.#told.clear();
    this.#toldAtMs = -Infinity;
  }

  /** To those who missed it, at once. */
  again(): void {
    this.#toldAtMs = -Infinity;
  }

  has(peer: PeerId): boolean {
    return this.#told.has(peer);
  }

  /** There is a record that it has not. */
  isMissedBy(peer: PeerId): boolean {
    return this.#record !== undefined && !this.#told.has(peer);
  }

  async tell(
    peers: readonly PeerId[], put: (peer: PeerId, record: Uint8Array) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    const record = this.#record;
    const { clock, log } = this.#needs;
    if (record === undefined || clock.monotonicMs() - this.#toldAtMs < tellAgainMs) return;
    this.#toldAtMs = clock.monotonicMs();
    const untold = peers.filter((peer) => !this.#told.has(peer));
    await Promise.all(untold.map(async (peer) => {
      try {
        await put(peer, record);
        if (this.#record === record) this.#told.add(peer);
      } catch (error) {
        if (!isFault(error)) throw error;
        log.debug("sharing.missed", { peer, why: describe(error) });
      }
    }));
    if (signal.aborted) this.#toldAtMs = -Infinity;
  }
}
