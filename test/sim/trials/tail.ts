/**
 * A tenth of all dies at once: the judge has to see it, and the planner to mend it, before more
 * can go wrong with what is in danger then.
 */
import { yearDays } from "../closed-forms.ts";
import { Dice } from "../dice.ts";
import type { Outcome, Scale, Series } from "../figure.ts";
import { hourMs } from "../lives.ts";
import { aged, plainWorld, standard } from "./worlds.ts";

/** Of a segment in danger: shards left beyond k, at most. */
const spareMax = 4;
const watchedHours = 96;

export function tail(scale: Scale): Outcome {
  scale.tell("a tenth of all at once, and repair");
  const world = aged({ ...plainWorld(scale, yearDays), verdict: "judge" });
  const dice = new Dice(`${scale.seed}/tenth`);
  world.strike(() => dice.unit() < 0.1);
  const groups = Array.from({ length: world.groups.count }, (_, group) => group);
  const livingMax = standard.k + spareMax;
  let left = groups.filter((group) => (world.groups.living[group] as number) <= livingMax);
  const endangered = left.length;
  const points: [number, number][] = [[0, left.length]];
  const startMs = world.nowMs;
  for (let hour = 1; hour <= watchedHours && left.length > 0; hour++) {
    world.run(startMs + hour * hourMs);
    left = left.filter((group) => (world.groups.living[group] as number) <= standard.r);
    points.push([hour, left.length]);
  }
  return { figures: [tailFigure(points, endangered)], series: [tailSeries(points)] };
}

function tailFigure(points: readonly (readonly [number, number])[], endangered: number) {
  const [hours, left] = points.at(-1) as readonly [number, number];
  return {
    name: "until what is in danger after a loss of a tenth is safe", unit: "hours",
    claimed: { is: "at most", value: 12 } as const, simulated: left > 0 ? Infinity : hours,
    error: endangered > 0 ? 0 : Infinity,
    note: `${endangered} segments with k + ${spareMax} shards or fewer; an hour for each repair`,
  };
}

function tailSeries(points: readonly (readonly [number, number])[]): Series {
  return {
    name: "tail", x: "hours after a tenth died", y: "segments in danger",
    lines: [{ name: "in danger", points }],
  };
}
