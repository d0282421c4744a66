/** `npm run bench [-- fs|erasure|net] [--json]`: figures beside a reference in the same run. */
import { join } from "node:path";
import { node24, prepare, root, run } from "./prepare.mjs";

prepare();
run(node24(), [join(root, "scripts", "bench.ts"), ...process.argv.slice(2)], "the bench");
