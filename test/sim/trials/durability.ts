/**
 * What is lost. At lives of 30 days enough is lost to be counted against a Markov chain; at lives
 * of a year nothing should be.
 */
import { dayMs, lossesAYear, yearDays } from "../closed-forms.ts";
import type { Outcome, Scale } from "../figure.ts";
import { World } from "../world.ts";
import { plainWorld, standard } from "./worlds.ts";

/** 138 losses are expected of so many years: one nine's fifth is five standard deviations off. */
const segmentYears = 100_000;
const short = { lifeDays: 30, repairDays: 1 } as const;

export function durability(scale: Scale): Outcome {
  const chain = chainFigure(scale);
  const year = yearFigure(scale);
  return { figures: [...chain, ...year], series: [] };
}

function chainFigure(scale: Scale): Outcome["figures"] {
  scale.tell("durability, lives of 30 days");
  const plain = plainWorld(scale, short.lifeDays);
  const groups = Math.min(plain.groups, Math.ceil(segmentYears / scale.years));
  const repair = { kind: "exponential", ms: short.repairDays * dayMs } as const;
  const world = new World({ ...plain, groups, repair });
  world.run(Math.min(scale.years, segmentYears / groups) * yearDays * dayMs);
  const { losses, groupDays } = world.tally;
  return [{
    name: "durability at lives of 30 days, mended in a day", unit: "nines a segment-year",
    claimed: { is: "about", value: nines(lossesAYear(standard, short)) },
    within: 0.2 / nines(lossesAYear(standard, short)),
    simulated: nines(losses / (groupDays / yearDays)),
    // Losses are few and apart, as Poisson's; of none at all nothing can be said.
    error: losses > 0 ? Math.LOG10E / Math.sqrt(losses) : Infinity,
    note: `${losses} losses in ${Math.round(groupDays / yearDays)} segment-years, within 0.2 nines`,
  }];
}

/** The judge's own delay, and an hour for the work; the chain is given the mean of both. */
function yearFigure(scale: Scale): Outcome["figures"] {
  scale.tell("durability, lives of a year");
  const world = new World({ ...plainWorld(scale, yearDays), verdict: "judge" });
  world.run(scale.years * yearDays * dayMs);
  const { losses, groupDays } = world.tally;
  return [{
    name: "segments lost at lives of a year", unit: "segments",
    claimed: { is: "at most", value: 0 }, simulated: losses,
    note: `in ${Math.round(groupDays / yearDays)} segment-years, by the judge's verdicts`,
  }];
}

function nines(losses: number): number {
  return losses > 0 ? -Math.log10(losses) : Infinity;
}
