/**
 * `npm run sim -- [--nodes N] [--years Y] [--seed S] [--only TRIALS] [--out DIR [--resume]]`:
 * see sim.ts.
 */
import { join } from "node:path";
import { node24, prepare, root, run } from "./prepare.mjs";

prepare();
run(node24(), [join(root, "scripts", "sim.ts"), ...process.argv.slice(2)], "the simulator");
