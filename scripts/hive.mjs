#!/usr/bin/env node
/**
 * What `scripts/hive` runs: under Node 24 or later right here, under an older one it hands over to
 * the Node that npm installed beside us. A checkout runs its sources, a package its dist.
 */
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = realpathSync(fileURLToPath(import.meta.url));
const root = resolve(dirname(here), "..");
const ours = join(root, "node_modules", "node", "bin", "node");
const modern = Number(process.versions.node.split(".")[0]) >= 24;

if (modern) {
  // Node does not run TypeScript below node_modules, and a package ships none.
  const source = join(root, "src", "cli", "main.ts");
  await import(existsSync(source) ? source : join(root, "dist", "cli", "main.js"));
} else if (existsSync(ours)) {
  const run = spawnSync(ours, [here, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(run.status ?? 1);
} else {
  process.stderr.write(`hive: Node 24 or later is needed, this is ${process.version}\n`);
  process.stderr.write("hive: hint: npm install node@24\n");
  process.exit(1);
}
