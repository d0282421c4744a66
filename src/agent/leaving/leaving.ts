/**
 * This node gives up all its seats while it is still there to be copied from (`hive leave`). It
 * takes in nothing more, and gives notice again and again until the last shard is with somebody
 * else. How that is done stands in giving-up.ts; here is what was ordered, and how far it is.
 *
 * What was begun is on disk and goes on after a restart. Key of the KeyValue:
 *
 *   order   u8 version 1 | varint since | varint shards | varint bytes, both as it began
 */
import type { KeyValue } from "../../base/blocks.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import type { LeaveView } from "../../base/views/peers.ts";
import type { Vault } from "../../vault/vault.ts";
import { Countdown } from "../telling/countdown.ts";
import type { GivingUp } from "./giving-up.ts";
import { type Departure, leaveViewOf, obstaclesOf } from "./leave-view.ts";

export interface LeavingNeeds {
  readonly self: PeerId;
  readonly vault: Pick<Vault, "usage" | "takeIn">;
  readonly givingUp: GivingUp;
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
}

const key = "order";
const version = 1;

export class Leaving implements Step {
  readonly name = "leave";
  readonly #needs: LeavingNeeds;
  readonly #countdown = new Countdown();
  #order: Departure | undefined;
  #toldAtMs = -Infinity;
  #obstacles: readonly string[] = [];

  constructor(needs: LeavingNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    const value = await this.#needs.books.get(key);
    if (value === undefined) return;
    this.#order = decodeOrder(value);
    this.#needs.vault.takeIn(false);
  }

  get isUnderWay(): boolean {
    return this.#order !== undefined;
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
    const { vault, books, clock, log, givingUp } = this.#needs;
    await books.delete(key);
    this.#order = undefined;
    this.#obstacles = [];
    vault.takeIn(true);
    log.info("leave.cancelled");
    const late = new AbortController();
    using _timer = clock.after(limits.leave.cancelMsMax, () => {
      late.abort(new HiveError("TimedOut", "leave.cancel", "some were not told"));
    });
    await givingUp.tell({ untilMs: 0, groups: undefined }, late.signal);
  }

  view(): LeaveView {
    const left = this.#needs.vault.usage();
    const nowMs = this.#needs.clock.monotonicMs();
    return leaveViewOf(this.#order, {
      shards: left.shards, bytes: left.usedBytes,
      leftMs: this.#countdown.leftMs(left.usedBytes, nowMs),
      obstacles: this.#obstacles,
    });
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    if (this.#order === undefined) return "idle";
    const { clock, vault, givingUp, self } = this.#needs;
    const nowMs = clock.monotonicMs();
    this.#countdown.saw(vault.usage().usedBytes, nowMs);
    if (nowMs - this.#toldAtMs >= limits.leave.noticeEveryMs) {
      this.#toldAtMs = nowMs;
      const untilMs = clock.now() + limits.leave.noticeHoldsMs;
      const told = await givingUp.tell({ untilMs, groups: undefined }, signal);
      this.#obstacles = obstaclesOf(told.standings, { ...told, self });
    }
    return await givingUp.handOver(signal) > 0 ? "busy" : "idle";
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
