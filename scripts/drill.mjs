/** `npm run drill [-- NAME...]`: disasters on a real swarm, at full size. See drill.ts. */
import { join } from "node:path";
import { needPrograms, node24, prepare, root, run } from "./prepare.mjs";

prepare();
needPrograms({ fusermount3: "fuse3", getfattr: "attr", git: "git" });
run(node24(), [join(root, "scripts", "drill.ts"), ...process.argv.slice(2)], "the drill");
