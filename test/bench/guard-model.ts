/**
 * The model of a group's protocol over many seeds: `node test/bench/guard-model.ts [SEEDS [FIRST]]`.
 * Ten thousand take some ten minutes of one core. It stops at what must never be, and says its seed.
 */
import { GuardModel, weatherOf } from "../support/guard-model.ts";

const seeds = Number(process.argv[2] ?? 10_000);
const first = Number(process.argv[3] ?? 1);
const total = { accepted: 0, manifests: 0, refusals: 0 };
for (let seed = first; seed < first + seeds; seed++) {
  try {
    const outcome = new GuardModel(String(seed), weatherOf(seed)).run();
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
