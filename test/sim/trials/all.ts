/** The parts of a simulation by their names, as its table has them. */
import type { Outcome, Scale } from "../figure.ts";
import { audits } from "./audits.ts";
import { durability, losses } from "./durability.ts";
import { lookups } from "./lookups.ts";
import { outages } from "./outages.ts";
import { riders } from "./riders.ts";
import { strikes } from "./strikes.ts";
import { tail } from "./tail.ts";
import { mixedTraffic, traffic } from "./traffic.ts";

export type Trial = (scale: Scale) => Outcome | Promise<Outcome>;

export const trials: Readonly<Record<string, Trial>> = {
  traffic, mixed: mixedTraffic, durability, losses, strikes, tail, outages, audits, lookups, riders,
};
