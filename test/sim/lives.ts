/**
 * How long machines stay and when they are there, as the simulated world has it. These are not the
 * habits that proofs/posterior.ts believes in: it is to judge peers that it was not made from.
 */
import type { Dice } from "./dice.ts";
import { dayMs } from "./closed-forms.ts";

export const hourMs = dayMs / 24;

/** From birth to the last hour. */
export type Life =
  | { readonly kind: "exponential"; readonly meanDays: number }
  /** A power's tail: most go soon, and who has stayed will stay. */
  | { readonly kind: "pareto"; readonly shape: number; readonly leastDays: number }
  /** With a shape below 1 the young die first. */
  | { readonly kind: "weibull"; readonly shape: number; readonly scaleDays: number };

const ways = ["always", "server", "night", "office", "fitful", "weeks"] as const;
export type Way = (typeof ways)[number];

/** A kind of peer: its share of all, how long it lives, and when it is there. */
export interface Kind {
  readonly share: number;
  readonly life: Life;
  readonly way: Way;
}

/** Peers that are there until they die: the world of the closed forms. */
export function exponentialLives(meanDays: number): readonly Kind[] {
  return [{ share: 1, life: { kind: "exponential", meanDays }, way: "always" }];
}

/** Heavy tails, nights, holidays: made up, of the kind that studies of home machines report. */
export const mixedLives: readonly Kind[] = [
  { share: 0.3, way: "server", life: { kind: "exponential", meanDays: 700 } },
  { share: 0.42, way: "night", life: { kind: "weibull", shape: 0.6, scaleDays: 300 } },
  { share: 0.2, way: "office", life: { kind: "exponential", meanDays: 450 } },
  { share: 0.06, way: "fitful", life: { kind: "pareto", shape: 1.5, leastDays: 40 } },
  { share: 0.02, way: "weeks", life: { kind: "pareto", shape: 1.5, leastDays: 60 } },
];

export function lifeTimeMs(life: Life, dice: Dice): number {
  const rest = 1 - dice.unit();
  switch (life.kind) {
    case "exponential":
      return -Math.log(rest) * life.meanDays * dayMs;
    case "pareto":
      return life.leastDays * rest ** (-1 / life.shape) * dayMs;
    case "weibull":
      return life.scaleDays * (-Math.log(rest)) ** (1 / life.shape) * dayMs;
  }
}

/** Lives drawn at once, of which one that is under way is chosen, the long ones more often. */
const livesAtHand = 256;

/** What is left of the life of somebody met at a random moment. */
export function restOfLifeMs(life: Life, dice: Dice): number {
  // It has no memory: whoever is met has all of a life before him.
  if (life.kind === "exponential") return lifeTimeMs(life, dice);
  const lives = Array.from({ length: livesAtHand }, () => lifeTimeMs(life, dice));
  let point = dice.unit() * lives.reduce((sum, ms) => sum + ms, 0);
  const met = lives.find((ms) => (point -= ms) < 0) ?? (lives[0] as number);
  return dice.unit() * met;
}

/** A night or a weekend becomes a holiday so often: three times in two years. */
const holidayShare = 1.5 / 365;

/** When a peer that came just now goes again, if it does not die before. */
export function leavesAtMs(way: Way, nowMs: number, shiftMs: number, dice: Dice): number {
  switch (way) {
    case "always":
      return Infinity;
    case "server":
      return nowMs + dice.exponential(14 * dayMs);
    case "night":
      return hourAfter(nowMs, shiftMs, 23 + 0.75 * dice.normal());
    case "office":
      return hourAfter(nowMs, shiftMs, 17.5 + 0.75 * dice.normal());
    case "fitful":
      return nowMs + dice.exponential(8 * hourMs);
    case "weeks":
      return nowMs + dice.exponential(14 * dayMs);
  }
}

/** When a peer that went just now is back. */
export function returnsAtMs(way: Way, nowMs: number, shiftMs: number, dice: Dice): number {
  switch (way) {
    case "always":
      return nowMs;
    case "server":
      return nowMs + dice.lognormal(hourMs / 6, 1.2);
    case "night":
      return hourAfter(nowMs + holidayMs(dice), shiftMs, 7.5 + 0.75 * dice.normal());
    case "office":
      return workdayAfter(nowMs + holidayMs(dice), shiftMs, 9 + 0.5 * dice.normal());
    case "fitful":
      return nowMs + dice.lognormal(2 * dayMs, 0.7);
    case "weeks":
      return nowMs + dice.lognormal(6 * dayMs, 0.5);
  }
}

function holidayMs(dice: Dice): number {
  return dice.unit() < holidayShare ? dice.lognormal(8 * dayMs, 0.5) : 0;
}

/** The next time that clocks of that place show this hour, at least an hour from now. */
function hourAfter(nowMs: number, shiftMs: number, hour: number): number {
  const leastMs = nowMs + hourMs + shiftMs;
  const today = Math.floor(leastMs / dayMs) * dayMs + hour * hourMs;
  const local = today >= leastMs ? today : today + dayMs;
  // An hour before midnight may be drawn for the day before.
  return Math.max(local - shiftMs, nowMs + hourMs);
}

function workdayAfter(nowMs: number, shiftMs: number, hour: number): number {
  const atMs = hourAfter(nowMs, shiftMs, hour);
  const weekday = Math.floor((atMs + shiftMs) / dayMs) % 7;
  // The simulation begins on a Monday.
  const rest = weekday < 5 ? 0 : 7 - weekday;
  return atMs + rest * dayMs;
}
