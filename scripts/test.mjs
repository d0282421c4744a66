/**
 * `npm test [-- FILES]`: installs, builds, checks the types and runs every test; the last line is
 * `N passed, N failed`. Without /dev/fuse the mount tests fail and say so. What a machine cannot do
 * otherwise, such as IPv6, is told as skipped, and counted nowhere.
 * `npm test -- --slow` runs test/slow with them, and counts all together.
 */
import { join } from "node:path";
import { needPrograms, prepare, root, run, say } from "./prepare.mjs";
import { listFiles, runFiles } from "./run-tests.mjs";

/** stress-ng and fio: four minutes on two free cores. The others take two minutes at most. */
const secondsOf = (file) => (file.endsWith(".slow.ts") ? 900 : 300);

prepare();
const words = process.argv.slice(2);
const isSlow = words.includes("--slow");
needPrograms({
  fusermount3: "fuse3", getfattr: "attr", git: "git", perl: "perl", cc: "gcc",
  ...(isSlow ? { "stress-ng": "stress-ng", fio: "fio" } : {}),
});
say("checking types");
run(join(root, "node_modules", ".bin", "tsc"), ["--noEmit", "-p", root], "type check");

const wanted = words.filter((word) => word !== "--slow");
const places = wanted.length > 0 ? wanted : ["test"];
const files = places.flatMap((path) => listFiles(path, ".test.ts"));
const slow = isSlow ? listFiles("test/slow", ".slow.ts") : [];
say(`running ${files.length + slow.length} files`);
const results = await runFiles([...slow, ...files], { secondsOf, told });
const sum = (name) => results.reduce((total, result) => total + result[name], 0);
const [passed, failed] = [sum("passed"), sum("failed")];
for (const { file, skipped } of results) skipped.forEach((name) => say(`skipped: ${file}: ${name}`));
for (const { file, names } of results) names.forEach((name) => say(`failed: ${file}: ${name}`));
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

/**
 * A line for each file, and all that it printed when something in it failed. What lives on after
 * its last word waits for a timer or a process that nobody ended.
 */
function told({ file, seconds, silence, passed, failed, printed }) {
  const outcome = failed > 0 ? `${failed} FAILED, ${passed} passed` : `${passed} passed`;
  const late = silence > 2 ? `, ${silence.toFixed(1)} s after its last word` : "";
  say(`${seconds.toFixed(1).padStart(6)} s  ${file}: ${outcome}${late}`);
  if (failed > 0) process.stderr.write(`${printed.out}\n${printed.error}\n`);
}
