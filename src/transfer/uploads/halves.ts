/**
 * Segments that a crash, a pause or silent members left half-placed. Their blocks make the same
 * shards again, so they are finished before anything else is begun; if a block is gone since,
 * nothing names the segment, and its holders may forget it.
 */
import { isFault } from "../../base/errors.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { HalfPlaced } from "../books.ts";
import type { Doubt } from "../doubt.ts";
import type { CodedSegment } from "../segments/segment.ts";
import { tellAbandoned } from "./abandon.ts";
import { withFound } from "./found.ts";
import { groupFor } from "./lanes.ts";
import type { Sending, SendingNeeds } from "./sending.ts";

export interface HalvesNeeds extends SendingNeeds {
  readonly network: PeerNetwork;
  readonly random: Random;
  readonly sending: Sending;
  readonly doubt: Pick<Doubt, "isOn">;
  /** One was given up: blocks of it that are still wanted come again with the next round. */
  readonly abandoned: () => void;
}

export class Halves {
  readonly #needs: HalvesNeeds;

  constructor(needs: HalvesNeeds) {
    this.#needs = needs;
  }

  /** How many remain unfinished. */
  async finish(signal: AbortSignal): Promise<number> {
    let left = 0;
    for (const half of await this.#needs.segments.halfPlaced()) {
      signal.throwIfAborted();
      if (!(await this.#finishOne(half, signal))) left++;
    }
    return left;
  }

  async #finishOne(half: HalfPlaced, signal: AbortSignal): Promise<boolean> {
    if (!this.#mayCode(half)) return false;
    const { groups } = this.#needs;
    const manifest = groups.get(half.record.group);
    const isLawful = manifest === undefined || groups.law.isLawful(manifest);
    const coded = await this.#codeAgain(half);
    if (coded !== undefined && !isLawful) {
      if (!(await this.#hasOtherGroup(half))) return false;
    } else if (coded !== undefined) {
      const state = await withFound(this.#needs, half, { shards: coded.shards, signal });
      if (await this.#needs.sending.place({ ...half, state }, coded, signal)) return true;
      // A group whose members are gone must not keep from the others what another group can take.
      if (!(await this.#hasOtherGroup(half))) return false;
    }
    await this.#abandon(half);
    return true;
  }

  /** The policy may have changed since it was begun. */
  #mayCode({ record }: HalfPlaced): boolean {
    const manifest = this.#needs.groups.get(record.group);
    return manifest === undefined || this.#needs.groups.law.mayHere("encode", manifest);
  }

  async #hasOtherGroup({ record }: HalfPlaced): Promise<boolean> {
    const { groups } = this.#needs;
    const next = await groupFor({ name: groups.nameOf(record.group), waiting: undefined }, groups);
    return next !== undefined && next.group !== record.group;
  }

  /** The shards as they were; undefined when a block of them is gone. */
  async #codeAgain({ record, blocks }: HalfPlaced): Promise<CodedSegment | undefined> {
    const { k, n, shardBytes } = record;
    try {
      const coded = await this.#needs.sending.code({ k, shardBytes, blocks }, n);
      const same = coded.roots.every((root, index) => root === record.roots[index]);
      return same ? coded : undefined;
    } catch (error) {
      if (isFault(error, "NotFound", "Stale", "Corrupt")) return undefined;
      throw error;
    }
  }

  /** Nothing names this segment and nothing will: its holders may forget it. */
  async #abandon(half: HalfPlaced): Promise<void> {
    this.#needs.abandoned();
    // Unless it was placed, and it is the books that have forgotten it.
    if (this.#needs.doubt.isOn) return;
    await tellAbandoned(this.#needs, half);
    await this.#needs.segments.forget(half.record.segment);
  }
}
