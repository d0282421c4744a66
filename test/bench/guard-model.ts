/**
 * The model of a group's protocol over many seeds: `node test/bench/guard-model.ts [--seeds 10000]
 * [--first 1]`. Each plays three hours in a weather of its own: messages that are lost, doubled,
 * late and out of order, machines that fall, forget, die and are cut off from each other, and an
 * owner that comes back. Every fortieth has a wide group, of which a fourth is dead at once. It
 * stops at what must never be, and says its seed.
 */
import { parseArgs } from "node:util";
import { GuardModel, weatherOf } from "../support/guard-model.ts";

const { values } = parseArgs({ options: {
  seeds: { type: "string", default: "10000" }, first: { type: "string", default: "1" },
} });
const [seeds, first] = [Number(values.seeds), Number(values.first)];
const wideEvery = 40;
const total = { accepted: 0, manifests: 0, refusals: 0 };
for (let seed = first; seed < first + seeds; seed++) {
  const isWide = seed % wideEvery === 0;
  const weather = isWide ? { ...weatherOf(seed), deaths: 6 } : weatherOf(seed);
  try {
    const model = new GuardModel(String(seed), weather, ...(isWide ? [["home"]] : []));
    const outcome = model.run();
    total.accepted += outcome.accepted;
    total.manifests += outcome.manifests;
    total.refusals += outcome.refusals;
  } catch (error) {
    process.stdout.write(`seed ${seed}: ${String(error)}\n`);
    process.exit(1);
  }
}
const { accepted, manifests, refusals } = total;
process.stdout.write(
  `${seeds} seeds: ${accepted} replacements, ${manifests} manifests, ${refusals} refusals\n`,
);
