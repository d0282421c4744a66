/**
 * The face of this room: this node's line in both directions, and the brakes on what it would begin
 * by itself. It goes by the user's orders, the hour, and what the system knows of the link; whoever
 * sends or asks for bulk goes through limited-network.ts and limited-host.ts.
 */
import type { Brake } from "../base/brake.ts";
import type { Clock } from "../base/clock.ts";
import type { LineUse } from "../base/courtesy.ts";
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Metered, TrafficOrders } from "../base/traffic.ts";
import type { TrafficStatus } from "../base/views/traffic.ts";
import { type PauseReason, type Verdict, ends, judge } from "./gauge.ts";
import { isChanging, untilNextMinuteMs } from "./hours.ts";
import { Line } from "./line.ts";

export interface TrafficNeeds {
  readonly clock: Clock;
  /** Whether a peer is on this machine or on its local network. */
  readonly isNear: (peer: PeerId) => boolean;
}

export class Traffic implements Disposable, LineUse {
  readonly up: Line;
  readonly down: Line;
  readonly uploads = new HandBrake();
  readonly healing = new HandBrake();
  readonly #needs: TrafficNeeds;
  #orders: TrafficOrders;
  #link: Metered = "unknown";
  #meteredSinceMs = 0;
  #timer: Disposable | undefined;
  #onRelease: () => void = () => {};
  /** Programs' reads that wait for their turn now, and when the last of them had it. */
  readonly #held = { reads: 0, untilMs: -Infinity };
  readonly #wentMs = { read: -Infinity, sent: -Infinity };

  constructor(needs: TrafficNeeds, orders: TrafficOrders) {
    this.#needs = needs;
    this.#orders = orders;
    const { clock } = needs;
    this.up = new Line({ clock, gauge: () => this.#verdict().up });
    this.down = new Line({ clock, gauge: () => this.#verdict().down });
    this.#look();
  }

  /** The user says something else now. */
  obey(orders: TrafficOrders): void {
    this.#orders = orders;
    this.#look();
  }

  /** What the user wants to be done about a metered link. */
  get metered(): TrafficOrders["metered"] {
    return this.#orders.metered;
  }

  linkIs(link: Metered): void {
    if (link === this.#link) return;
    this.#link = link;
    this.#meteredSinceMs = this.#needs.clock.now();
    this.#look();
  }

  /** Whether a peer's bytes count. */
  counts(peer: PeerId): boolean {
    return this.#orders.limitLan || !this.#needs.isNear(peer);
  }

  /** Whether nothing holds back what goes to this peer and comes from it. */
  isFree(peer: PeerId): boolean {
    return !this.counts(peer) || (this.up.isFree && this.down.isFree);
  }

  /** Whether a read of so much would be here before anybody loses patience. */
  mayReadAhead(bytes: number): boolean {
    const { perSecond = Infinity } = this.down.gauge;
    return bytes / perSecond * 1000 <= limits.traffic.aheadMsMax;
  }

  /** A program's read waits for its turn. */
  async held(turn: Promise<void>): Promise<void> {
    this.#held.reads++;
    try {
      await turn;
    } finally {
      this.#held.reads--;
      this.#held.untilMs = this.#needs.clock.monotonicMs();
    }
  }

  /** Whether programs wait for what they read because of a limit, and not of peers. */
  get holdsReads(): boolean {
    const sinceMs = this.#needs.clock.monotonicMs() - this.#held.untilMs;
    return this.#held.reads > 0 || sinceMs < limits.traffic.heldMs;
  }

  /** Bulk is on its way over the line: a program's read, or a shard that is sent. */
  went(how: "read" | "sent"): void {
    this.#wentMs[how] = this.#needs.clock.monotonicMs();
  }

  get isRead(): boolean {
    return this.#isLately(this.#wentMs.read);
  }

  get isSent(): boolean {
    return this.#isLately(this.#wentMs.sent);
  }

  #isLately(atMs: number): boolean {
    return this.#needs.clock.monotonicMs() - atMs < limits.traffic.lineUsedMs;
  }

  /** Called when something may go on. */
  onRelease(act: () => void): void {
    this.#onRelease = act;
  }

  status(): Omit<TrafficStatus, "sentBytes" | "receivedBytes"> {
    const { up, down, uploads } = this.#verdict();
    return {
      paused: uploads === undefined ? null : this.#pauseView(uploads),
      upload: { perSecond: up.perSecond ?? null, isOpen: up.isOpen },
      download: { perSecond: down.perSecond ?? null, isOpen: down.isOpen },
      limitLan: this.#orders.limitLan,
      metered: this.#link,
    };
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.up[Symbol.dispose]();
    this.down[Symbol.dispose]();
  }

  #verdict(): Verdict {
    return judge(this.#orders, this.#link, this.#needs.clock.now());
  }

  #pauseView(reason: PauseReason): NonNullable<TrafficStatus["paused"]> {
    const { pause } = this.#orders;
    const text = (ms: number | null | undefined): string | null => {
      return typeof ms === "number" ? new Date(ms).toISOString() : null;
    };
    const waitsFor = ends[reason];
    switch (reason) {
      case "asked": return { since: text(pause?.sinceMs), until: text(pause?.untilMs), waitsFor };
      case "metered": return { since: text(this.#meteredSinceMs), until: null, waitsFor };
      case "hours": return { since: null, until: null, waitsFor };
    }
  }

  /** Brakes and taps as they have to be now; again when the clock may say otherwise. */
  #look(): void {
    this.#timer?.[Symbol.dispose]();
    const { clock } = this.#needs;
    const { uploads, healing } = this.#verdict();
    const released = [this.uploads.set(uploads), this.healing.set(healing)].includes("released");
    this.up.look();
    this.down.look();
    if (released) this.#onRelease();
    const { pause, upload, download } = this.#orders;
    const untilMs = Math.max(1, (pause?.untilMs ?? Infinity) - clock.now());
    const isLasting = !Number.isFinite(untilMs) && ![upload, download].some(isChanging);
    if (isLasting) return;
    const waitMs = Math.min(untilMs, untilNextMinuteMs(clock.now()));
    this.#timer = clock.after(waitMs, () => this.#look());
  }
}

/** A brake in the hand of whoever decides. */
class HandBrake implements Brake {
  #control = new AbortController();
  #reason: PauseReason | undefined;

  get isOn(): boolean {
    return this.#reason !== undefined;
  }

  get why(): string {
    return this.#reason === undefined ? "" : ends[this.#reason];
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** What that changed. */
  set(reason: PauseReason | undefined): "held" | "released" | "nothing" {
    const wasOn = this.isOn;
    this.#reason = reason;
    if (wasOn === this.isOn) return "nothing";
    if (wasOn) this.#control = new AbortController();
    else this.#control.abort(new HiveError("Interrupted", "traffic", "paused"));
    return wasOn ? "released" : "held";
  }
}
