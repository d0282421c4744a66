/**
 * What is lost. At lives of 30 days enough is lost to be counted against a Markov chain; at lives
 * of a year nothing should be, in however many years.
 */
import { dayMs, lossesAYear, yearDays } from "../closed-forms.ts";
import type { Outcome, Scale } from "../figure.ts";
import { World } from "../world.ts";
import { plainWorld, standard } from "./worlds.ts";

/** 138 losses are expected of so many years: one nine's fifth is five standard deviations off. */
const segmentYears = 100_000;
const short = { lifeDays: 30, repairDays: 1 } as const;

/** So many times the years of all else: ten million of segments where there are a million peers. */
const longer = 40;

export function durability(scale: Scale): Outcome {
  scale.tell("durability, lives of 30 days");
  const plain = plainWorld(scale, short.lifeDays);
  const groups = Math.min(plain.groups, Math.ceil(segmentYears / scale.years));
  const repair = { kind: "exponential", ms: short.repairDays * dayMs } as const;
  const world = new World({ ...plain, groups, repair });
  world.run(Math.min(scale.years, segmentYears / groups) * yearDays * dayMs);
  const { losses: lost, groupDays } = world.tally;
  return {
    figures: [{
      name: "durability at lives of 30 days, mended in a day", unit: "nines a segment-year",
      claimed: { is: "about", value: nines(lossesAYear(standard, short)) },
      within: 0.2 / nines(lossesAYear(standard, short)),
      simulated: nines(lost / (groupDays / yearDays)),
      // Losses are few and apart, as Poisson's; of none at all nothing can be said.
      error: lost > 0 ? Math.LOG10E / Math.sqrt(lost) : Infinity,
      note: `${lost} losses in ${Math.round(groupDays / yearDays)} segment-years, within 0.2 nines`,
    }],
    series: [],
  };
}

/** The judge's own delay, and an hour for the work; the chain is given the mean of both. */
export function losses(scale: Scale): Outcome {
  const world = new World({ ...plainWorld(scale, yearDays), verdict: "judge" });
  for (let year = 1; year <= Math.ceil(longer * scale.years); year++) {
    scale.tell(`losses, lives of a year, year ${year}`);
    world.run(year * yearDays * dayMs);
  }
  const { losses: lost, groupDays } = world.tally;
  return {
    figures: [{
      name: "segments lost at lives of a year", unit: "segments",
      claimed: { is: "at most", value: 0 }, simulated: lost,
      note: `in ${Math.round(groupDays / yearDays)} segment-years, by the judge's verdicts`,
    }],
    series: [],
  };
}

function nines(losses: number): number {
  return losses > 0 ? -Math.log10(losses) : Infinity;
}
