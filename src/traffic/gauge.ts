/**
 * What the user's orders, the hour and the link come to: how far the tap is open in each direction,
 * and what is paused. Pure.
 */
import type { Metered, Timetable, TrafficOrders } from "../base/traffic.ts";
import { perSecondAt } from "./hours.ts";
import type { Gauge } from "./turns.ts";

/** Why a node begins no bulk by itself; the words say what ends it. */
export const ends = {
  asked: "hive resume",
  metered: "a link that is not metered",
  hours: "hours in which it may send",
} as const;
export type PauseReason = keyof typeof ends;

export interface Verdict {
  readonly up: Gauge;
  readonly down: Gauge;
  /** Undefined while uploads may go on. */
  readonly uploads: PauseReason | undefined;
  /** The same of repair and moves, which need both directions. */
  readonly healing: PauseReason | undefined;
}

export function judge(orders: TrafficOrders, link: Metered, nowMs: number): Verdict {
  const isMetered = link === "yes" && orders.metered !== "ignore";
  const isHeld = isMetered && orders.metered === "pause";
  const most = isMetered && typeof orders.metered === "number" ? orders.metered : null;
  const up = gaugeOf(orders.upload, { most, isHeld, nowMs });
  const down = gaugeOf(orders.download, { most, isHeld, nowMs });
  const held = isPaused(orders, nowMs) ? "asked" : isHeld ? "metered" : undefined;
  const uploads = held ?? (up.isOpen ? undefined : "hours");
  const healing = uploads ?? (down.isOpen ? undefined : "hours");
  return { up, down, uploads, healing };
}

/** A pause whose time is over is none. */
function isPaused({ pause }: Pick<TrafficOrders, "pause">, nowMs: number): boolean {
  return pause !== null && (pause.untilMs === null || nowMs < pause.untilMs);
}

/** Of nothing a program still gets what it reads: it would take the drive for broken. */
function gaugeOf(
  timetable: Timetable,
  { most, isHeld, nowMs }: {
    readonly most: number | null; readonly isHeld: boolean; readonly nowMs: number;
  },
): Gauge {
  const perSecond = Math.min(perSecondAt(timetable, nowMs) ?? Infinity, most ?? Infinity);
  const isLimited = perSecond > 0 && perSecond < Infinity;
  return { perSecond: isLimited ? perSecond : undefined, isOpen: perSecond > 0 && !isHeld };
}
