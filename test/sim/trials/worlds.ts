/** The worlds that trials begin with: ten shards a node, in groups of the class standard. */
import type { ErasureClass } from "../../../src/base/records.ts";
import { classNamed } from "../../../src/placement/draws/classes.ts";
import { defaultPolicy } from "../../../src/placement/language/policy.ts";
import { dayMs, monthDays, yearDays } from "../closed-forms.ts";
import type { Scale } from "../figure.ts";
import { exponentialLives, hourMs } from "../lives.ts";
import type { Tally } from "../tally.ts";
import { World, type WorldPlan } from "../world.ts";

const shardsPerNode = 10;

export const standard = classNamed("standard") as ErasureClass;

function groupsFor(nodes: number): number {
  return Math.max(1, Math.round((nodes * shardsPerNode) / standard.n));
}

/** That of the closed forms: nobody is away, everybody knows who is dead, repair takes an hour. */
export function plainWorld({ nodes, seed }: Scale, lifeDays: number): WorldPlan {
  return {
    seed, peers: nodes, groups: groupsFor(nodes), class: standard, policy: defaultPolicy,
    kinds: exponentialLives(lifeDays), verdict: "oracle", isPatient: true,
    repair: { kind: "steady", ms: hourMs }, shareSigma: 0, learnMs: 0,
  };
}

/** As it is after half a year, when nobody remembers how it began. */
export function aged(plan: WorldPlan): World {
  const world = new World(plan);
  world.run(plan.learnMs + (yearDays / 2) * dayMs);
  return world;
}

/** Bytes moved in a month for a byte of the user. */
export function movedShare({ groupDays }: Tally, shards: number): number {
  return shards / standard.k / (groupDays / monthDays);
}
