/**
 * Levels how full peers are, a seat at a time: where placement finds one that should be another's
 * (placement/standing/balance.ts), the group is signed anew with it, and repair brings its shards
 * over, each copied from who has it and dropped there when the other has acknowledged it. Only a
 * group that lacks nothing is touched, and only by its owner: what members agree on without one is
 * repair.
 */
import type { GroupId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Manifest, Offer } from "../../base/records.ts";
import { inSlices } from "../../base/slices.ts";
import type { Step } from "../../base/step.ts";
import { type SeatLoad, planShift } from "../../placement/standing/balance.ts";
import type { GroupDrift } from "../../transfer/groups/law.ts";
import { isSeated } from "../mending/plan.ts";
import type { DriftNeeds } from "./drift.ts";

export class Balance implements Step {
  readonly name = "balance";
  readonly #needs: DriftNeeds;
  readonly #startMs: number;
  #turn: number | undefined;

  constructor(needs: DriftNeeds) {
    this.#needs = needs;
    this.#startMs = needs.clock.monotonicMs();
  }

  async step(): Promise<"busy" | "idle"> {
    const { clock, health, conduct, log } = this.#needs;
    const turn = Math.floor(clock.now() / limits.agent.balanceEveryMs);
    // Peers still arrive after a start: those who came first would look like all.
    const isSettled = clock.monotonicMs() - this.#startMs >= limits.agent.doubtMs;
    if (turn === this.#turn || !isSettled || !health.seatsOthers()) return "idle";
    this.#turn = turn;
    const offers = this.#offers();
    const shift = planShift(offers, await this.#seats(offers), turn);
    if (shift === undefined) return "idle";
    const { group, from, takers } = shift;
    const others = this.#needs.network.peers().map(({ offer: { peer } }) => peer);
    const barred = others.filter((peer) => !takers.includes(peer));
    const unfit = new Set([...barred, ...conduct.unfit()]);
    const manifest = await health.replaceMembers(group, [from], unfit, { isAsWide: true });
    if (manifest === undefined) return "idle";
    log.info("agent.balance.moves", { group, from, epoch: manifest.epoch });
    return "busy";
  }

  /** Of who is there, may be counted on, and does not leave. */
  #offers(): readonly Offer[] {
    const { network, conduct, notices } = this.#needs;
    const going = new Set([...conduct.unfit(), ...notices?.peers() ?? []]);
    const there = network.peers().filter(({ online, offer }) => online && !going.has(offer.peer));
    return there.map(({ offer }) => offer);
  }

  /** Of the groups that lack nothing. */
  async #seats(offers: readonly Offer[]): Promise<readonly SeatLoad[]> {
    const { health } = this.#needs;
    const there = new Set(offers.map(({ peer }) => peer));
    const settled = health.drifts().filter((drift) => {
      return isSettled(drift, there) && health.isHeard(drift.manifest.group);
    });
    const loads = new Map(settled.map(({ manifest }): [GroupId, Load] => {
      return [manifest.group, { manifest, bytes: 0, isWhole: true }];
    }));
    await inSlices(health.segments(), limits.agent.segmentsPerSlice, (state) => {
      const load = loads.get(state.group);
      if (load === undefined) return;
      load.isWhole &&= isSeated(state, load.manifest);
      load.bytes += state.shardBytes;
    });
    const whole = [...loads.values()].filter(({ isWhole }) => isWhole);
    return whole.flatMap(({ manifest: { group, peers }, bytes }) => {
      return peers.map((peer) => ({ group, peer, bytes }));
    });
  }
}

/** A group in the making of its sum. */
interface Load {
  readonly manifest: Manifest;
  bytes: number;
  isWhole: boolean;
}

/**
 * Nothing else is to be done for the group, all members are there to be copied from, and its policy
 * would not rather have some than others.
 */
function isSettled(
  { manifest, policy, broken, isOfClass, isSigned }: GroupDrift, there: ReadonlySet<PeerId>,
): boolean {
  const isLawful = isOfClass && isSigned && broken.length === 0;
  const isOpen = (policy.preferences ?? []).length === 0;
  return isLawful && isOpen && manifest.peers.every((peer) => there.has(peer));
}
