/**
 * A vault that has more than it may, by a quota that was lowered or a disk that fills, gives up
 * seats until the rest fits: whole groups of an owner's, the least endangered first. They go as
 * those of a leaver do: nothing is dropped here before somebody else has it.
 */
import type { Clock } from "../../base/clock.ts";
import type { GroupId, PeerId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { KnownPeer } from "../../base/network.ts";
import type { Step } from "../../base/step.ts";
import { seatsOf } from "../../guard/log.ts";
import type { Vault } from "../../vault/vault.ts";
import type { GivingUp } from "./giving-up.ts";

/** A group in which this node has a seat, and what lies here for it. */
export interface Burden {
  readonly group: GroupId;
  readonly bytes: number;
  /** Members who are there beyond those without whom it is repaired. */
  readonly spare: number;
}

/** As few as it takes, the safest first, and of equally safe ones the smallest that is enough. */
export function seatsToGive(
  burdens: readonly Burden[], ceilingBytes: number,
): readonly GroupId[] {
  let over = burdens.reduce((sum, { bytes }) => sum + bytes, 0) - ceilingBytes;
  const chosen: GroupId[] = [];
  const left = burdens.filter(({ bytes }) => bytes > 0).sort((a, b) => b.spare - a.spare);
  while (over > 0 && left.length > 0 && chosen.length < limits.leave.groupsMax) {
    const safest = left.filter(({ spare }) => spare === left[0]?.spare);
    const enough = safest.filter(({ bytes }) => bytes >= over).sort((a, b) => a.bytes - b.bytes);
    const largest = [...safest].sort((a, b) => b.bytes - a.bytes);
    const next = (enough[0] ?? largest[0]) as Burden;
    left.splice(left.indexOf(next), 1);
    chosen.push(next.group);
    over -= next.bytes;
  }
  return chosen;
}

export interface SheddingNeeds {
  readonly vault: Pick<Vault, "usage" | "weights" | "shelf" | "measure">;
  readonly givingUp: GivingUp;
  readonly self: PeerId;
  readonly peers: () => readonly KnownPeer[];
  /** Then all goes, and this has nothing to choose. */
  readonly isLeaving: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class Shedding implements Step {
  readonly name = "shed";
  readonly #needs: SheddingNeeds;
  #lookedAtMs = -Infinity;
  /** Somebody was told, and has to be told when it is over. */
  #hasGiven = false;
  #isOver = false;

  constructor(needs: SheddingNeeds) {
    this.#needs = needs;
  }

  /** There is another quota: it is looked at with the next step. */
  lookSoon(): void {
    this.#lookedAtMs = -Infinity;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, vault, givingUp, isLeaving } = this.#needs;
    if (isLeaving()) return "idle";
    if (clock.monotonicMs() - this.#lookedAtMs >= limits.leave.noticeEveryMs) {
      this.#lookedAtMs = clock.monotonicMs();
      await vault.measure();
      await this.#look(signal);
    }
    return this.#isOver && await givingUp.handOver(signal) > 0 ? "busy" : "idle";
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { vault, clock, givingUp, log } = this.#needs;
    const { usedBytes, ceilingBytes } = vault.usage();
    const isOver = usedBytes > ceilingBytes;
    const groups = isOver ? seatsToGive(await this.#burdens(), ceilingBytes) : [];
    const isGiving = groups.length > 0;
    const untilMs = isGiving ? clock.now() + limits.leave.noticeHoldsMs : 0;
    if (isGiving) log.info("vault.sheds", { groups: groups.length, usedBytes, ceilingBytes });
    if (isGiving || this.#hasGiven) await givingUp.tell({ untilMs, groups }, signal);
    this.#hasGiven = isGiving;
    this.#isOver = isOver;
  }

  /** Those that were given away already are not ours to choose: they are on their way. */
  async #burdens(): Promise<readonly Burden[]> {
    const { vault, peers, self } = this.#needs;
    const online = onlineAmong(peers());
    const weights = await vault.weights();
    const mine = (await vault.shelf.all()).filter((standing) => seatsOf(standing).includes(self));
    return mine.map((standing) => {
      const { group, class: { r } } = standing.manifest;
      const there = seatsOf(standing).filter((peer) => online.has(peer)).length;
      return { group, bytes: weights.get(group) ?? 0, spare: there - r };
    });
  }
}
