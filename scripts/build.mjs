/** `npm run build`: the JavaScript that a package ships, in dist/, with the files beside it. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { prepare, root, run } from "./prepare.mjs";

const dist = join(root, "dist");

prepare();
rmSync(dist, { recursive: true, force: true });
const config = join(root, "scripts", "tsconfig.build.json");
run(join(root, "node_modules", ".bin", "tsc"), ["-p", config], "compiling");
cpSync(join(root, "src"), dist, {
  recursive: true,
  filter: (file) => !/\.(ts|md)$/.test(file),
});
