/** `npm start [-- DIR]`: a mount at ~/Hive (or DIR) on an embedded swarm of local peers. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { node24, prepare, root, run } from "./prepare.mjs";

/** Enough households for class tiny (2 of 6) with two to spare for repairs. */
const swarmPeers = 8;

const directory = resolve(process.env.INIT_CWD ?? ".", process.argv[2] ?? join(homedir(), "Hive"));
prepare();
const main = join(root, "src", "cli", "main.ts");
run(node24(), [main, "mount", directory, "--swarm", String(swarmPeers), "--welcome"], "hive mount");
