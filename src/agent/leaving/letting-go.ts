/**
 * The step that lets go of what its owner has owed for, long after it was told: one shard, drawn by
 * chance, and only when this holder has its turn and enough of the others have just proven theirs.
 * It asks the segment's other holders itself; whatever is unknown counts as lost.
 */
import type { Clock } from "../../base/clock.ts";
import type { OwnerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Step } from "../../base/step.ts";
import { isTurn, mayGo } from "../../ledger/sanction.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import type { Lodging, Vault } from "../../vault/vault.ts";
import { type AskNeeds, askHolder } from "../asking/ask.ts";

/** Who owes, and who is to be told that a shard went. */
export interface Creditors {
  overdue(): readonly OwnerId[];
  released(
    owner: OwnerId, shard: { readonly segment: SegmentId; readonly index: number },
  ): Promise<void>;
}

export interface LettingGoNeeds {
  readonly network: PeerNetwork;
  readonly vault: Pick<Vault, "sample" | "letGo">;
  readonly creditors: Creditors;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class LettingGo implements Step {
  readonly name = "letting-go";
  readonly #needs: LettingGoNeeds;
  #lookedMs = -Infinity;

  constructor(needs: LettingGoNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, creditors, random } = this.#needs;
    const isDue = Math.abs(clock.now() - this.#lookedMs) >= limits.ledger.lookEveryMs;
    const overdue = isDue ? creditors.overdue() : [];
    if (isDue) this.#lookedMs = clock.now();
    const owner = overdue[overdue.length === 0 ? 0 : random.below(overdue.length)];
    if (owner !== undefined) await this.#letGoOf(owner, signal);
    return "idle";
  }

  async #letGoOf(owner: OwnerId, signal: AbortSignal): Promise<void> {
    const { vault, clock, random, creditors, log } = this.#needs;
    const sample = await vault.sample(owner, random);
    const nowMs = clock.now();
    // What came after it was told is not what it was told of: it has been here for that long.
    const inTurn = sample.filter(({ index, place, record: { segment, n } }) =>
      nowMs - place.storedAtMs >= limits.ledger.tellMs && isTurn({ segment, index, n }, nowMs));
    const lodging = inTurn[inTurn.length === 0 ? 0 : random.below(inTurn.length)];
    if (lodging === undefined) return;
    const living = await countLiving(this.#needs, lodging, signal);
    const { record: { segment, k, n }, index } = lodging;
    if (!mayGo({ segment, index, k, n }, { living, nowMs: clock.now() })) return;
    await vault.letGo(lodging);
    await creditors.released(owner, { segment, index });
    log.info("agent.let-go", { owner, segment, index, living });
  }
}

/** How many of the segment's other shards were proven by their members just now. */
export async function countLiving(
  needs: AskNeeds, { index: own, record, manifest }: Lodging, signal: AbortSignal,
): Promise<number> {
  const others = [...record.roots.keys()].filter((index) => index !== own);
  const answers = await Promise.all(others.map((index) => {
    const berth = { record, index, peer: memberOfShard(record, index, manifest) };
    return askHolder(needs, berth, { leaves: 1, signal });
  }));
  signal.throwIfAborted();
  return answers.filter((answer) => answer === "right").length;
}
