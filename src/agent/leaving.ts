/**
 * This node gives up its seats while it is still there to be copied from (`hive leave`). It takes
 * in nothing more and tells the owners of what it keeps, and its fellows in their groups, until the
 * last shard is with somebody else. It drops none by itself but one of which it has just seen that
 * the member who has the seat now can prove it; all others its owner has it drop.
 *
 * What was begun is on disk and goes on after a restart. Key of the KeyValue:
 *
 *   order   u8 version 1 | varint since | varint shards | varint bytes, both as it began
 */
import type { KeyValue } from "../base/blocks.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { GuardNetwork } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import type { LeaveView } from "../base/views.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import { encodeNotice } from "../guard/messages.ts";
import type { Notice, Notices } from "../guard/notices.ts";
import type { PassedOn, Vault } from "../vault/vault.ts";
import { askHolder } from "./audit.ts";
import { type Departure, LeavePace, leaveViewOf, obstaclesOf } from "./leave-view.ts";

export interface LeavingNeeds {
  readonly network: PeerNetwork & GuardNetwork;
  readonly vault: Pick<Vault, "usage" | "takeIn" | "passedOn" | "letGo" | "shelf">;
  readonly notices: Notices;
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const key = "order";
const version = 1;

export class Leaving implements Step {
  readonly name = "leave";
  readonly #needs: LeavingNeeds;
  readonly #tells: Gate;
  readonly #pace = new LeavePace();
  #order: Departure | undefined;
  #toldAtMs = -Infinity;
  #obstacles: readonly string[] = [];

  constructor(needs: LeavingNeeds) {
    this.#needs = needs;
    const { tellsAtOnce, noticesMax } = limits.leave;
    this.#tells = new Gate({ seats: tellsAtOnce, queueMax: noticesMax });
  }

  async open(): Promise<void> {
    const value = await this.#needs.books.get(key);
    if (value === undefined) return;
    this.#order = decodeOrder(value);
    this.#needs.vault.takeIn(false);
  }

  /** Again and again it goes on with what was begun. */
  async begin(): Promise<void> {
    if (this.#order !== undefined) return;
    const { vault, clock, books, log } = this.#needs;
    const { shards, usedBytes } = vault.usage();
    const order = { sinceMs: clock.now(), shards, bytes: usedBytes };
    await books.put(key, encodeOrder(order));
    this.#order = order;
    vault.takeIn(false);
    this.#toldAtMs = -Infinity;
    log.info("leave.begun", { shards, bytes: usedBytes });
  }

  /** What has gone stays gone. */
  async cancel(): Promise<void> {
    if (this.#order === undefined) return;
    const { vault, books, clock, log } = this.#needs;
    await books.delete(key);
    this.#order = undefined;
    this.#obstacles = [];
    vault.takeIn(true);
    log.info("leave.cancelled");
    const late = new AbortController();
    using _timer = clock.after(limits.leave.cancelMsMax, () => {
      late.abort(new HiveError("TimedOut", "leave.cancel", "some were not told"));
    });
    await this.#tell({ untilMs: 0, groups: undefined }, late.signal);
  }

  view(): LeaveView {
    const left = this.#needs.vault.usage();
    const nowMs = this.#needs.clock.monotonicMs();
    return leaveViewOf(this.#order, {
      shards: left.shards, bytes: left.usedBytes, leftMs: this.#pace.leftMs(left.usedBytes, nowMs),
      obstacles: this.#obstacles,
    });
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    if (this.#order === undefined) return "idle";
    const { clock, vault } = this.#needs;
    const nowMs = clock.monotonicMs();
    this.#pace.saw(vault.usage().usedBytes, nowMs);
    if (nowMs - this.#toldAtMs >= limits.leave.noticeEveryMs) {
      this.#toldAtMs = nowMs;
      const untilMs = clock.now() + limits.leave.noticeHoldsMs;
      await this.#tell({ untilMs, groups: undefined }, signal);
    }
    return await this.#handOver(signal) > 0 ? "busy" : "idle";
  }

  /** Fellows and owners who are there; who misses it hears it the next time. */
  async #tell(notice: Notice, signal: AbortSignal): Promise<void> {
    const { network, notices, vault } = this.#needs;
    const standings = await vault.shelf.all();
    notices.hear(network.self, notice);
    const known = network.peers();
    const online = new Set(known.filter((peer) => peer.online).map(({ offer }) => offer.peer));
    const devices = await this.#devicesOf(standings);
    this.#obstacles = obstaclesOf(standings, { online, devices, self: network.self });
    const asked = new Set([...standings.flatMap(seatsOf), ...devices.values()]);
    const there = [...asked].filter((peer) => online.has(peer)).slice(0, limits.leave.noticesMax);
    const payload = encodeNotice(notice);
    await Promise.all(there.map((peer) => this.#tellOne(peer, payload, signal)));
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

  async #devicesOf(standings: readonly Standing[]): Promise<ReadonlyMap<string, PeerId>> {
    const devices = new Map<string, PeerId>();
    for (const owner of new Set(standings.map(({ manifest }) => manifest.owner))) {
      const device = await this.#needs.vault.shelf.deviceOf(owner);
      if (device !== undefined) devices.set(owner, device);
    }
    return devices;
  }

  /** Drops what fellows gave to another meanwhile, once that one has proven it. */
  async #handOver(signal: AbortSignal): Promise<number> {
    const { vault, log } = this.#needs;
    const some: PassedOn[] = [];
    for await (const one of vault.passedOn()) {
      some.push(one);
      if (some.length === limits.leave.handoversPerStep) break;
    }
    let gone = 0;
    for (const one of some) {
      const { record, index, peer } = one;
      const options = { leaves: limits.agent.leavesPerShard, signal };
      if (await askHolder(this.#needs, { record, index, peer }, options) !== "right") continue;
      await vault.letGo(one);
      gone++;
    }
    if (gone > 0) log.info("leave.passed-on", { shards: gone });
    return gone;
  }
}

export function encodeOrder({ sinceMs, shards, bytes }: Departure): Uint8Array {
  return new Writer(32).u8(version).varint(sinceMs).varint(shards).varint(bytes).finish();
}

export function decodeOrder(value: Uint8Array): Departure {
  const reader = new Reader(value, "agent.leave");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const [sinceMs, shards, bytes] = [reader.varint(), reader.varint(), reader.varint()];
  reader.end();
  return { sinceMs, shards, bytes };
}
