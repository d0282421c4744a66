/**
 * Disasters on a real swarm of processes, at full size: what `npm test` does small. Each drill says
 * what it does, how long it took, and fails loudly. `npm run drill -- NAME` runs one of them;
 * `crashes`, `flagship`, `large`, `lives`, `places` and `sharing` know options, told in their own
 * files. `places` and `flagship` run by their names alone: one needs root and network namespaces,
 * the other 10 GB of memory.
 */
import { parseArgs } from "node:util";
import { crashOptions, crashes } from "./drills/crashes.ts";
import { flagship, flagshipOptions } from "./drills/flagship.ts";
import { large, largeOptions } from "./drills/large.ts";
import { latency } from "./drills/latency.ts";
import { lifeOptions, lives } from "./drills/lives.ts";
import { say, seconds } from "./drills/machine.ts";
import { places, placesOptions } from "./drills/places.ts";
import { repair } from "./drills/repair.ts";
import { sharing } from "./drills/sharing.ts";
import { whole } from "./drills/whole.ts";
import { wire } from "./drills/wire.ts";

const options = {
  ...crashOptions, ...flagshipOptions, ...largeOptions, ...placesOptions, ...lifeOptions,
};

type Values = Readonly<Partial<Record<keyof typeof options, string>>>;
type Drill = (values: Values) => Promise<void>;
const drills: Readonly<Record<string, Drill>> = {
  whole, crashes, repair, wire, latency, large, places, flagship, lives, sharing,
};

const { positionals: chosen, values } = parseArgs({ allowPositionals: true, options });
const usual = Object.keys(drills).filter((name) => !["places", "flagship"].includes(name));
for (const name of chosen.length > 0 ? chosen : usual) {
  const drill = drills[name];
  if (drill === undefined) throw new Error(`no drill ${name}: ${Object.keys(drills).join(" ")}`);
  say(`drill ${name}`);
  const start = performance.now();
  await drill(values);
  say(`drill ${name} passed in ${seconds(start)}`);
}
