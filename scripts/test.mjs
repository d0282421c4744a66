/**
 * `npm test [-- FILES]`: installs, builds, checks the types and runs every test; the last line is
 * `N passed, N failed`. Nothing is skipped: without /dev/fuse the mount tests fail and say so.
 * `npm test -- --slow` runs test/slow after them, ten minutes more, and counts all together.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environment, needPrograms, node24, prepare, root, run, say } from "./prepare.mjs";

/** The slowest file, a real swarm with kills, takes about two minutes on two cores. */
const fileTimeoutSeconds = 240;
/** stress-ng and fio: four minutes on two free cores. */
const slowTimeoutSeconds = 900;

const tap = join(root, "node_modules", "tap", "dist", "esm", "run.mjs");

prepare();
const words = process.argv.slice(2);
const isSlow = words.includes("--slow");
needPrograms({
  fusermount3: "fuse3", getfattr: "attr", git: "git", perl: "perl", cc: "gcc",
  ...(isSlow ? { "stress-ng": "stress-ng", fio: "fio" } : {}),
});
buildRunner();
say("checking types");
run(join(root, "node_modules", ".bin", "tsc"), ["--noEmit", "-p", root], "type check");
const files = words.filter((word) => word !== "--slow");
const quick = { jobs: 3, timeoutSeconds: fileTimeoutSeconds };
const results = [runTests(files.length > 0 ? files : ["test/**/*.test.ts"], quick)];
if (isSlow) {
  say("stress-ng, fio, and what takes many processes: about ten minutes");
  results.push(runTests(["test/slow/*.slow.ts"], { jobs: 2, timeoutSeconds: slowTimeoutSeconds }));
}
results.flatMap((result) => result.names).forEach((name) => say(`failed: ${name}`));
const sum = (name) => results.reduce((total, result) => total + result[name], 0);
const [passed, failed] = [sum("passed"), sum("failed")];
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

/** Once for each install: the runner is put together from the plugins that package.json names. */
function buildRunner() {
  const stamp = join(root, "node_modules", ".hive-runner");
  if (existsSync(stamp)) return;
  run(node24(), [tap, "build"], "tap build");
  writeFileSync(stamp, "");
}

function runTests(patterns, { jobs, timeoutSeconds }) {
  const scratch = mkdtempSync(join(tmpdir(), "hive-test-"));
  const output = join(scratch, "results.tap");
  const options = [
    "--disable-coverage",
    `--jobs=${jobs}`,
    `--timeout=${timeoutSeconds}`,
    "--reporter=terse",
    `--output-file=${output}`,
  ];
  const ran = spawnSync(node24(), [tap, "run", ...options, ...patterns], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: environment(),
  });
  const counted = count(readFileSync(output, "utf8"));
  rmSync(scratch, { recursive: true, force: true });
  // A runner that died without saying so is a failure too.
  const silent = ran.status !== 0 && counted.failed === 0;
  return silent ? { ...counted, failed: 1, names: ["the runner itself"] } : counted;
}

/** Counts the named tests of every file: the TAP lines one level below the files' own. */
function count(tap) {
  const lines = tap.split("\n");
  const tests = lines.filter((line) => /^ {4}(not )?ok \d+/.test(line));
  const bad = tests.filter((line) => line.startsWith("    not ok"));
  const files = lines.filter((line) => /^not ok \d+/.test(line));
  const failed = Math.max(bad.length, files.length);
  return { passed: tests.length - bad.length, failed, names: failures(lines) };
}

/**
 * What failed, for whoever sees only the end of the output: every failed name at any depth, with
 * the beginning of its diagnosis.
 */
function failures(lines) {
  const linesOfEach = 8;
  const isFailure = (line) => /^ *not ok \d+/.test(line);
  return lines.flatMap((line, at) => {
    if (!isFailure(line)) return [];
    const said = lines.slice(at + 1, at + 1 + linesOfEach).map((next) => next.trim());
    return [[line.trim(), ...said.filter((next) => !/^(---|)$/.test(next))].join(" | ")];
  });
}
