/**
 * How a node gives up seats while it is there to be copied from: it tells those whom it concerns,
 * and drops what they passed on without an owner, once the new holder has proven it. What its
 * owners moved they have it drop themselves. Which seats, others decide.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { GuardNetwork } from "../../base/guard.ts";
import type { PeerId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import { type Standing, seatsOf } from "../../guard/log.ts";
import { encodeNotice } from "../../guard/messages.ts";
import type { Notice, Notices } from "../../guard/notices.ts";
import type { PassedOn, Reached, Vault } from "../../vault/vault.ts";
import { askHolder } from "../asking/ask.ts";

export interface GivingUpNeeds {
  readonly network: PeerNetwork & GuardNetwork;
  readonly vault: Pick<Vault, "passedOn" | "letGo" | "shelf">;
  readonly notices: Notices;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Whom it found there, of those that it told. */
export interface Told {
  readonly standings: readonly Standing[];
  readonly online: ReadonlySet<PeerId>;
  /** The owners' machines. */
  readonly devices: ReadonlyMap<string, ReadonlySet<PeerId>>;
}

export class GivingUp {
  readonly #needs: GivingUpNeeds;
  readonly #tells: Gate;
  /** How far what was passed on was gone through; undefined for its beginning. */
  #reached: Reached | undefined;

  constructor(needs: GivingUpNeeds) {
    this.#needs = needs;
    const { tellsAtOnce, noticesMax } = limits.leave;
    this.#tells = new Gate({ seats: tellsAtOnce, queueMax: noticesMax });
  }

  /** Fellows and owners who are there; who misses it hears it the next time. */
  async tell(notice: Notice, signal: AbortSignal): Promise<Told> {
    const { network, notices, vault } = this.#needs;
    const standings = await vault.shelf.all();
    notices.hear(network.self, notice);
    const online = onlineAmong(network.peers());
    const devices = await this.#devicesOf(standings);
    const owners = [...devices.values()].flatMap((own) => [...own]);
    const asked = new Set([...standings.flatMap(seatsOf), ...owners]);
    const there = [...asked].filter((peer) => online.has(peer)).slice(0, limits.leave.noticesMax);
    const payload = encodeNotice(notice);
    await Promise.all(there.map((peer) => this.#tellOne(peer, payload, signal)));
    return { standings, online, devices };
  }

  async #tellOne(peer: PeerId, payload: Uint8Array, signal: AbortSignal): Promise<void> {
    const { network, log } = this.#needs;
    try {
      using _seat = await this.#tells.enter(signal);
      await network.guard(peer, "notice", payload, { signal });
    } catch (error) {
      if (!isFault(error)) throw error;
      log.debug("leave.untold", { peer, why: describe(error) });
    }
  }

  async #devicesOf(
    standings: readonly Standing[],
  ): Promise<ReadonlyMap<string, ReadonlySet<PeerId>>> {
    const devices = new Map<string, ReadonlySet<PeerId>>();
    for (const owner of new Set(standings.map(({ manifest }) => manifest.owner))) {
      devices.set(owner, await this.#needs.vault.shelf.devicesOf(owner));
    }
    return devices;
  }

  /** Drops what fellows gave to another meanwhile, once that one has proven it. */
  async handOver(signal: AbortSignal): Promise<number> {
    const { vault, log } = this.#needs;
    let gone = 0;
    for (const one of await this.#some()) {
      const { record, index, peer } = one;
      const options = { leaves: limits.agent.leavesPerShard, signal };
      if (await askHolder(this.#needs, { record, index, peer }, options) !== "right") continue;
      await vault.letGo(one);
      gone++;
    }
    if (gone > 0) log.info("leave.passed-on", { shards: gone });
    return gone;
  }

  /** The next few, in turns: what nobody proves yet must not stand before what somebody does. */
  async #some(): Promise<readonly PassedOn[]> {
    const some: PassedOn[] = [];
    for await (const one of this.#needs.vault.passedOn(this.#reached)) {
      some.push(one);
      if (some.length === limits.leave.handoversPerStep) break;
    }
    const isMore = some.length === limits.leave.handoversPerStep;
    this.#reached = isMore ? some.at(-1)?.record : undefined;
    return some;
  }
}
