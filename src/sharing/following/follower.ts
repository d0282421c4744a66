/**
 * Looks for newer states of one folder with those who keep it, whether whoever made it is there or
 * not: one answer is enough, be it that there is nothing newer, and the next look asks somebody
 * else. While nobody answers it looks less and less often. It believes nothing: what an answer is
 * worth, its caller says by taking it.
 */
import { asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Grant, ShareNetwork } from "../../base/sharing.ts";
import { encodeShareAsk } from "../../crypt/records/share-records.ts";

const { askedPerLookMax, lookMs, restMsMin, restMsMax } = limits.sharing;

export interface FollowerNeeds {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: Pick<PeerNetwork, "peers">;
}

/** Whom it asks. */
export interface Keepers {
  /** Those of whom it is known that they keep it. */
  members(): readonly PeerId[];
  /** Those who kept it at first: they may all be gone. */
  readonly first: readonly PeerId[];
  /** Between two looks, where something changes more seldom than a folder. */
  readonly everyMs?: number;
}

export class Follower {
  readonly #needs: FollowerNeeds;
  readonly #keepers: Keepers;
  trouble: string | null = null;
  nextAtMs = -Infinity;
  #restMs: number = restMsMin;

  constructor(needs: FollowerNeeds, keepers: Keepers) {
    this.#needs = needs;
    this.#keepers = keepers;
  }

  /** True when several of them say that this person is not to have it any more. */
  async look(ask: (peer: PeerId) => Promise<void>): Promise<boolean> {
    const refused: PeerId[] = [];
    let failed = "nobody who keeps it is known";
    for (const peer of this.#askable().slice(0, askedPerLookMax)) {
      try {
        await ask(peer);
        this.#after({ heard: true, trouble: null });
        return false;
      } catch (error) {
        if (!isFault(error)) throw error;
        failed = error.kind === "TooLarge" ? `not taken in: ${error.subject}` : describe(error);
        if (error.kind === "Denied") refused.push(peer);
        this.#needs.log.debug("sharing.look", { peer, why: failed });
      }
    }
    const isShutOut = refused.length > 1;
    const trouble = isShutOut ? "not shared with this person any more" : failed;
    this.#after({ heard: false, trouble });
    return isShutOut;
  }

  /** Nobody is asked just now, and why. */
  rest(why: string): void {
    this.trouble = why;
    this.nextAtMs = this.#needs.clock.monotonicMs() + lookMs;
  }

  #after({ heard, trouble }: { heard: boolean; trouble: string | null }): void {
    const pauseMs = heard ? this.#keepers.everyMs ?? lookMs : this.#restMs;
    this.#restMs = heard ? restMsMin : Math.min(this.#restMs * 2, restMsMax);
    this.trouble = trouble;
    this.nextAtMs = this.#needs.clock.monotonicMs() + pauseMs;
  }

  /** Those online first, in any order: one that missed the newest state is not asked every time. */
  #askable(): readonly PeerId[] {
    const { network, random } = this.#needs;
    const known = this.#keepers.members();
    const online = onlineAmong(network.peers());
    const members = new Set([...known, ...this.#keepers.first]);
    const inOrder = shuffled([...members], random);
    const nearest = inOrder.sort((a, b) => Number(online.has(b)) - Number(online.has(a)));
    // Then whoever is known may know.
    const others = shuffled([...online].filter((peer) => !members.has(peer)), random);
    return known.length === 0 ? [...nearest, ...others] : nearest;
  }
}

interface Newer {
  readonly grant: Pick<Grant, "owner" | "share">;
  readonly known: number;
  readonly peer: PeerId;
}

/** The record that this holder has and that is newer than what is known; undefined for none. */
export async function askNewer(
  network: Pick<ShareNetwork, "share">, { grant: { owner, share }, known, peer }: Newer,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const ask = encodeShareAsk({ owner, share, sequence: known });
  const answer = await network.share(peer, "get", ask, { signal });
  return answer.length === 0 ? undefined : asBuffer(answer);
}

/** The same of what there need not be any of. */
export async function askAnyNewer(
  network: Pick<ShareNetwork, "share">, newer: Newer, signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    return await askNewer(network, newer, signal);
  } catch (error) {
    if (isFault(error, "NotFound")) return undefined;
    throw error;
  }
}

/** Waits for the next look by itself, as the pauses of a loop would make it late; who is due. */
export async function dueOf<T extends { readonly follower: Follower }>(
  all: readonly T[], clock: Clock, signal: AbortSignal,
): Promise<readonly T[]> {
  const restMs = Math.min(...all.map((one) => one.follower.nextAtMs)) - clock.monotonicMs();
  if (restMs > 0) await clock.delay(Math.min(restMs, lookMs), signal);
  return all.filter((one) => one.follower.nextAtMs <= clock.monotonicMs());
}
