/** `npm run drill [-- NAME...]`: disasters on a real swarm, at full size. See drill.ts. */
import { join } from "node:path";
import { node24, prepare, root, run } from "./prepare.mjs";

prepare();
run(node24(), [join(root, "scripts", "drill.ts"), ...process.argv.slice(2)], "the drill");
