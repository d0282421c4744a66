/**
 * What repair moves. Where lives are exponential, against the formula; where they are mixed, with
 * nights and holidays, against an oracle that knows at once who is dead and waits for all others.
 */
import { dayMs, eagerShare, repairShare, yearDays } from "../closed-forms.ts";
import type { Figure, Outcome, Scale, Series } from "../figure.ts";
import { mixedLives } from "../lives.ts";
import { meanOf } from "../statistics.ts";
import type { Tally } from "../tally.ts";
import { World, type WorldPlan } from "../world.ts";
import { movedShare, plainWorld, standard } from "./worlds.ts";

const lifeDays = 365;
/** The judge of a mixed world learns for so long. */
const learnDays = 60;
const stepDays = 10;

/** Lazy as the formula has it and the agent does it, and what it would cost otherwise. */
export function traffic(scale: Scale): Outcome {
  scale.tell("repair traffic, exponential lives");
  const formula = repairShare(standard, lifeDays);
  const lazy = watch(plainWorld(scale, lifeDays), scale.years * yearDays);
  // A seat at a time takes ten times the events: fewer nodes, and a quarter of the time.
  const few = { ...scale, nodes: Math.min(scale.nodes, 20_000) };
  const eager = watch(
    { ...plainWorld(few, lifeDays), isPatient: false }, (scale.years * yearDays) / 4,
  );
  const unit = "of the user's bytes a month";
  return {
    figures: [{
      name: "repair traffic, one-year lives", unit, within: 0.1,
      claimed: { is: "about", value: formula }, simulated: movedShare(lazy.tally, lazy.tally.moved),
      error: meanOf(lazy.line.map(([, share]) => share)) / Math.sqrt(lazy.tally.deaths),
    }, {
      name: "the same, if each shard were made at once and alone", unit, within: 0.1,
      claimed: { is: "about", value: eagerShare(standard, lifeDays) },
      simulated: movedShare(eager.tally, eager.tally.movedEach),
      error: meanOf(eager.line.map(([, share]) => share)) / Math.sqrt(eager.tally.deaths),
      note: "what waiting and one reading for all save",
    }],
    series: [seriesOf("traffic-exponential", [["lazy", lazy.line]], formula)],
  };
}

/** With nights, holidays and heavy tails. */
export function mixedTraffic(scale: Scale): Outcome {
  const plan: WorldPlan = {
    ...plainWorld(scale, lifeDays), kinds: mixedLives, shareSigma: 0.8, learnMs: learnDays * dayMs,
  };
  const days = scale.years * yearDays;
  scale.tell("repair traffic, mixed lives, an oracle");
  const oracle = watch({ ...plan, verdict: "oracle" }, days);
  scale.tell("repair traffic, mixed lives, the judge");
  const judge = watch({ ...plan, verdict: "judge" }, days);
  const [wise, judged] = [oracle, judge].map(({ tally }) => movedShare(tally, tally.moved));
  return {
    figures: [{
      name: "repair traffic of the judge, as times an oracle's", unit: "times",
      claimed: { is: "at most", value: 1.35 }, simulated: (judged as number) / (wise as number),
    }, ...verdictFigures(judge.tally)],
    series: [seriesOf("traffic-mixed", [["judge", judge.line], ["oracle", oracle.line]])],
  };
}

function verdictFigures({ condemned, condemnedInVain, replaced, replacedInVain }: Tally): Figure[] {
  return [{
    name: "seats given away whose peer was alive", unit: "of all given away",
    claimed: { is: "at most", value: 0.2 }, simulated: replacedInVain / replaced,
    note: "limits.proofs.deadFrom lets one of five silences be no death",
  }, {
    name: "silences taken for a death that ended", unit: "of all so taken",
    claimed: { is: "at most", value: 0.2 }, simulated: condemnedInVain / condemned,
  }];
}

interface Watched {
  readonly tally: Tally;
  /** Day, and traffic as a share of the user's bytes a month. */
  readonly line: readonly (readonly [number, number])[];
}

function watch(plan: WorldPlan, days: number): Watched {
  const world = new World(plan);
  world.run(plan.learnMs);
  world.beginCounting();
  const line: (readonly [number, number])[] = [];
  let before = { moved: 0, groupDays: 0 };
  for (let day = stepDays; day <= days; day += stepDays) {
    world.run(plan.learnMs + day * dayMs);
    const { moved, groupDays } = world.tally;
    const step = { ...world.tally, groupDays: groupDays - before.groupDays };
    line.push([day, movedShare(step, moved - before.moved)]);
    before = { moved, groupDays };
  }
  return { tally: world.tally, line };
}

function seriesOf(
  name: string, lines: readonly (readonly [string, Watched["line"]])[], formula?: number,
): Series {
  const last = Math.max(...lines.flatMap(([, points]) => points.map(([day]) => day)));
  const level = formula === undefined ? [] : [{
    name: "formula", points: [[0, formula], [last, formula]] as const,
  }];
  return {
    name, x: "day", y: "moved in a month, as a share of the user's bytes",
    lines: [...lines.map(([told, points]) => ({ name: told, points })), ...level],
  };
}
