/** Runs the chosen benches and prints one table each; they stand in bench/. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const names = ["fs", "erasure", "net"] as const;
const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith("--"));
const chosen = words.filter((word) => !word.startsWith("--"));
const stranger = chosen.find((word) => !names.some((name) => name === word));
if (stranger !== undefined) throw new Error(`no bench ${stranger}: ${names.join(", ")}`);

for (const name of chosen.length > 0 ? chosen : names) {
  const script = join(import.meta.dirname, "bench", `${name}.ts`);
  // A process each: none inherits another's heap, pools or open nodes.
  const ran = spawnSync(process.execPath, [script, ...options], { stdio: "inherit" });
  if (ran.status !== 0) process.exitCode = 1;
}
